"""Attribute values and segment members that are rejected now: list, count, and choose them.

An entry goes once its value is accepted, or blank.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pyarrow as pa

from dlt_bunce.errors import UsageError
from dlt_bunce.reject_codes import VALUE_CODES
from dlt_bunce.store.choices import check_choice
from dlt_bunce.store.database import Database, utc_now
from dlt_bunce.store.paging import PAGE, pages_by

SCHEMA = pa.schema(
    [
        (name, pa.string())
        for name in (
            "kind",
            "name",
            "column_name",
            "code",
            "customer_id",
            "message",
            "first_seen_at",
            "last_seen_at",
            "retry_at",
            "discarded_at",
            "run_id",
            "pipeline_name",
        )
    ]
    + [("http_status", pa.int64()), ("slot", pa.int64())]
)
"""The columns of a rejected value; `kind` is `attributes` or `segments`, `name` is Bunce's now."""
CHOSEN = pa.schema([("customer_id", pa.string()), ("slot", pa.int64())])
_FROM = """FROM bunce_rejected_values AS r
JOIN bunce_targets AS t ON t.account = r.account AND t.slot = r.slot"""
_COLUMNS = ", ".join(
    f"{'t' if name in {'kind', 'name'} else 'r'}.{name} AS {name}" for name in SCHEMA.names
)
_KEY = ("r.slot", "r.code", "r.customer_id")
_RETRIED = """
UPDATE bunce_rejected_values SET retry_at = $2 WHERE account = $1
  AND (customer_id, slot) IN (SELECT customer_id, slot FROM bunce_retried)
"""
_DISCARDED = """
UPDATE bunce_rejected_values SET discarded_at = $2 WHERE account = $1
  AND (customer_id, slot) IN (SELECT customer_id, slot FROM bunce_discarded)
"""


@dataclass(frozen=True)
class ValueSelection:
    """A filter on rejected values.

    A value must match every filter that is set, by any of its items. None sets no filter, and an
    empty list matches nothing. `attributes` and `segments` are names in Bunce; a value of either
    kind matches if both are set. Discarded values match only if `discarded` is set, and then no
    others do. Raises UsageError for a filter that is a plain string.
    """

    attributes: Sequence[str] | None = None
    segments: Sequence[str] | None = None
    codes: Sequence[str] | None = None
    customer_ids: Sequence[str] | None = None
    pipelines: Sequence[str] | None = None
    discarded: bool = False

    def __post_init__(self) -> None:
        """Check the filters that are lists."""
        for each in fields(self)[:-1]:
            object.__setattr__(self, each.name, check_choice(each.name, getattr(self, each.name)))

    def where(self, db: Database, account: str) -> tuple[str, list[object]]:
        """Return an SQL condition and its parameters, numbered from $1."""
        is_discarded = f"r.discarded_at IS {'NOT ' if self.discarded else ''}NULL"
        terms, parameters = ["r.account = $1", is_discarded], [account]

        def marks(values: Sequence[str]) -> str:
            parameters.extend(values)
            first = len(parameters) - len(values) + 1
            return ", ".join(f"${number}" for number in range(first, len(parameters) + 1))

        kinds = (("attributes", self.attributes), ("segments", self.segments))
        names = [
            f"(t.kind = '{kind}' AND t.name IN ({marks(found)}))" for kind, found in kinds if found
        ]
        if any(found is not None for _, found in kinds):
            terms.append(f"({' OR '.join(names) or '1 = 0'})")
        for column, values in (("code", self.codes), ("pipeline_name", self.pipelines)):
            if values is not None:
                terms.append(f"r.{column} IN ({marks(values)})" if values else "1 = 0")
        if self.customer_ids is not None:
            ids = pa.array(list(dict.fromkeys(self.customer_ids)), pa.string())
            db.ingest("bunce_asked_values", pa.table({"customer_id": ids}))
            terms.append("r.customer_id IN (SELECT customer_id FROM bunce_asked_values)")
        return " AND ".join(terms), list(parameters)


EVERY = ValueSelection()


def pages(
    db: Database, account: str, selection: ValueSelection = EVERY, *, size: int = PAGE
) -> Iterator[pa.Table]:
    """Yield the selected values (SCHEMA) by attribute, code, and customer, page by page."""
    where, parameters = selection.where(db, account)
    select = f"SELECT {_COLUMNS} {_FROM} WHERE {where}"
    yield from pages_by(_KEY, db, select, parameters, schema=SCHEMA, size=size)


def some(
    db: Database, account: str, selection: ValueSelection = EVERY, *, limit: int, offset: int = 0
) -> list[dict[str, Any]]:
    """Return at most `limit` of the selected values, in the order of `pages`."""
    where, parameters = selection.where(db, account)
    found: list[dict[str, Any]] = db.query(
        f"SELECT {_COLUMNS} {_FROM} WHERE {where} "
        f"ORDER BY {', '.join(_KEY)} LIMIT {int(limit)} OFFSET {int(offset)}",
        parameters,
        schema=SCHEMA,
    ).to_pylist()
    return found


def count(db: Database, account: str, selection: ValueSelection = EVERY) -> int:
    """Count the selected values."""
    return sum(int(group["count"]) for group in groups(db, account, selection))


def groups(db: Database, account: str, selection: ValueSelection = EVERY) -> list[dict[str, Any]]:
    """Count the selected values by kind, name, column_name, and code, largest `count` first."""
    where, parameters = selection.where(db, account)
    return db.rows(
        f"SELECT t.kind AS kind, t.name AS name, r.column_name AS column_name, r.code AS code, "
        f"COUNT(*) AS count {_FROM} WHERE {where} GROUP BY t.kind, t.name, r.column_name, r.code "
        "ORDER BY COUNT(*) DESC, t.name, r.code, r.column_name",
        parameters,
    )


def by_name(db: Database, account: str) -> dict[str, dict[str, int]]:
    """Count what is rejected now by the name of the attribute or segment, then by code."""
    found: dict[str, dict[str, int]] = {}
    for group in groups(db, account):
        codes = found.setdefault(group["name"], {})
        codes[group["code"]] = codes.get(group["code"], 0) + int(group["count"])
    return found


def by_code(db: Database, account: str) -> dict[str, int]:
    """Count what is rejected now by code."""
    found: Counter[str] = Counter()
    for group in groups(db, account):
        found[group["code"]] += int(group["count"])
    return dict(found)


def of_run(db: Database, account: str, run_id: str) -> dict[str, dict[str, int]]:
    """Count what a run has rejected, as `by_name` does."""
    rows = db.rows(
        "SELECT name, code, COUNT(*) AS n FROM bunce_rejected_values "
        "WHERE account = $1 AND run_id = $2 AND discarded_at IS NULL "
        "GROUP BY name, code ORDER BY name, code",
        (account, run_id),
    )
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row["name"], {})[row["code"]] = int(row["n"])
    return found


def has_targets(db: Database, account: str) -> bool:
    """Return whether columns have ever fed an attribute or a segment of the account."""
    sql = "SELECT 1 AS n FROM bunce_targets WHERE account = $1 LIMIT 1"
    return bool(db.rows(sql, (account,)))


def refuse_unknown(db: Database, account: str, selection: ValueSelection) -> None:
    """Raise UsageError for a name, code, or pipeline that does not exist: a typo must not look
    like an empty result.
    """
    rows = db.rows("SELECT kind, name FROM bunce_targets WHERE account = $1", (account,))
    known = {(row["kind"], row["name"]) for row in rows}
    for kind, names in (("attributes", selection.attributes), ("segments", selection.segments)):
        for name in names or ():
            if (kind, name) not in known:
                there = ", ".join(sorted(other for k, other in known if k == kind)) or "none"
                raise UsageError(
                    f"No load has fed {kind[:-1]} {name!r}. Fed are: {there}.",
                    remedy="Write the name as Bunce has it.",
                )
    for code in selection.codes or ():
        if code not in VALUE_CODES:
            raise UsageError(
                f"Values are never rejected as {code!r}.",
                remedy=f"Use one of: {', '.join(VALUE_CODES)}.",
            )
    refuse_unknown_pipelines(db, account, selection.pipelines or ())


def refuse_unknown_pipelines(db: Database, account: str, names: Iterable[str]) -> None:
    """Raise UsageError for a pipeline without a run."""
    for name in names:
        sql = "SELECT 1 AS n FROM bunce_runs WHERE account = $1 AND pipeline_name = $2 LIMIT 1"
        if not db.rows(sql, (account, name)):
            raise UsageError(
                f"No run of a pipeline {name!r} is recorded.",
                remedy="List the runs with: dlt-bunce status --runs 50",
            )


def mark_retried(db: Database, account: str, chosen: pa.Table) -> None:
    """Note that values (CHOSEN) are to be sent again, inside the caller's transaction."""
    db.ingest("bunce_retried", chosen)
    db.execute(_RETRIED, (account, utc_now()))


def mark_discarded(db: Database, account: str, chosen: pa.Table, *, discarded: bool = True) -> None:
    """Note that values (CHOSEN) are discarded, or no longer so, inside the caller's transaction."""
    db.ingest("bunce_discarded", chosen)
    db.execute(_DISCARDED, (account, utc_now() if discarded else None))
