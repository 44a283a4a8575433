"""Members of segments who are absent from a whole read of the table that feeds these segments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from dlt_bunce.store.database import Database

# who is in the files: with a value (`says` is 1 for true, 0 for another one), or a blank (null)
SEEN = pa.schema([("slot", pa.int64()), ("customer_id", pa.string()), ("says", pa.int64())])
ABSENT = pa.schema([("customer_id", pa.string()), ("sent_id", pa.string())])
_LISTED = pa.schema([("slot", pa.int64()), *ABSENT])
_PAGE = 10_000

_IS_MEMBER = """c.account = $1 AND c.delivered_at IS NOT NULL
  AND SUBSTR(c.packed_values, {start}, {width}) IN ({members})"""

# Whoever is there with a blank is not a member either, unless their row was rejected: then it is
# not known what the row would have said.
_LIST_ABSENT = """
INSERT INTO bunce_absent (slot, customer_id, sent_id)
SELECT DISTINCT {slot}, c.customer_id, COALESCE(l.bunce_id, c.customer_id)
FROM bunce_customers AS c
LEFT JOIN bunce_seen AS s
  ON s.slot = {slot} AND s.says IS NOT NULL AND s.customer_id = c.customer_id
LEFT JOIN bunce_seen AS b
  ON b.slot = {slot} AND b.says IS NULL AND b.customer_id = c.customer_id
LEFT JOIN bunce_links AS l
  ON l.account = $1 AND l.customer_id = c.customer_id AND l.status = 'linked'
WHERE {is_member}
  AND s.customer_id IS NULL
  AND (b.customer_id IS NULL OR (c.rejected_fingerprint IS NULL AND NOT EXISTS (
    SELECT 1 FROM bunce_dead_letters AS d
    WHERE d.account = $1 AND d.customer_id = c.customer_id AND d.status = 'open')))
"""


def begin(db: Database) -> None:
    """Forget who was seen in another table."""
    db.ingest("bunce_seen", SEEN.empty_table())
    db.ingest("bunce_absent", _LISTED.empty_table())


def add_seen(db: Database, seen: pa.Table) -> None:
    """Note who is in the files (SEEN), a chunk at a time."""
    db.append("bunce_seen", seen)


def list_absent(db: Database, account: str, slot: int, members: Sequence[bytes]) -> int:
    """Find the members of the segment in a slot who are absent, and return how many there are.

    `members` is what the ledger may hold in the slot of a member.
    """
    db.analyze("bunce_seen")
    is_member = _is_member(slot, members)
    db.execute(_LIST_ABSENT.format(slot=int(slot), is_member=is_member), (account, *members))
    absent = db.rows("SELECT COUNT(*) AS n FROM bunce_absent WHERE slot = $1", (slot,))
    return int(absent[0]["n"])


def count_before(db: Database, account: str, slot: int, members: Sequence[bytes]) -> int:
    """Return how many members the segment in a slot had before what is being loaded into it; how
    many it has now if that was not kept. `members` is as in `list_absent`.
    """
    chosen = "SELECT members_before AS n FROM bunce_targets WHERE account = $1 AND slot = $2"
    for row in db.rows(chosen, (account, slot)):
        if row["n"] is not None:
            return int(row["n"])
    sql = f"SELECT COUNT(*) AS n FROM bunce_customers AS c WHERE {_is_member(slot, members)}"  # noqa: S608, constants
    return int(db.rows(sql, (account, *members))[0]["n"])


def keep_before(db: Database, account: str, slot: int, members: Sequence[bytes]) -> None:
    """Keep how many members the segment in a slot has, unless an earlier load into it has kept that
    and it is not settled yet who is absent. `members` is as in `list_absent`.
    """
    with db.transaction():
        _set_before(db, account, slot, count_before(db, account, slot, members))


def forget_before(db: Database, account: str, slots: Iterable[int]) -> None:
    """Note that it is settled who is absent from the segments in these slots."""
    with db.transaction():
        for slot in slots:
            _set_before(db, account, slot, None)


def _set_before(db: Database, account: str, slot: int, members: int | None) -> None:
    db.execute(
        "UPDATE bunce_targets SET members_before = $3 WHERE account = $1 AND slot = $2",
        (account, slot, members),
    )


def _is_member(slot: int, members: Sequence[bytes]) -> str:
    """Return a condition on a customer `c`; its parameters are the account and `members`."""
    width = len(members[0])
    marks = ", ".join(f"${number}" for number in range(2, len(members) + 2))
    return _IS_MEMBER.format(start=int(slot) * width + 1, width=width, members=marks)


def pages(db: Database, slot: int) -> Iterator[pa.Table]:
    """Yield the absent members (ABSENT) of the segment in a slot, in the order of their ids."""
    after = ""
    while True:
        page = db.query(
            "SELECT customer_id, sent_id FROM bunce_absent "  # noqa: S608, a constant
            "WHERE slot = $1 AND customer_id > $2 "
            f"ORDER BY customer_id LIMIT {_PAGE}",
            (slot, after),
            schema=ABSENT,
        )
        if not page.num_rows:
            return
        yield page
        after = page.column("customer_id")[-1].as_py()
