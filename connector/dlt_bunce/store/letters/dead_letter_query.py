"""Pages and counts of dead letters, shared by the commands, the workbench, and replays."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa

from dlt_bunce.store.database import Database, as_utc
from dlt_bunce.store.letters.selection import ID_DIGITS, Selection

_PAGE = 1_000
_PORTION = 10_000
_IDS = 200_000
"""Ids held in memory at a time: 5 MB."""
_TEXTS = "id account customer_id code field message other_defects stage source_row payload"
_TEXTS += " fingerprint email_digest first_seen_at last_seen_at status resolved_at run_id batch_id"
_TEXTS += " pipeline_name table_name source read_run_id read_pipeline_name"
_NUMBERS = "http_status version attempts chunk run_number source_line"
SCHEMA = pa.schema(
    [(name, pa.string()) for name in _TEXTS.split()]
    + [(name, pa.int64()) for name in _NUMBERS.split()]
)
"""Every column of a dead letter, with its type: those of bunce_dead_letters."""
Key = tuple[str, str]
"""A dead letter's place in time order: its (last_seen_at, id)."""
Grouping = Literal["code", "field", "run_id", "pipeline_name", "status"]
"""Columns by which dead letters can be counted."""


def pages(
    db: Database, account: str, selection: Selection, *, size: int = _PAGE, columns: str = "*"
) -> Iterator[list[dict[str, Any]]]:
    """Yield pages of the selected dead letters by id, an order that no status change disturbs.

    A dead letter that no longer matches when its page is read is left out.
    """
    for table in _tables(db, account, selection, size, columns):
        yield table.to_pylist()


def tables(db: Database, account: str, selection: Selection) -> Iterator[pa.Table]:
    """Yield the selected dead letters by id as tables of SCHEMA, an empty one if there are none.

    Fifteen times as fast as `pages`, which makes a dict of each.
    """
    empty = True
    for table in _tables(db, account, selection, _PORTION, ", ".join(SCHEMA.names)):
        empty = False
        yield table.cast(SCHEMA)
    if empty:
        yield SCHEMA.empty_table()


def _tables(
    db: Database, account: str, selection: Selection, size: int, columns: str
) -> Iterator[pa.Table]:
    for portion in selection.portions():
        for ids in _ids(db, account, portion):
            for start in range(0, len(ids), size):
                chosen = replace(portion, ids=ids[start : start + size], customer_ids=None)
                where, parameters = chosen.where(account)
                table = db.query(
                    f"SELECT {columns} FROM bunce_dead_letters WHERE {where} ORDER BY id",  # noqa: S608
                    parameters,
                )
                if table.num_rows:
                    yield table


def _ids(db: Database, account: str, selection: Selection) -> Iterator[list[str]]:
    """Yield the ids of the selected dead letters in order.

    Whole rows in this order would take a sort of all that match for every page.
    """
    where, parameters = selection.where(account)
    after = ""
    while True:
        ids = db.query(
            f"SELECT id FROM bunce_dead_letters WHERE {where} "  # noqa: S608
            f"AND id > ${len(parameters) + 1} ORDER BY id LIMIT {_IDS}",
            (*parameters, after),
        ).column("id")
        if not len(ids):
            return
        found: list[str] = ids.to_pylist()
        yield found
        if len(found) < _IDS:
            return
        after = found[-1]


def list_recent(
    db: Database,
    account: str,
    selection: Selection,
    *,
    before: Key | None = None,
    after: Key | None = None,
    limit: int = 50,
    columns: str = "*",
) -> list[dict[str, Any]]:
    """Return at most `limit` dead letters, most recently seen first.

    To page forward, pass the key of a page's last dead letter as `before`; to page back, pass the
    key of its first as `after`. `columns` must include the columns of the key.
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
        direction = "ASC" if backward else "DESC"
        found += db.rows(
            f"SELECT {columns} FROM bunce_dead_letters WHERE {where} "  # noqa: S608
            f"ORDER BY last_seen_at {direction}, id {direction} LIMIT {int(limit)}",
            parameters,
        )
    found.sort(key=lambda letter: (letter["last_seen_at"], letter["id"]), reverse=not backward)
    return found[:limit][::-1] if backward else found[:limit]


def found_by(db: Database, account: str, text: str, *, limit: int) -> list[dict[str, Any]]:
    """Return the dead letters, of any status, of the customer with the id `text`, or else those
    with an id that begins with it, most recently seen first.

    A customer without a dead letter never gets those of others: text that is the id of a customer
    in the ledger, or that may well be one, is no prefix. See `begins_an_id`.
    """
    of_customer = Selection(status=None, customer_ids=[text])
    found = list_recent(db, account, of_customer, limit=limit)
    if found or not begins_an_id(text):
        return found
    known = "SELECT 1 AS n FROM bunce_customers WHERE account = $1 AND customer_id = $2"
    if db.rows(known, (account, text)):
        return []
    return list_recent(db, account, Selection(status=None, ids=[text.lower()]), limit=limit)


def begins_an_id(text: str) -> bool:
    """Return whether text can be the start of a dead letter's id, rather than a customer's id: four
    hexadecimal digits, or eight if all are decimal.
    """
    least = 8 if text.isdecimal() else 4
    return bool(re.fullmatch(f"[0-9a-f]{{{least},{ID_DIGITS}}}", text.lower()))


def count(db: Database, account: str, selection: Selection, *, most: int | None = None) -> int:
    """Count the selected dead letters; with `most`, stop counting there."""
    total = 0
    for part in selection.parts():
        where, parameters = part.where(account)
        limit = "" if most is None else f"LIMIT {int(most) - total}"
        rows = db.rows(
            "SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM bunce_dead_letters "  # noqa: S608
            f"WHERE {where} {limit}) AS chosen",
            parameters,
        )
        total += rows[0]["n"]
        if most is not None and total >= most:
            break
    return total


def count_by_code(
    db: Database, account: str, selection: Selection, codes: Iterable[str], *, most: int
) -> dict[str, int]:
    """Count the selected dead letters for each of `codes`, largest first, without zeros.

    Each count stops at `most`, so a page loads quickly no matter how many there are.
    """
    counts = {c: count(db, account, replace(selection, codes=[c]), most=most) for c in codes}
    return {c: n for c, n in sorted(counts.items(), key=lambda item: -item[1]) if n}


def count_by(db: Database, account: str, selection: Selection, by: Grouping) -> dict[str, int]:
    """Count the selected dead letters for each value of a column, largest first.

    Dead letters without a value count under "".
    """
    counts: Counter[str] = Counter()
    for portion in selection.portions():
        where, parameters = portion.where(account)
        rows = db.rows(
            f"SELECT COALESCE({by}, '') AS value, COUNT(*) AS n FROM bunce_dead_letters "  # noqa: S608
            f"WHERE {where} GROUP BY {by}",
            parameters,
        )
        counts.update({row["value"]: row["n"] for row in rows})
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def open_by_code(db: Database, account: str, *, before: datetime | None = None) -> dict[str, int]:
    """Count open dead letters by reject code; with `before`, only those first seen before it."""
    where, parameters = Selection().where(account)
    if before is not None:
        parameters.append(as_utc(before))
        where += f" AND first_seen_at < ${len(parameters)}"
    rows = db.rows(
        f"SELECT code, COUNT(*) AS n FROM bunce_dead_letters WHERE {where} "  # noqa: S608
        "GROUP BY code ORDER BY code",
        parameters,
    )
    return {row["code"]: row["n"] for row in rows}
