"""The command `dlt-bunce check`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.failures import reported

if TYPE_CHECKING:
    from dlt_bunce.cli.source_args import Origin
    from dlt_bunce.destination.configuration import BunceConfiguration
    from dlt_bunce.model import RunSummary
    from dlt_bunce.operations.estimate import ThroughputEstimate

_WILL = {"created": "create", "updated": "update", "skipped": "skip", "deferred": "leave for later"}


@click.command("check")
@options.source_options
@click.option(
    "--show-values", is_flag=True, help="Show values from the source instead of their shapes."
)
@options.store_options
def command(
    origin: Origin,
    show_values: bool,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Show what a load of SOURCE would do, without sending or writing anything.

    The whole source is read, mapped, validated, and compared with the ledger, so the counts are
    those of the load that follows, unless Bunce has customers that the ledger does not know.

    Example: dlt-bunce check env:CRM_URL --table crm.people --map phone_no=msisdn
    """
    with reported():
        from dlt_bunce.operations import estimate as forecast

        config, preview = _preview(origin, store_url, account)
        last, pace = _known(config, origin.pipeline_name(config.store_url, config.account))
        found = {
            "mapping": [
                dataclasses.asdict(column)
                for column in forecast.mapped(preview, show_values=show_values)
            ],
            "export": None if preview.mapping is None else preview.mapping.export,
            "unmapped": forecast.unmapped(preview),
            "rejected": [
                dataclasses.asdict(found)
                for found in forecast.rejected(preview, show_values=show_values)
            ],
            "summary": preview.summary.as_dict(),
            "cost": dataclasses.asdict(forecast.cost(preview, pace)),
            "base_url": config.base_url,
            "mode": config.mode,
            "warnings": [
                dataclasses.asdict(warning)
                for warning in forecast.warnings(
                    preview, default_region=config.default_region, last=last
                )
            ],
        }
        if as_json:
            output.as_json(found)
        else:
            _print(found, preview.summary, config, pace, show_values=show_values)


def _preview(
    origin: Origin, store_url: str | None, account: str | None
) -> tuple[BunceConfiguration, Any]:
    import tempfile

    import dlt

    from dlt_bunce.cli.live_progress import hooked, watched
    from dlt_bunce.destination.access import client_of
    from dlt_bunce.destination.adapter import bunce_adapter
    from dlt_bunce.errors import ThresholdError
    from dlt_bunce.load.dry_run import Preview
    from dlt_bunce.operations.flush import flush_and_run

    destination = options.destination(
        store_url=store_url, account=account, dry_run=True, **origin.settings
    )
    with tempfile.TemporaryDirectory(prefix="dlt-bunce-") as folder:
        pipeline = dlt.pipeline("bunce_check", pipelines_dir=folder, destination=destination)
        config = client_of(pipeline).config
        try:
            with hooked(destination), watched(destination):
                summary = flush_and_run(
                    pipeline,
                    bunce_adapter(origin.resource(), **origin.hints),
                    write_disposition=origin.disposition,
                )
        except ThresholdError as error:  # shown among the warnings
            summary = error.summary
        preview = destination.run_context.previews.get(summary.run_id or "") or Preview(summary)
        return config, dataclasses.replace(preview, summary=summary)


def _known(
    config: BunceConfiguration, pipeline_name: str
) -> tuple[RunSummary | None, ThroughputEstimate]:
    """Return the pipeline's last complete run and the pace to expect of the next one."""
    from dlt_bunce.operations.estimate import ThroughputEstimate
    from dlt_bunce.store import rate_limits, runs
    from dlt_bunce.store.accounts import known_account
    from dlt_bunce.store.database import Database

    pace = ThroughputEstimate(
        config.batch_size,
        config.max_batch_size,
        config.concurrency,
        config.requests_per_minute,
    )
    database = Database(config.store_url, read_only=True)
    if not database.exists():
        return None, pace
    with database as db:
        account = known_account(db, config.account, config.credentials.api_key, host=config.host)
        share, pause_s = rate_limits.share_of(db, config.budget_scope)
        found = runs.summaries(db, config.account, pipeline_name=pipeline_name)
        answer_s = runs.mean_answer_s(db, config.account)
    last = next((run for run in found if run.read and run.state == "completed"), None)
    pace = dataclasses.replace(pace, share=share, pause_s=pause_s, answer_s=answer_s)
    if account is not None:
        pace = dataclasses.replace(
            pace,
            batch_size=account.batch_size or config.batch_size,
            concurrency=account.concurrency or config.concurrency,
        )
    return last, pace


def _print(
    found: dict[str, Any],
    summary: RunSummary,
    config: BunceConfiguration,
    pace: ThroughputEstimate,
    *,
    show_values: bool,
) -> None:
    columns = ("field", "column", "how", "nulls", "values" if show_values else "shapes")
    rows = [
        column
        | {"column": ", else ".join([column["column"], *column["fallbacks"]])}
        | {"nulls": f"{column['nulls']:,}" if column["nulls"] else None}
        | {columns[-1]: "   ".join(column["shapes"])}
        if column["column"]
        else column | {"nulls": None, columns[-1]: ""}
        for column in found["mapping"]
    ]
    output.print_rows(rows, columns, "Mapping")
    if found["export"]:
        output.console().print(f"Recognized by its columns: {found['export']}")
    if found["unmapped"]:
        output.console().print(f"Unmapped columns: {', '.join(found['unmapped'])}")
    fates = [
        {"rows": f"{count:,}", "fate": _WILL.get(fate, fate)}
        for fate, count in summary.fates.items()
        if count
    ]
    output.print_rows(fates, ("fate", "rows"), output.counted(summary.read, "row"))
    if found["rejected"]:
        rejects = [
            reject | {"rows": f"{reject['rows']:,}", columns[-1]: "   ".join(reject["shapes"])}
            for reject in found["rejected"]
        ]
        title = "Would be rejected, or were before" if summary.held else "Would be rejected"
        output.print_rows(rejects, ("code", "rows", "cause", columns[-1], "remedy"), title)
    cost = found["cost"]
    console = output.console()
    console.print(f"Bunce: {config.base_url} ({config.mode})")
    if cost["requests"] > 1:
        console.print(
            f"{cost['requests']:,} requests, at least {output.duration(cost['seconds'])}{_at(pace)}"
        )
    else:
        console.print("No customers need to be sent; one request checks the API key")
    for warning in found["warnings"]:
        console.print(f"Warning: {warning['text']} {warning['remedy']}")


def _at(pace: ThroughputEstimate) -> str:
    if not pace.requests_per_minute:
        return ", without pacing"
    now = f" ({pace.share:.0%} of that available now)" if pace.share < 1 else ""
    return f" at {pace.requests_per_minute} requests per minute{now}"
