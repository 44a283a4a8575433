"""From trials to a page with tables and a plot."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.plan import BATCH, FLOOR, FULL, OURS, SCENARIOS, Scenario

Trials = Mapping[str, Mapping[str, list[dict[str, Any]]]]
"""By scenario and contender, in the order of rounds."""

_PACKAGES = ("dlt", "pyarrow", "requests", "adbc-driver-sqlite", "adbc-driver-postgresql")
_PACKAGES += ("singer-sdk",)
_COLUMNS = "| program | rounds | seconds | rows/s | CPU s | peak MB | requests | sent MB | ratio |"
_HEAD = """# Benchmarks

Written by `make bench`: whole programs from start to end, one after the other in turns, against the
same emulated Bunce in a process of its own, in batches of {batch}. What counts are the ratios: a
machine's seconds are its own. *ratio* is the speed of {ours} as a multiple of the program's: the
median of those of the rounds, with the smallest and the largest. Peak MB is memory in RAM; most of
it is what Python, dlt, and Arrow need to start.

{machine}

![Customers a second](speed.svg)
"""


def write(trials: Iterable[Mapping[str, Any]], folder: Path) -> None:
    """Writes README.md and speed.svg."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for trial in trials:
        found[trial["scenario"]][trial["contender"]].append(dict(trial))
    folder.mkdir(parents=True, exist_ok=True)
    scenarios = [s for s in SCENARIOS + FULL if s.name in found]
    parts = [_HEAD.format(batch=f"{BATCH:,}", ours=OURS.name, machine=_machine())]
    parts += [_section(scenario, found[scenario.name]) for scenario in scenarios]
    (folder / "README.md").write_text("\n".join(parts))
    _plot(scenarios, found, folder / "speed.svg")


def _machine() -> str:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"Python {platform.python_version()}, {versions}; {platform.system()} on "
        f"{platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB."
    )


def _section(scenario: Scenario, found: Mapping[str, list[dict[str, Any]]]) -> str:
    ours = found.get(OURS.name, [])
    lines = [
        f"## {scenario.name[0].upper()}{scenario.name[1:]}",
        "",
        f"{scenario.rows:,} rows, {_phase(scenario)}{_server(scenario)}.",
        "",
        _COLUMNS,
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for contender in scenario.contenders:
        own = found.get(contender.name)
        if own:
            lines.append(_line(contender.name, own, ours, scenario.rows))
    return "\n".join([*lines, ""])


def _line(name: str, own: list[dict[str, Any]], ours: list[dict[str, Any]], rows: int) -> str:
    seconds = [trial["seconds"] for trial in own]
    ratios = [b["seconds"] / a["seconds"] for a, b in zip(ours, own, strict=False)]
    figures = (
        name,
        len(own),
        _spread(seconds, ".1f"),
        f"{rows / median(seconds):,.0f}",
        f"{_median(own, 'cpu_seconds'):.1f}",
        f"{_median(own, 'memory') / 1e6:.0f}",
        f"{_median(own, 'requests'):.0f}",
        f"{_median(own, 'sent_bytes') / 1e6:.1f}",
        _spread(ratios, ".2f") if ratios and own is not ours else "",
    )
    return f"| {' | '.join(map(str, figures))} |"


def _median(trials: list[dict[str, Any]], name: str) -> float:
    return median(trial[name] for trial in trials)


def _spread(values: list[float], form: str) -> str:
    if len(values) < 2:
        return f"{values[0]:{form}}"
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def _phase(scenario: Scenario) -> str:
    return {
        "first": "nobody known before",
        "unchanged": "loaded before, and the same since",
        "changed": "loaded before, 1 % of them changed since",
        "refused": "nobody known before, 1 % of them refused by Bunce",
    }[scenario.phase]


def _server(scenario: Scenario) -> str:
    latency, a_row = (scenario.switches.get(n, 0) for n in ("latency_ms", "row_latency_ms"))
    if not latency:
        return ", a server that answers as fast as it can"
    return f", {latency} ms a request" + (f" and {a_row} ms a row" if a_row else "")


def _plot(scenarios: list[Scenario], found: Trials, file: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    # the same figures make the same file
    mpl.rcParams.update({"svg.hashsalt": "dlt-bunce", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(
        len(scenarios), 1, figsize=(8, 1.9 * len(scenarios)), layout="constrained", squeeze=False
    )
    for scenario, axis in zip(scenarios, axes[:, 0], strict=True):
        names = [c.name for c in scenario.contenders if c.name in found[scenario.name]][::-1]
        rates = [
            [scenario.rows / trial["seconds"] for trial in found[scenario.name][name]]
            for name in names
        ]
        middles = [median(values) for values in rates]
        spread = [
            [middle - min(values) for middle, values in zip(middles, rates, strict=True)],
            [max(values) - middle for middle, values in zip(middles, rates, strict=True)],
        ]
        colors = ["#2563eb" if name.startswith("dlt-bunce") else "#94a3b8" for name in names]
        colors = ["#475569" if n == FLOOR.name else c for n, c in zip(names, colors, strict=True)]
        axis.barh(names, middles, xerr=spread, color=colors, ecolor="#0f172a", height=0.7)
        axis.set_title(f"{scenario.name}, {scenario.rows:,} rows", loc="left", fontsize=10)
        axis.set_xlabel("customers a second")
        axis.xaxis.set_major_formatter("{x:,.0f}")
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})
