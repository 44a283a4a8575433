"""Values that Bunce has rejected: what is recorded of each, and those it rejected for what concerns
the account, of which none stays rejected.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from dlt_bunce.records.values.targets import Target, value_seed
from dlt_bunce.records.values.value_digests import REJECTED, UNCONFIRMED, released
from dlt_bunce.settlement.row_result import RowResult
from dlt_bunce.store.database import Database
from dlt_bunce.store.load_file import LoadFile
from dlt_bunce.store.values import values

_UNCLEAR = frozenset({"undeliverable", "unconfirmed"})
"""Codes of values that Bunce may have taken all the same."""


def state_of(result: RowResult) -> bytes:
    """Return what the ledger holds of a value that is rejected."""
    return UNCONFIRMED if result.code in _UNCLEAR else REJECTED


def rejection(
    load_file: LoadFile, target: Target, customer_id: str, result: RowResult
) -> dict[str, object]:
    """Return what is recorded of a rejected value (a row of values.REJECTED)."""
    # of all that the other codes may mean, a refusal remains
    code = result.code if result.code in _UNCLEAR else "refused"
    # Bunce's words may quote the value
    keys_only = load_file.letter_rows == "keys"
    return {
        "customer_id": customer_id,
        "slot": target.slot,
        "name": target.name,
        "column_name": target.column,
        "code": code,
        "message": values.meaning(code) if keys_only else result.message,
        "http_status": result.http_status,
    }


def release_rejected(
    db: Database, load_file: LoadFile, words: str, email_key: bytes
) -> list[dict[str, Any]]:
    """Let values that the run saw refused in these words be sent again, inside the caller's
    transaction; return them: customer_id, slot, and kind.
    """
    found = values.refused_in(db, load_file, words)
    _release(db, load_file, found, email_key)
    pairs = [[row[name] for row in found] for name in values.ANSWERED.names]
    values.forget_rejected(db, load_file.account, pa.table(pairs, schema=values.ANSWERED))
    return found


def release_lapsed(
    db: Database,
    load_file: LoadFile,
    lapsed: pa.Table,
    by_slot: Mapping[int, Target],
    email_key: bytes,
) -> None:
    """Forget of values (ANSWERED) that Bunce rejected them, inside the caller's transaction: they
    are gone, and no longer listed. Should they come back, they are sent as new ones.
    """
    found = [row | {"kind": by_slot[row["slot"]].kind} for row in lapsed.to_pylist()]
    _release(db, load_file, found, email_key)


def _release(
    db: Database, load_file: LoadFile, found: Iterable[Mapping[str, Any]], email_key: bytes
) -> None:
    slots: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row in found:
        slots[row["customer_id"]].append((row["slot"], row["kind"]))
    packed, seed = values.packed_of(db, load_file.account, list(slots)), value_seed(email_key)
    again = [released(digests, slots[who], seed) for who, digests in packed.items()]
    values.repack(db, load_file.account, values.packed_table(list(packed), again))
