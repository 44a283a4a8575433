"""The command `dlt-bunce check`."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.failures import reported
from dlt_bunce.cli.pasteable import pasteable
from dlt_bunce.model import VALUE_FATE_MEANINGS

if TYPE_CHECKING:
    from dlt_bunce.cli.source_args import Origin
    from dlt_bunce.destination.factory import bunce
    from dlt_bunce.operations.estimate import ThroughputEstimate
    from dlt_bunce.operations.preview import Check

_WILL = {"created": "create", "updated": "update", "skipped": "skip", "deferred": "leave for later"}
_WILL |= {"written": "write"}

_IN_BUNCE = {
    "exists": "exists",
    "to_create": "will be created",
    "no_values": "will be created once there is a value",
    "not_compared": "not asked",
    "missing": "does not exist",
    "ambiguous": "several of this name",
    "alike": "one of nearly this name",
    "automatic": "automatic",
    "misfit": "of another type",
}


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
        from dlt_bunce.destination.mapping.adapter import bunce_adapter
        from dlt_bunce.operations import preview

        destination = options.destination(
            ask=False, store_url=store_url, account=account, **origin.settings
        )
        config = destination.configuration(destination.spec(), accept_partial=True)
        found = preview.check(
            bunce_adapter(
                origin.resource(),
                **origin.hints,
                attributes=origin.attributes,
                segments=origin.segments,
                segments_whole=origin.is_whole,
                values_only=origin.values_only,
            ),
            destination,
            write_disposition=origin.disposition,
            pipeline_name=origin.pipeline_name(config.store_url, config.account),
            show_values=show_values,
            around=partial(_shown, origin),
        )
        if as_json:
            output.as_json(found.as_dict())
        else:
            _print(found, show_values=show_values)


@contextlib.contextmanager
def _shown(origin: Origin, destination: bunce) -> Iterator[None]:
    from dlt_bunce.cli.live_progress import hooked, watched

    destination.run_context.command_source = origin.command_source
    with hooked(destination), watched(destination):
        yield


def _print(found: Check, *, show_values: bool) -> None:
    from dlt_bunce.operations.value_estimate import WRONG_TARGETS

    summary = found.summary
    columns = ("field", "column", "how", "nulls", "values" if show_values else "shapes")
    rows = [
        dataclasses.asdict(column)
        | {"column": ", else ".join([column.column or "", *column.fallbacks])}
        | {"nulls": column.nulls or None}
        | {columns[-1]: "   ".join(column.shapes)}
        for column in found.mapping
    ]
    output.print_rows(rows, columns, "Mapping")
    if found.export:
        output.console().print(f"Recognized by its columns: {found.export}")
    if found.unmapped:
        output.console().print(f"Unmapped columns: {', '.join(found.unmapped)}")
    fates = [
        {"rows": f"{count:,}", "fate": _WILL.get(fate, fate)}
        for fate, count in summary.fates.items()
        if count
    ]
    if fates or not summary.value_rows:
        output.print_rows(fates, ("fate", "rows"), output.counted(summary.read, "row"))
    if summary.value_rows:
        of_values = [
            {"rows": f"{count:,}", "fate": _WILL.get(fate, fate)}
            for fate, count in summary.value_rows.items()
            if count and fate != "read"
        ]
        title = f"{output.counted(summary.value_rows['read'], 'row')} of values"
        output.print_rows(of_values, ("fate", "rows"), title)
    if found.rejected:
        rejects = [
            dataclasses.asdict(reject) | {columns[-1]: "   ".join(reject.shapes)}
            for reject in found.rejected
        ]
        title = "Would be rejected, or were before" if summary.held else "Would be rejected"
        shown = ("code", "rows", "cause", columns[-1], "first", "remedy")
        output.print_rows(rejects, shown, title)
    _print_values(found, columns[-1])
    console = output.console()
    console.print(f"Bunce: {found.base_url or 'unknown without an API key'} ({found.mode})")
    if found.cost.requests > 1:
        console.print(
            f"{found.cost.requests:,} requests, at least {output.duration(found.cost.seconds)}"
            f"{_at(found.pace)}"
        )
    else:
        console.print("No customers need to be sent; one request checks the API key")
    for warning in found.warnings:
        if warning.code == WRONG_TARGETS:  # told above
            continue
        output.print_sentence(f"Warning: {warning.text} {pasteable(warning.remedy)}")


def _print_values(found: Check, examples: str) -> None:
    """Print the attributes and segments, their values by fate, and those that are rejected."""
    from dlt_bunce.records.values.target_matching import listed_names

    if not found.targets:
        return
    several = len({target.table for target in found.targets}) > 1
    rows = [
        {
            "table": target.table if several else None,
            "column": target.column,
            "feeds": target.kind.removesuffix("s"),
            "name": target.name,
            "type": target.data_type,
            "in Bunce": _IN_BUNCE[target.state],
        }
        for target in found.targets
    ]
    output.print_rows(rows, tuple(rows[0]), "Attributes and segments")
    faults = [
        {"name": target.name, "reason": target.problem, "remedy": target.remedy}
        for target in found.targets
        if target.problem is not None
    ]
    if faults:
        output.print_rows(faults, tuple(faults[0]), "What stops the load")
        for kind, names in found.available.items():
            shown = listed_names(names) or "none"
            output.console().print(f"{kind.capitalize()} in Bunce: {shown}")
    values: list[dict[str, object]] = [
        dict[str, object](
            table=target.table if several else None, column=target.column, name=target.name
        )
        | {_WILL.get(fate, fate): target.values.get(fate) for fate in VALUE_FATE_MEANINGS}
        | {"remove as absent": target.absent or None}
        for target in found.targets
    ]
    output.print_rows(values, tuple(values[0]), "Their values")
    rejects = [
        {
            "table": reject.table if several else None,
            "column": reject.column,
            "code": reject.code,
            "count": reject.values,
            "cause": reject.cause,
            examples: "   ".join(reject.shapes),
            "remedy": reject.remedy,
        }
        for reject in found.rejected_values
    ]
    if rejects:
        output.print_rows(rejects, tuple(rejects[0]), "Values that would be rejected")


def _at(pace: ThroughputEstimate) -> str:
    if not pace.requests_per_minute:
        return ", without pacing"
    now = f" ({pace.share:.0%} of that available now)" if pace.share < 1 else ""
    return f" at {pace.requests_per_minute} requests per minute{now}"
