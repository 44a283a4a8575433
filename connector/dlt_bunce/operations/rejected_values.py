"""Have values that Bunce rejected sent again; discard rejected values."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.values.targets import value_seed
from dlt_bunce.records.values.value_digests import released
from dlt_bunce.reject_codes import VALUE_CODES
from dlt_bunce.store import erasure
from dlt_bunce.store.database import Database
from dlt_bunce.store.values import rejected_values, values
from dlt_bunce.store.values.rejected_values import ValueSelection

_BY_BUNCE = [name for name, code in VALUE_CODES.items() if code.stage == "api"]


@dataclass(frozen=True)
class Retried:
    """The outcome of a retry, in values.

    `released` were rejected by Bunce: the next load that reads their rows sends them again.
    `validated_again` were rejected before they were sent: every load that reads their rows
    validates them again anyway, so nothing was done.
    """

    released: int
    validated_again: int


def retry(db: Database, account: str, selection: ValueSelection) -> Retried:
    """Let values that Bunce rejected be sent again although they have not changed.

    They stay listed until a load has read their rows; discarded ones are listed again. A page is a
    transaction, so a call that is interrupted can be repeated.
    """
    seed = value_seed(erasure.email_key(db, account))
    count = others = 0
    for page in rejected_values.pages(db, account, selection):
        if selection.discarded:
            _discard(db, account, page, discarded=False)
        by_bunce = page.filter(pc.is_in(page.column("code"), pa.array(_BY_BUNCE)))
        others += page.num_rows - by_bunce.num_rows
        if not by_bunce.num_rows:
            continue
        slots: dict[str, list[tuple[int, str]]] = {}
        names = ("customer_id", "slot", "kind")
        for who, slot, kind in zip(*(by_bunce.column(n).to_pylist() for n in names), strict=True):
            slots.setdefault(who, []).append((slot, kind))
        with db.transaction():
            found = values.packed_of(db, account, list(slots))
            again = [released(packed, slots[who], seed) for who, packed in found.items()]
            values.repack(db, account, values.packed_table(list(found), again))
            chosen = by_bunce.select(rejected_values.CHOSEN.names)
            rejected_values.mark_retried(db, account, chosen)
        count += by_bunce.num_rows
    return Retried(count, others)


def discard(db: Database, account: str, selection: ValueSelection) -> int:
    """List rejected values no longer until they change, and return how many there were.

    The ledger keeps its mark, so a value that Bunce rejected is not sent again either. A page is a
    transaction, so a call that is interrupted can be repeated.
    """
    chosen = replace(selection, discarded=False)
    return sum(_discard(db, account, page) for page in rejected_values.pages(db, account, chosen))


def _discard(db: Database, account: str, page: pa.Table, *, discarded: bool = True) -> int:
    with db.transaction():
        chosen = page.select(rejected_values.CHOSEN.names)
        rejected_values.mark_discarded(db, account, chosen, discarded=discarded)
    return int(page.num_rows)
