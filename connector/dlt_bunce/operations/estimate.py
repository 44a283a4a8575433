"""Estimate from a preview what a load will take and what is likely to go wrong with it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.api.throttle import BatchSize
from dlt_bunce.load.dry_run import NOT_COMPARED, Preview
from dlt_bunce.load.probed import believed
from dlt_bunce.model import RunSummary
from dlt_bunce.operations.value_estimate import Warned, value_warnings
from dlt_bunce.records.causes import NO_COUNTRY
from dlt_bunce.records.mapping.mapping import VERSION, FieldMapping
from dlt_bunce.records.mapping.source_columns import belonging, values_of
from dlt_bunce.records.text.text import shapes
from dlt_bunce.records.unreadable import is_unreadable_column
from dlt_bunce.reject_codes import REJECT_CODES
from dlt_bunce.run_warnings import WARNINGS
from dlt_bunce.store.probes import Probed

_MANY = 0.9
"""From this share of the rows on, a mistake lies in the settings and not in the rows."""
_FEWER = 0.7
"""Fewer rows than this share of the last run's deserve a warning."""
_SHAPES = 3


@dataclass(frozen=True)
class ThroughputEstimate:
    """How fast a load may go: the batch sizes known so far, and the current request budget.

    `value_batch_size` and `max_value_batch_size` are those of attribute values and segment members.
    `answer_s` is the mean response time of the last run in seconds, or None if there was none;
    `share` is the part of `requests_per_minute` that is available; `pause_s` is how many more
    seconds requests are paused.
    """

    batch_size: int
    value_batch_size: int
    max_batch_size: int
    max_value_batch_size: int
    concurrency: int
    requests_per_minute: int
    share: float = 1.0
    pause_s: float = 0.0
    answer_s: float | None = None


@dataclass(frozen=True)
class Cost:
    """Number of requests, and the least time that they take."""

    requests: int
    seconds: float


@dataclass(frozen=True)
class MappedColumn:
    """The source column of a field, how it was found, and what its first values look like.

    `fallbacks` are the columns for rows in which those before are blank.
    """

    field: str
    column: str | None
    fallbacks: tuple[str, ...]
    how: str
    nulls: int
    shapes: tuple[str, ...]


@dataclass(frozen=True)
class RejectedShapes:
    """Rows that would be rejected for one cause, and what the values at fault look like.

    `first` is the file and line of the first of them, if they come from files.
    """

    code: str
    cause: str
    rows: int
    shapes: tuple[str, ...]
    remedy: str
    first: str | None = None


def cost(preview: Preview, pace: ThroughputEstimate) -> Cost:
    """Return the requests of a load in which Bunce accepts everything, and the seconds they take.

    One request checks the key, and some may find or create attributes and segments; batches grow
    as they do in a load.
    """
    requests = 0
    for rows in (preview.to_create, preview.to_update):
        requests += _batches(rows, BatchSize(pace.batch_size, pace.max_batch_size), pace)
    # all operations learn of one size
    size = BatchSize(pace.value_batch_size, pace.max_value_batch_size)
    for table in preview.values.values():
        requests += sum(_batches(values, size, pace) for values in table.to_send.values())
    # one after another, before the first customer
    finding = sum(table.targets.requests for table in preview.values.values())
    by_budget = 0.0
    if pace.requests_per_minute:
        by_budget = 60 * (finding + requests) / (pace.requests_per_minute * pace.share)
    by_answers = (finding + requests / pace.concurrency) * (pace.answer_s or 0.0)
    waits = pace.pause_s if requests else 0.0
    return Cost(1 + finding + requests, waits + max(by_budget, by_answers))


def _batches(rows: int, size: BatchSize, pace: ThroughputEstimate) -> int:
    """Return how many requests it takes to send so many rows or values."""
    requests, left = 0, rows
    while left > 0:
        wave = min(pace.concurrency, math.ceil(left / size()))
        requests += wave
        left -= wave * size()
        size.answered(size(), pace.answer_s or 0.0)
    return requests


def mapped(preview: Preview, *, show_values: bool = False) -> list[MappedColumn]:
    """Return the mapping with examples: shapes (letters as a and A, digits as 9), or values."""
    mapping = preview.mapping
    if mapping is None:
        return []
    found = []
    for field, how in mapping.how.items():
        column = mapping.version if field == VERSION else mapping.columns.get(field)
        shapes = () if column is None else _examples(preview.sample, column, show_values)
        nulls = preview.nulls.get(column or "", 0)
        fallbacks = mapping.fallbacks.get(field, ())
        found.append(MappedColumn(field, column, fallbacks, how, nulls, shapes))
    return found


def rejected(preview: Preview, *, show_values: bool = False) -> list[RejectedShapes]:
    """Return what would be rejected, by code and cause, with examples as in `mapped`.

    Codes that only the ledger tells, such as email_taken, have no examples.
    """
    shown = [
        RejectedShapes(
            found.code,
            found.cause,
            found.rows,
            tuple(found.examples.values() if show_values else found.examples),
            found.remedy,
            found.first,
        )
        for found in preview.rejects
    ]
    known = {found.code for found in preview.rejects}
    return shown + [
        RejectedShapes(code, REJECT_CODES[code].meaning, rows, (), REJECT_CODES[code].remedy)
        for code, rows in preview.summary.reject_codes.items()
        if code not in known
    ]


def unmapped(preview: Preview) -> list[str]:
    """Return the source columns that feed nothing in Bunce."""
    if preview.mapping is None:
        return []
    own = [
        field.name
        for field in preview.sample.schema
        if not field.name.startswith("_dlt_") and not is_unreadable_column(field.name, field.type)
    ]
    version = [preview.mapping.version] if preview.mapping.version else []
    fed = [item.column for table in preview.values.values() for item in table.targets.items]
    used = belonging(own, [*preview.mapping.source_columns, *version, *fed])
    return [name for name in own if name not in used]


def warnings(
    preview: Preview,
    *,
    default_region: str | None,
    last: RunSummary | None = None,
    probed: Probed | None = None,
) -> list[Warned]:
    """Return what to look at before the load; `last` is the pipeline's last run, `probed` the last
    probe of the account.
    """
    summary, mapping = preview.summary, preview.mapping
    if mapping is None:
        text = "The source has no rows."
        return [Warned("no_rows", text, "Check the path, table, or query.")]
    found = [*_of_columns(preview, mapping)]
    if preview.fault is not None:
        fault = preview.fault
        text = f"The load will fail. {fault.message}"
        found.append(Warned("wrong_mapping", text, fault.remedy or ""))
    found += value_warnings(preview)
    if summary.disposition == "append" and preview.to_create:
        found += _of_append(preview.to_create, probed)
    phones = sum(found.rows for found in preview.rejects if found.cause == NO_COUNTRY)
    if default_region is None and phones and phones >= _MANY * summary.read:
        found.append(
            Warned(
                "national_phone_numbers",
                f"{phones:,} of {summary.read:,} phone numbers are not in international format.",
                "If they are national numbers, name their country, such as --default-region NG, or "
                'default_region = "NG" under [destination.bunce].',
            )
        )
    if last is not None and summary.rows_read < _FEWER * last.rows_read:
        found.append(
            Warned(
                "fewer_rows",
                f"The source has {summary.rows_read:,} rows, "
                f"{1 - summary.rows_read / last.rows_read:.0%} fewer than the "
                f"{last.rows_read:,} rows of the last run.",
                "Check that the source is complete; customers missing from it stay unchanged.",
            )
        )
    found += [
        Warned(
            "over_threshold",
            f"The load will fail after everything is recorded: {clause}.",
            f"Correct the source, or change {name}.",
        )
        for name, clause in summary.over_thresholds.items()
    ]
    for code, rows in summary.warnings.items():
        if code in {NOT_COMPARED, "id_may_change"}:  # told with the reason, or the column
            continue
        known = WARNINGS[code]
        notes = summary.notes.get(code, ())
        if code == "deleted_at_source" and notes:
            found += [Warned(code, note, "") for note in notes]
            continue
        remedy = " ".join([f"{known.remedy[0].upper()}{known.remedy[1:]}.", *notes])
        counted = f"{rows:,} row{'' if rows == 1 else 's'}"
        found.append(Warned(code, f"{counted}: {known.meaning}.", remedy))
    return found


def _of_append(to_create: int, probed: Probed | None) -> Iterator[Warned]:
    """Yield what to know of an append: whether it may overwrite customers that exist."""
    answer = believed(probed, "repeated_id")
    who = "customer is" if to_create == 1 else "customers are"
    new = f"{to_create:,} {who} not in the ledger."
    if probed is not None and answer == "overwritten":
        yield Warned(
            "append_overwrites",
            f"{new} Bunce overwrites an id that is created again (probed on "
            f"{probed.probed_at[:10]}), so append overwrites those that Bunce has.",
            "Run dlt-bunce adopt first: it finds them.",
        )
    elif answer not in {"refused", "ignored"}:
        yield Warned(
            "append_may_overwrite",
            f"{new} If Bunce has some of them and overwrites an id that is created again, append "
            "overwrites them.",
            "To be sure, run dlt-bunce adopt first.",
        )


def _of_columns(preview: Preview, mapping: FieldMapping) -> Iterator[Warned]:
    for field in mapping.columns:
        columns = mapping.columns_of(field)
        rows = preview.summary.read
        if rows and all(preview.nulls.get(column, 0) == rows for column in columns):
            named = " and ".join(repr(column) for column in columns)
            yield Warned(
                "empty_column",
                f"Column {named} for {field} is null in every row.",
                f"Map {field} to another column: --map {field}=COLUMN.",
            )
    for column, fields in mapping.shared.items():
        moves = "customer_id" in fields
        yield Warned(
            "shared_column",
            f"Column {column!r} feeds {' and '.join(fields)}."
            + (" If it changes for a person, Bunce gets another customer." if moves else ""),
            "If the source has an id that stays the same, map it: --map customer_id=COLUMN."
            if moves
            else "If that is not meant, map another column.",
        )


def _examples(sample: pa.Table, column: str, show_values: bool) -> tuple[str, ...]:
    values = values_of(sample, column).drop_null()
    if pa.types.is_nested(values.type):
        texts = pa.array([str(value) for value in values.to_pylist()], pa.string())
    else:
        texts = values.cast(pa.string())
    if not show_values:
        texts = shapes(texts)
    counts = pc.value_counts(texts).to_pylist()
    counts.sort(key=lambda entry: -entry["counts"])
    return tuple(str(entry["values"]) for entry in counts[:_SHAPES])
