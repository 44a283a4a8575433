"""A chunk in front of the ledger: counted, its rejects recorded, its rows to send claimed."""

from __future__ import annotations

from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.load import corrections, dead_letters
from dlt_bunce.load.chunks import Chunk, Chunks
from dlt_bunce.load.values.values import ValueDelivery
from dlt_bunce.load.version_check import warnings_of
from dlt_bunce.logs import logger
from dlt_bunce.store import verdicts
from dlt_bunce.store.ledger import Claim, DuplicatesUnknown, Ledger


def claim(
    ledger: Ledger,
    chunks: Chunks,
    chunk: Chunk,
    email_key: bytes,
    values: ValueDelivery | None,
) -> tuple[Chunk, Claim]:
    """Claim what a chunk has to send. Return the chunk, where that matters without rows of which
    newer ones lie elsewhere, and the claim, which compares the rows' `values` as well.

    Of a load that sends nothing no file is read a second time.
    """
    try:
        return chunk, _claimed(ledger, chunk, email_key, values)
    except DuplicatesUnknown:
        chunk = chunks.again(chunk)
        return chunk, _claimed(ledger, chunk, email_key, values)


def _claimed(
    ledger: Ledger,
    chunk: Chunk,
    email_key: bytes,
    values: ValueDelivery | None,
) -> Claim:
    prepared, number, table = chunk.prepared, chunk.number, chunk.table
    held = pa.array(ledger.held_again(prepared.rejected, number), pa.bool_())
    rejected = prepared.rejected.filter(pc.invert(held))
    accepted = prepared.accepted
    if values is not None:
        accepted = accepted.append_column(verdicts.DIGEST, values.digests_of(chunk))
    claim = ledger.claim(
        accepted,
        dead_letters.of_rejected(number, table, rejected, email_key),
        chunk=number,
        read=prepared.read,
        superseded=prepared.superseded,
        held=held.true_count,
        correcting=corrections.named(table, prepared.accepted),
        warnings=warnings_of(prepared),
        is_alone=chunk.is_alone,
    )
    if ahead := verdicts.leases_ahead(claim.judged):
        logger().warning("lease.brought_back", rows=ahead)
    return claim


def look_at_values(
    ledger: Ledger, chunk: Chunk, claim: Claim, values: ValueDelivery | None
) -> None:
    """Count the values of a chunk. Then let dead letters have the rows that are held as they read
    now, if their values differ, or what feeds these: neither is in a row's fingerprint.
    """
    if values is not None:
        values.look(chunk, differ=verdicts.values_differ(claim.judged))
    if corrections.are_in(chunk.table):
        return
    columns = set() if values is None else {target.column for target in values.targets.items}
    names = ["row", "customer_id", "fingerprint", "version"]
    refused = verdicts.held(chunk.prepared.accepted, claim.judged)
    held = pa.concat_tables([chunk.prepared.rejected.select(names), refused.select(names)])
    read_anew = partial(dead_letters.read_anew, chunk.table, columns)
    ledger.renew_held(held, chunk.number, read_anew)
