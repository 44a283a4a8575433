"""Attributes and segments of an account, each with its slot in the ledger's packed digests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dlt_bunce.store.database import Database


class Known(NamedTuple):
    """An attribute or segment as Bunce lists it."""

    kind: str
    id: str
    name: str
    data_type: str


def to_come(name: str) -> str:
    """Return what stands for the id of an attribute that is not created yet."""
    return f"new {name}"


def slots_of(db: Database, account: str, targets: Iterable[Known]) -> dict[tuple[str, str], int]:
    """Return the slot of each target by kind and id; new ones get the next free slots, and those
    that were to come have theirs already.
    """
    with db.transaction():
        slots = known_slots(db, account)
        free = max(slots.values(), default=-1) + 1
        for target in targets:
            key = target.kind, target.id
            before = target.kind, to_come(target.name)
            if key not in slots and before in slots:
                slots[key] = slots.pop(before)
                db.execute(
                    "UPDATE bunce_targets SET id = $1 WHERE account = $2 AND kind = $3 AND id = $4",
                    (target.id, account, *before),
                )
            if key not in slots:
                slots[key], free = free, free + 1
                _forget_namesakes(db, account, target)
            db.execute(
                "INSERT INTO bunce_targets (account, kind, id, slot, name, data_type) "
                "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account, kind, id) DO UPDATE SET "
                "name = excluded.name, data_type = excluded.data_type",
                (account, target.kind, target.id, slots[key], target.name, target.data_type),
            )
    return slots


def known_slots(db: Database, account: str) -> dict[tuple[str, str], int]:
    """Return the slots of all targets that loads have fed, by kind and id."""
    rows = db.rows("SELECT kind, id, slot FROM bunce_targets WHERE account = $1", (account,))
    return {(row["kind"], row["id"]): int(row["slot"]) for row in rows}


def note_in_digest(db: Database, account: str, slots: Iterable[int]) -> None:
    """Note that digests of customers' rows cover these slots, inside the caller's transaction."""
    for slot in set(slots) - in_digest(db, account):
        db.execute(
            "UPDATE bunce_targets SET in_values_digest = 1 WHERE account = $1 AND slot = $2",
            (account, slot),
        )


def in_digest(db: Database, account: str) -> set[int]:
    """Return the slots that the digests of customers' rows may cover."""
    sql = "SELECT slot FROM bunce_targets WHERE account = $1 AND in_values_digest = 1"
    return {int(row["slot"]) for row in db.rows(sql, (account,))}


def _forget_namesakes(db: Database, account: str, target: Known) -> None:
    """Forget what was rejected for a target that Bunce has deleted: this one took its place."""
    db.execute(
        "DELETE FROM bunce_rejected_values WHERE account = $1 AND slot IN (SELECT slot "
        "FROM bunce_targets WHERE account = $1 AND kind = $2 AND name = $3 AND id <> $4)",
        (account, target.kind, target.name, target.id),
    )


def earlier_targets(db: Database, account: str) -> dict[tuple[str, str], tuple[str, str]]:
    """Return the id and the type of targets by kind and name, as the last load found them."""
    rows = db.rows(
        "SELECT kind, name, id, data_type FROM bunce_targets WHERE account = $1 ORDER BY slot",
        (account,),
    )
    # of two with one name, the later one was made when the other was gone
    return {(row["kind"], row["name"]): (row["id"], row["data_type"]) for row in rows}
