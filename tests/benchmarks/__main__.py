"""`python -m tests.benchmarks [SCENARIO …]`: measures, and writes docs/benchmarks/."""

from __future__ import annotations

import os
from pathlib import Path

import click
from tests.benchmarks import report
from tests.benchmarks.plan import FULL, SCENARIOS
from tests.benchmarks.rounds import Rounds

ROOT = Path(__file__).parents[2]


@click.command()
@click.argument("names", nargs=-1, metavar="[SCENARIO]...")
@click.option("--rounds", default=5, show_default=True, help="Trials of each program.")
@click.option("--report-only", is_flag=True, help="Write the report of the trials there are.")
def main(names: tuple[str, ...], rounds: int, report_only: bool) -> None:
    """Measure programs side by side; trials that build/benchmarks holds are not run again."""
    scenarios = SCENARIOS + (FULL if os.environ.get("BENCH_FULL") else ())
    found = Rounds(ROOT / "build" / "benchmarks")
    if not report_only:
        found.run(tuple(s for s in scenarios if not names or s.name in names), rounds)
    report.write(found.trials(), ROOT / "docs" / "benchmarks")


if __name__ == "__main__":
    main()
