"""Which dead letters: filters that commands, the workbench, and replays share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from itertools import product
from typing import Any, Literal

from dlt_bunce.store.database import Database

_PAGE = 1_000
_ID_DIGITS = 24
STATUSES = ("open", "resolved", "superseded", "discarded")
Key = tuple[str, str]
"""Where a letter stands in the order of time: its (last_seen_at, id)."""
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
            # what is no beginning of an id chooses none, lest an unset variable choose them all
            given = [one for one in self.ids if re.fullmatch("[0-9a-f]+", one)]
            whole = [mark(one) for one in given if len(one) == _ID_DIGITS]
            tests = [f"id IN ({', '.join(whole)})"] if whole else []
            tests += [
                f"(id >= {mark(one)} AND id < {mark(one + 'g')})"
                for one in given
                if len(one) != _ID_DIGITS
            ]
            terms.append(f"({' OR '.join(tests) or '1 = 0'})")
            # no index of the account's letters: that of ids leads to these few at once
            terms[0] = "account || '' = $1"
        for comparison, moment in ((">=", self.since), ("<", self.until)):
            if moment is not None:
                terms.append(f"last_seen_at {comparison} {mark(_as_stored(moment))}")
        return " AND ".join(terms), list(parameters)

    def parts(self) -> list[Selection]:
        """Selections of one status, code, field, and run each that make up this one: an index
        gives the letters of each in the order of time.
        """
        return [
            replace(self, status=status, codes=codes, fields=fields, run_ids=run_ids)
            for status, codes, fields, run_ids in product(
                STATUSES if self.status is None else (self.status,),
                _singly(self.codes),
                _singly(self.fields),
                _singly(self.run_ids),
            )
        ]


def _singly(values: Sequence[str]) -> list[tuple[str, ...]]:
    return [(value,) for value in dict.fromkeys(values)] or [()]


def pages(
    db: Database, account: str, selection: Selection, *, size: int = _PAGE, columns: str = "*"
) -> Iterator[list[dict[str, Any]]]:
    """All letters of a selection, in the order of their ids, which no change of a letter moves."""
    where, parameters = selection.where(account)
    after = ""
    while True:
        rows = db.rows(
            f"SELECT {columns} FROM bunce_dead_letters WHERE {where} "  # noqa: S608
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
    before: Key | None = None,
    after: Key | None = None,
    limit: int = 50,
    columns: str = "*",
) -> list[dict[str, Any]]:
    """At most `limit` letters, those that were met last first.

    `before` is the key of the last letter on the page before; with `after`, the key of the first
    letter on a page, these are the letters that come right before it. `columns` must have the key.
    """
    backward = after is not None
    found: list[dict[str, Any]] = []
    for part in selection.parts():
        where, parameters = part.where(account)
        for comparison, key in (("<", before), (">", after)):
            if key is not None:
                n = len(parameters)
                where += f" AND (last_seen_at, id) {comparison} (${n + 1}, ${n + 2})"
                parameters += key
        way = "ASC" if backward else "DESC"
        found += db.rows(
            f"SELECT {columns} FROM bunce_dead_letters WHERE {where} "  # noqa: S608
            f"ORDER BY last_seen_at {way}, id {way} LIMIT {int(limit)}",
            parameters,
        )
    found.sort(key=lambda letter: (letter["last_seen_at"], letter["id"]), reverse=not backward)
    return found[:limit][::-1] if backward else found[:limit]


def number(db: Database, account: str, selection: Selection, *, most: int | None = None) -> int:
    """How many letters a selection has; with `most`, counting stops there."""
    count = 0
    for part in selection.parts():
        where, parameters = part.where(account)
        limit = "" if most is None else f"LIMIT {int(most) - count}"
        rows = db.rows(
            "SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM bunce_dead_letters "  # noqa: S608
            f"WHERE {where} {limit}) AS chosen",
            parameters,
        )
        count += rows[0]["n"]
        if most is not None and count >= most:
            break
    return count


def numbers(
    db: Database, account: str, selection: Selection, codes: Iterable[str], *, most: int
) -> dict[str, int]:
    """How many letters of a selection there are for each of `codes`, without zeros, most first.

    The counting of each stops at `most`: a page is quick however many there are.
    """
    counts = {c: number(db, account, replace(selection, codes=[c]), most=most) for c in codes}
    return {c: n for c, n in sorted(counts.items(), key=lambda one: -one[1]) if n}


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
    where, parameters = Selection().where(account)
    if before is not None:
        parameters.append(_as_stored(before))
        where += f" AND first_seen_at < ${len(parameters)}"
    rows = db.rows(
        f"SELECT code, COUNT(*) AS n FROM bunce_dead_letters WHERE {where} "  # noqa: S608
        "GROUP BY code ORDER BY code",
        parameters,
    )
    return {row["code"]: row["n"] for row in rows}


def _as_stored(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat(timespec="microseconds")
