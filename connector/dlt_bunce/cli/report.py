"""The command `dlt-bunce report`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.failures import reported
from dlt_bunce.cli.lists import print_list
from dlt_bunce.cli.printable import echo
from dlt_bunce.errors import UsageError, not_installed
from dlt_bunce.model import FATES, Fate

if TYPE_CHECKING:
    from dlt_bunce.store.runs.history import Run

_FEW = 5


@click.command("report")
@click.option(
    "--html",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write charts and tables to FILE, a single page that works offline.",
)
@click.option(
    "--runs",
    "count",
    default=100,
    show_default=True,
    type=click.IntRange(1, options.MOST),
    help="Number of latest runs to include.",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@options.store_options
def command(
    file: Path | None,
    count: int,
    overwrite: bool,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Show run history: fates of rows and values, rejects, requests against the budget, and
    response times.

    Contains only counts, never customer data.

    Example: dlt-bunce report --html runs.html
    """
    with reported():
        from dlt_bunce.store.accounts import refuse_unknown_account
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.runs.history import history, rejects

        if overwrite and file is None:
            raise UsageError("--overwrite requires --html FILE.")
        store_url, account = options.store_settings(store_url, account)
        allowed = options.requests_per_minute()
        with Database(store_url, read_only=True) as db:
            refuse_unknown_account(db, account)
            runs = history(db, account, limit=count)
        if file is not None:
            _write(file, account, runs, allowed, overwrite=overwrite)
        if as_json:
            output.as_json(
                {"account": account, "requests_per_minute": allowed, "rejects": rejects(runs)}
                | {"file": file and str(file), "runs": [run.as_dict(allowed) for run in runs]}
            )
        elif file is not None:
            count_of_runs = output.counted(len(runs), "run")
            echo(f"Wrote {count_of_runs} to {file} (counts only, no customer data).")
        else:
            _print(account, runs, allowed)


def _write(file: Path, account: str, runs: Sequence[Run], allowed: int, *, overwrite: bool) -> None:
    from dlt_bunce.cli.files import replaced

    try:
        from dlt_bunce.workbench.report import Report, as_html
    except ModuleNotFoundError as error:
        raise missing("report", "HTML reports", error) from None
    if file.suffix.lower() not in {".html", ".htm"}:
        raise UsageError(
            f"{file.name!r} does not end in .html.", remedy="Use a name such as FILE.html."
        )
    try:
        page = as_html(Report(account, runs, allowed))
    except ModuleNotFoundError as error:
        raise missing("report", "HTML reports", error) from None
    with replaced(file, overwrite=overwrite, private=False) as part:
        part.write_text(page, encoding="utf-8")


def missing(extra: str, feature: str, error: ModuleNotFoundError) -> UsageError:
    """Return an error that names the extra to install; re-raise if another module is missing."""
    names = {"jinja2", "markupsafe", "pygal", "starlette", "uvicorn"}
    if (error.name or "").partition(".")[0] not in names:
        raise error
    return not_installed(f"The packages for {feature} are", extra)


def _print(account: str, runs: Sequence[Run], allowed: int) -> None:
    from dlt_bunce.store.runs.history import rejects

    if not runs:
        output.console().print(f"Account {account} has no recorded runs.")
        return
    shown = [fate for fate in FATES if any(run.fates[fate] for run in runs)]
    rows = [_row(run, shown, allowed) for run in runs]
    # a few runs are easier to read as records
    show = output.print_rows if len(rows) <= _FEW else print_list
    show(rows, tuple(rows[0]), _title(account, len(runs)))
    output.print_codes(rejects(runs), "Dead letters of these runs")
    output.print_value_fates(runs, "Attribute values and segment members of these runs")


def _title(account: str, runs: int) -> str:
    return f"Account {account}: latest {output.counted(runs, 'run')}"


def _row(run: Run, fates: Sequence[Fate], allowed: int) -> dict[str, Any]:
    used = run.budget_share(allowed)
    return {
        "started (UTC)": f"{run.started_at:%Y-%m-%d %H:%M}",
        "source": run.name,
        "state": run.state,
        "read": run.read,
        **{str(fate): run.fates[fate] for fate in fates},
        "requests": run.requests,
        "budget": "" if used is None else f"{used:.0%}",
        "mean": _seconds(run.mean_answer_seconds),
        "slowest": _seconds(run.slowest_answer_seconds or None),
    }


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"
