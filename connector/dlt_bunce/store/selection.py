"""Which dead letters: filters that commands, the workbench, and replays share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal

from dlt_bunce.store.database import Database

_PAGE = 1_000
Grouping = Literal["code", "field", "run_id", "pipeline_name", "status"]
"""Columns by which letters can be counted."""


@dataclass(frozen=True)
class Selection:
    """Letters that match all that is given; several codes, fields, runs, or ids match each.

    `status` None means any. An id may be given by its beginning. `since` is inclusive, `until`
    exclusive, both of the time at which the letter was met last.
    """

    status: str | None = "open"
    codes: Sequence[str] = ()
    fields: Sequence[str] = ()
    run_ids: Sequence[str] = ()
    ids: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None

    def where(self, account: str) -> tuple[str, list[object]]:
        """An SQL condition with its parameters, from $1 on."""
        terms, parameters = ["account = $1"], [account]

        def mark(value: object) -> str:
            parameters.append(value)  # type: ignore[arg-type]
            return f"${len(parameters)}"

        if self.status is not None:
            terms.append(f"status = {mark(self.status)}")
        for column, values in (
            ("code", self.codes),
            ("field", self.fields),
            ("run_id", self.run_ids),
        ):
            if values:
                terms.append(f"{column} IN ({', '.join(mark(value) for value in values)})")
        if self.ids:
            # an empty beginning is that of no id, lest an unset variable choose them all
            tests = (f"SUBSTR(id, 1, {max(len(one), 1)}) = {mark(one)}" for one in self.ids)
            terms.append(f"({' OR '.join(tests)})")
        for comparison, moment in ((">=", self.since), ("<", self.until)):
            if moment is not None:
                terms.append(f"last_seen_at {comparison} {mark(_as_stored(moment))}")
        return " AND ".join(terms), list(parameters)


def pages(
    db: Database, account: str, selection: Selection, *, size: int = _PAGE
) -> Iterator[list[dict[str, Any]]]:
    """All letters of a selection, in the order of their ids, which no change of a letter moves."""
    where, parameters = selection.where(account)
    after = ""
    while True:
        rows = db.rows(
            f"SELECT * FROM bunce_dead_letters WHERE {where} "  # noqa: S608
            f"AND id > ${len(parameters) + 1} ORDER BY id LIMIT {int(size)}",
            (*parameters, after),
        )
        if not rows:
            return
        yield rows
        after = rows[-1]["id"]


def newest(
    db: Database,
    account: str,
    selection: Selection,
    *,
    before: tuple[str, str] | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """At most `limit` letters, those that were met last first.

    `before` is the (last_seen_at, id) of the last letter on the page before.
    """
    where, parameters = selection.where(account)
    if before is not None:
        n = len(parameters)
        where += f" AND (last_seen_at, id) < (${n + 1}, ${n + 2})"
        parameters += before
    return db.rows(
        f"SELECT * FROM bunce_dead_letters WHERE {where} "  # noqa: S608
        f"ORDER BY last_seen_at DESC, id DESC LIMIT {int(limit)}",
        parameters,
    )


def counted(db: Database, account: str, selection: Selection, by: Grouping) -> dict[str, int]:
    """How many letters of a selection there are for each value of a column, most first.

    Letters without a value count under "".
    """
    where, parameters = selection.where(account)
    rows = db.rows(
        f"SELECT COALESCE({by}, '') AS what, COUNT(*) AS n FROM bunce_dead_letters "  # noqa: S608
        f"WHERE {where} GROUP BY {by} ORDER BY n DESC, what",
        parameters,
    )
    return {row["what"]: row["n"] for row in rows}


def open_by_code(db: Database, account: str, *, before: datetime | None = None) -> dict[str, int]:
    """How many letters are open, by reject code; with `before`, those first met before then."""
    limit = before and _as_stored(before)
    rows = db.rows(
        "SELECT code, COUNT(*) AS n FROM bunce_dead_letters WHERE account = $1 AND status = 'open' "
        "AND (CAST($2 AS TEXT) IS NULL OR first_seen_at < $2) GROUP BY code ORDER BY code",
        (account, limit),
    )
    return {row["code"]: row["n"] for row in rows}


def _as_stored(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat(timespec="microseconds")
