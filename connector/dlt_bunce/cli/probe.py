"""The command `dlt-bunce probe`."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.failures import reported
from dlt_bunce.cli.files import replaced
from dlt_bunce.cli.printable import echo
from dlt_bunce.errors import UsageError
from dlt_bunce.logs import is_terminal

if TYPE_CHECKING:
    from dlt_bunce.destination.client import BunceClient
    from dlt_bunce.destination.settings.configuration import BunceConfiguration
    from dlt_bunce.probe.report import ProbeReport

_SHOWN = 60
"""Characters of the evidence in the table."""
_STOPPED = (
    "Stopped before the answers were complete, so none were kept. Test customers that were made "
    "stay in Bunce. Probe again with"
)
_PREFIX = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38}[A-Za-z0-9])?")


@click.command("probe")
@click.option(
    "--live",
    is_flag=True,
    help="Probe a live workspace. Asks for confirmation: test customers cannot be deleted.",
)
@click.option(
    "--prefix",
    default="dlt-bunce-probe",
    show_default=True,
    help="What the ids and emails of test customers begin with.",
)
@click.option(
    "--max-batch",
    default=400,
    show_default=True,
    type=click.IntRange(min=1, max=5000),
    help="Largest batch to try, in customers.",
)
@click.option("--attribute", help="Text attribute in Bunce to write test values to.")
@click.option("--segment", help="Manual segment in Bunce to add a test customer to, and remove.")
@click.option(
    "--output",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the report to this JSON file.",
)
@click.option(
    "--import",
    "imported",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Send nothing; start from the report in this JSON file, of a sandbox or of this host.",
)
@click.option("--overwrite", is_flag=True, help="Replace the file of --output if it exists.")
@click.option(
    "--new-account", is_flag=True, help="Create the account if the store does not have it."
)
@options.store_options
def command(
    live: bool,
    prefix: str,
    max_batch: int,
    attribute: str | None,
    segment: str | None,
    file: Path | None,
    imported: Path | None,
    overwrite: bool,
    new_account: bool,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Find out with test customers how this Bunce behaves, so that loads need not.

    Sends a bounded number of requests, within the request budget, and says beforehand how many. The
    test customers have ids and emails that begin with --prefix, and emails at example.com. They
    stay: Bunce's API cannot delete customers. Use a sandbox key, and --import the report into the
    account of the live workspace; a probe of a live workspace takes --live and a confirmation.
    Attributes and segments are asked about only if --attribute or --segment names one. The report
    holds no key and no value of a customer. It is kept in the store, and loads of the account start
    from it.

    Example: dlt-bunce probe --output bunce.json
    """
    with reported(stopped=_STOPPED):
        from dlt_bunce.operations.probe import probe
        from dlt_bunce.store.accounts import refuse_unknown_account

        if not _PREFIX.fullmatch(prefix):
            raise UsageError(
                "The prefix may have up to 40 letters, digits, and hyphens inside.",
                remedy="For example: --prefix acme-test",
            )
        if overwrite and file is None:
            raise UsageError("--overwrite requires --output FILE.")
        client = options.client(store_url=store_url, account=account, dry_run=False)
        values = attribute is not None or segment is not None
        if not new_account and client.database().exists():
            with client.database() as db:
                refuse_unknown_account(
                    db, client.config.account, remedy="Correct --account, or add --new-account."
                )
        if imported is not None:
            _import(client, imported, as_json=as_json)
            return
        with contextlib.ExitStack() as closing:
            # made before any customer is, and replaced after the answers are printed
            part = file and closing.enter_context(
                replaced(file, overwrite=overwrite, private=False)
            )
            _confirm(client.config, max_batch, live=live, prefix=prefix, values=values)
            with output.counting(not as_json, "requests") as count:
                report = probe(
                    client,
                    prefix=prefix,
                    max_batch=max_batch,
                    attribute=attribute,
                    segment=segment,
                    progress=count,
                )
            if as_json:
                output.as_json(report.as_json())
            else:
                _print(report)
            if part is not None:
                part.write_text(json.dumps(report.as_json(), indent=2) + "\n", "utf-8")
        if file is not None and not as_json:
            echo(f"The report is in {file}.")


def _import(client: BunceClient, file: Path, *, as_json: bool) -> None:
    """Keep the report in a file for the account."""
    from dlt_bunce.operations.probe import import_report
    from dlt_bunce.probe.report import read_report

    try:
        report = read_report(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"{file} cannot be read as text.") from None
    if report is None:
        raise UsageError(
            f"{file} is no report of a probe, or one of another version.",
            remedy="Write one with: dlt-bunce probe --output FILE",
        )
    import_report(client, report)
    if as_json:
        output.as_json(report)
    else:
        day, account = report["probed_at"][:10], client.config.account
        click.echo(f"Account {account}: loads start from the probe of {report['host']} on {day}.")


def _confirm(
    config: BunceConfiguration, max_batch: int, *, live: bool, prefix: str, values: bool
) -> None:
    """Say what will be sent; have it confirmed for a live workspace."""
    from dlt_bunce.probe.plan import max_customers, max_requests

    customers = output.counted(max_customers(max_batch), "test customer")
    requests = max_requests(max_batch, values=values)
    click.echo(
        f"Probing {config.base_url} ({config.mode}): at most {requests} requests, "
        f"and up to {customers}, {prefix}-…, who stay for good.",
        err=True,
    )
    if config.mode != "live" and not (config.mode == "unknown" and not _is_local(config)):
        return
    if not live:
        raise UsageError(
            "This may be a live workspace, and Bunce's API cannot delete customers.",
            remedy="Use a sandbox key (sk_test_…), or add --live.",
        )
    if not is_terminal(sys.stdin):
        raise UsageError(options.NO_TERMINAL, remedy="Run the command on a terminal.")
    wanted = str(max_customers(max_batch))
    typed = click.prompt(
        f"{customers} will stay in this live workspace for good. Type {wanted} to go on", err=True
    )
    if typed.strip().replace(",", "") != wanted:
        raise UsageError("Not confirmed; nothing was sent.")


def _print(report: ProbeReport) -> None:
    from dlt_bunce.probe.questions import QUESTIONS

    rows = [
        {
            "question": QUESTIONS[finding.question].title,
            "answer": finding.answer,
            "evidence": _shortened(finding.evidence),
            "what it means for loads": finding.meaning,
        }
        for finding in report.findings
    ]
    title = f"{report.host} ({report.mode}), {report.probed_at}"
    output.print_rows(rows, tuple(rows[0]), title)
    click.echo(
        f"{output.counted(report.requests, 'request')}, and up to "
        f"{output.counted(report.customers, 'test customer')} who stay in Bunce."
    )


def _is_local(config: BunceConfiguration) -> bool:
    return config.host.split(":")[0] in {"localhost", "127.0.0.1"}


def _shortened(text: str) -> str:
    """Return as much of the evidence as fits a table; the report has all of it."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
