"""Targets with their places in the ledger."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from dlt_bunce.records.values.targets import FoundTarget, Kind, Target, Targets
from dlt_bunce.store.database import Database
from dlt_bunce.store.values.targets import Known, slots_of, to_come


def with_slots(
    db: Database,
    account: str,
    found: Iterable[FoundTarget],
    timezone: str | None,
    hinted: Collection[Kind] = (),
) -> Targets:
    """Return targets with their slots; a new one gets the next free slot.

    A target that Bunce does not have gets an id of its own: a dry run may meet one, and no value
    has come yet for an attribute that is to be created.
    """
    ids = [(item, item.id or to_come(item.name)) for item in found]
    known = [Known(item.kind, key, item.name, item.data_type) for item, key in ids]
    slots = slots_of(db, account, known)
    items = (
        Target(item.kind, item.column, item.name, key, item.data_type, slots[item.kind, key])
        for item, key in ids
    )
    return Targets(tuple(sorted(items, key=lambda target: target.slot)), timezone, hinted)
