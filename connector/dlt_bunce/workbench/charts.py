"""Charts of runs as SVG without scripts or colors of their own: the style sheet has those."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from dlt_bunce.model import FATES
from dlt_bunce.store.history import Run, rejects

MAX_BARS = 40
"""Runs in a chart: more would be too narrow to tell apart."""
_MAX_CODES = 6
_SVG = "http://www.w3.org/2000/svg"
_SIZE = (600, 240)
_LABELS = 6
_DAYS = 3

Values = Sequence[float | None]


def drawing_library() -> Any:
    """pygal, without the import hook for maps that it installs for the whole process: Python warns
    of its old kind at every later import.
    """
    import pygal
    import pygal.style

    sys.meta_path[:] = [f for f in sys.meta_path if not isinstance(f, pygal.PluginImportFixer)]
    return pygal


@dataclass(frozen=True)
class Series:
    """One color of a chart; `color` is a class of the style sheet."""

    name: str
    color: str
    values: Values


@dataclass(frozen=True)
class Chart:
    """A drawing with its legend; `svg` is markup that is safe to put into a page."""

    key: str
    title: str
    note: str
    series: Sequence[Series]
    svg: str


def charts(runs: Sequence[Run], requests_per_minute: int) -> list[Chart]:
    """Charts of the last of `runs` (newest first), the oldest at the left; none without runs."""
    shown = [run for run in runs[:MAX_BARS][::-1] if run.ended_at is not None]
    if not shown:
        return []
    made = [_fates(shown), _rejects(shown), _requests(shown, requests_per_minute), _answers(shown)]
    return [chart for chart in made if chart is not None]


def _fates(runs: Sequence[Run]) -> Chart:
    series = [
        Series(fate, f"fate-{fate}", [run.fates[fate] for run in runs])
        for fate in FATES
        if any(run.fates[fate] for run in runs)
    ]
    return _drawn("fates", "Rows by fate", "Every row read has exactly one fate.", runs, series)


def _rejects(runs: Sequence[Run]) -> Chart | None:
    codes = list(rejects(runs))
    if not codes:
        return None
    series = [
        Series(code, f"hue-{i}", [run.reject_codes.get(code, 0) for run in runs])
        for i, code in enumerate(codes[:_MAX_CODES])
    ]
    if rest := codes[_MAX_CODES:]:
        others = [sum(run.reject_codes.get(code, 0) for code in rest) for run in runs]
        series.append(Series("other codes", "hue-other", others))
    return _drawn("rejects", "Rejected rows by code", "Only rows rejected anew.", runs, series)


def _requests(runs: Sequence[Run], requests_per_minute: int) -> Chart:
    series = [Series("requests", "hue-0", [run.requests for run in runs])]
    note = "No request budget is configured."
    if requests_per_minute > 0:
        budgets = [run.budget(requests_per_minute) for run in runs]
        series.append(Series("budget", "hue-other", budgets))
        note = f"The budget is {requests_per_minute:,} requests for each minute of the run."
    return _drawn("requests", "Requests against the budget", note, runs, series, stacked=False)


def _answers(runs: Sequence[Run]) -> Chart:
    series = [
        Series("mean", "hue-0", [run.mean_answer_seconds for run in runs]),
        Series("slowest", "hue-2", [run.slowest_answer_seconds or None for run in runs]),
    ]
    note = "How long Bunce took to answer a request, in seconds."
    return _drawn("answers", "Answer times", note, runs, series, stacked=False, unit=" s")


def _drawn(
    key: str,
    title: str,
    note: str,
    runs: Sequence[Run],
    series: Sequence[Series],
    *,
    stacked: bool = True,
    unit: str = "",
) -> Chart:
    pygal = drawing_library()

    def told(value: float) -> str:
        return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:,.2g}"

    # where runs are days apart, the time of day tells little
    apart = (runs[-1].started_at - runs[0].started_at).days > _DAYS
    kind = pygal.StackedBar if stacked else pygal.Bar
    chart = kind(
        js=[],
        no_prefix=True,
        disable_xml_declaration=True,
        width=_SIZE[0],
        height=_SIZE[1],
        margin=8,
        margin_right=24,
        show_legend=False,
        show_minor_x_labels=False,
        show_minor_y_labels=False,
        y_labels_major_count=5,
        x_labels_major_count=min(len(runs), _LABELS if apart else _LABELS // 2),
        truncate_label=-1,
        zero=0,
        range=None if _any(series) else (0, 1),
        value_formatter=lambda value: told(value) + unit,
        style=pygal.style.Style(label_font_size=12, major_label_font_size=12),
    )
    chart.x_labels = [run.started_at.strftime("%d %b" if apart else "%d %b %H:%M") for run in runs]
    for one in series:
        chart.add(one.name, list(one.values))
    summary = _summary(runs, series, lambda value: told(value) + unit)
    svg = _plain(chart.render(is_unicode=True), key, title, summary, series)
    return Chart(key, title, note, series, svg)


def _any(series: Sequence[Series]) -> bool:
    return any(value for one in series for value in one.values)


def _summary(runs: Sequence[Run], series: Sequence[Series], told: Callable[[float], str]) -> str:
    most = "; ".join(
        f"{one.name} up to {told(max(value or 0 for value in one.values))}" for one in series
    )
    return (
        f"Bars for {len(runs)} runs from {runs[0].started_at:%d %b %Y} to "
        f"{runs[-1].started_at:%d %b %Y}: {most}. The table holds the figures."
    )


def _plain(text: str, key: str, title: str, summary: str, series: Sequence[Series]) -> str:
    """The drawing alone: its styles and scripts go, what it shows is said in words instead."""
    root = ET.fromstring(text)  # noqa: S314, our own drawing
    colors = {f"color-{i}": one.color for i, one in enumerate(series)}
    names = {f"serie-{i}": one.name for i, one in enumerate(series)}
    for parent in list(root.iter()):
        classes = parent.get("class", "").split()
        name = next((names[one] for one in classes if one in names), None)
        if name is not None:
            _name_bars(parent, name)
        if classes:
            parent.set("class", " ".join(colors.get(one, one) for one in classes))
        for attribute in ("id", "style"):
            parent.attrib.pop(attribute, None)
        for child in list(parent):
            tag = child.tag.rpartition("}")[2]
            unseen = {"tooltip-overlay", "text-overlay", "overlay"} & set(
                child.get("class", "").split()
            )
            if tag in {"defs", "desc", "script", "style"} or unseen or child is _title(root):
                parent.remove(child)
    for place, (tag, words) in enumerate((("title", title), ("desc", summary))):
        element = ET.Element(f"{{{_SVG}}}{tag}", {"id": f"{key}-{tag}"})
        element.text = words
        root.insert(place, element)
    root.set("class", "chart")
    root.set("role", "img")
    root.set("aria-labelledby", f"{key}-title {key}-desc")
    ET.register_namespace("", _SVG)
    return ET.tostring(root, encoding="unicode")


def _title(root: ET.Element) -> ET.Element | None:
    """What pygal calls the drawing."""
    return next((one for one in root if one.tag.endswith("title") and "id" not in one.attrib), None)


def _name_bars(series: ET.Element, name: str) -> None:
    """Each bar says what it is when it is pointed at."""
    for bar in series.iter(f"{{{_SVG}}}g"):
        if bar.get("class") != "bar":
            continue
        said: Mapping[str, str] = {
            one.get("class", ""): one.text or "" for one in bar if one.tag.endswith("desc")
        }
        title = ET.Element(f"{{{_SVG}}}title")
        title.text = f"{said.get('x_label', '')}: {said.get('value', '')} {name}"
        bar.insert(0, title)
