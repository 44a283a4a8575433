"""For Dagster: the counts of a load as metadata of its assets, and failures worth a retry.

An asset of dagster-dlt is materialized even if rows were rejected, because those are in the
dead-letter table. `with_counts` adds what the load did to the metadata:

    @dlt_assets(dlt_source=source, dlt_pipeline=pipeline)
    def customers(context: AssetExecutionContext, dlt: DagsterDltResource):
        yield from with_counts(dlt.run(context=context), pipeline)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import dagster as dg

from dlt_bunce.commands import completed
from dlt_bunce.errors import bunce_error, is_worth_a_retry
from dlt_bunce.model import RunSummary

if TYPE_CHECKING:
    from dlt import Pipeline

_T = TypeVar("_T")


def with_counts(events: Iterable[_T], pipeline: Pipeline) -> Iterator[_T]:
    """Yield the events of a load, with its counts in the metadata of every materialization.

    `pipeline` is the one that was run. Raises ConservationError.
    """
    from dlt_bunce.destination.runs.run_summary import run_summary

    for event in events:
        if isinstance(event, (dg.MaterializeResult, dg.AssetMaterialization)):
            found: Any = event
            counts = metadata_of(run_summary(pipeline))
            metadata = {**(found.metadata or {}), **counts}
            yield found._replace(metadata=metadata)
        else:
            yield event


def metadata_of(summary: RunSummary) -> dict[str, Any]:
    """Return the counts of a run as metadata: rows by fate, reject codes, and how to list them;
    attribute values and segment members, if there are any.
    """
    codes = [dg.TableRecord({"code": c, "rows": n}) for c, n in summary.reject_codes.items()]
    columns = [dg.TableColumn("code", "string"), dg.TableColumn("rows", "int")]
    options = " ".join(f"--code {code}" for code in summary.reject_codes)
    of_account = None if summary.account == "default" else summary.account
    command = completed(f"dlt-bunce dead-letters list {options}", of_account)
    letters = f"`{command}`" if options else "none"
    return {
        "read": summary.read,
        **{str(fate): count for fate, count in summary.fates.items()},
        "requests": summary.requests,
        "seconds": round(summary.seconds, 1),
        "reject_codes": dg.MetadataValue.table(codes, dg.TableSchema(columns)),
        "dead_letters": dg.MetadataValue.md(letters),
        "over_thresholds": dg.MetadataValue.json(dict(summary.over_thresholds)),
        "run_id": summary.run_id or "nothing to load",
        **_values(summary),
    }


def _values(summary: RunSummary) -> dict[str, Any]:
    """Return the counts of attribute values and segment members, if there are any."""
    found: dict[str, Any] = {
        kind: dg.MetadataValue.json(dict(counts)) for kind, counts in summary.value_counts.items()
    }
    if summary.rejected_values:
        rows = [
            dg.TableRecord({"name": name, "code": code, "values": count})
            for name, codes in summary.rejected_values.items()
            for code, count in codes.items()
        ]
        names = {"name": "string", "code": "string", "values": "int"}
        schema = dg.TableSchema([dg.TableColumn(name, kind) for name, kind in names.items()])
        found["rejected_values"] = dg.MetadataValue.table(rows, schema)
    return found


@contextmanager
def no_useless_retries() -> Iterator[None]:
    """Fail a step with the error's one line; without retries for wrong settings, a refused key, or
    an exceeded threshold.

    Raises dagster.Failure for every BunceError, also inside an exception of dlt.
    """
    try:
        yield
    except Exception as error:
        found = bunce_error(error)
        if found is None:
            raise
        raise dg.Failure(str(found), allow_retries=is_worth_a_retry(found)) from error
