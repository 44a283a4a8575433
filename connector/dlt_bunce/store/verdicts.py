"""Verdicts: what to do with each row of a chunk, given what the ledger knows of its customer."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.store import statements
from dlt_bunce.store.database import Database
from dlt_bunce.store.load_file import LoadFile

DIGEST = "digest"
"""The column of accepted rows that has a digest of their attribute values, if they have any."""
_VERDICTS = pa.schema(
    [
        ("row", pa.int64()),
        ("verdict", pa.string()),
        ("indeterminate", pa.int64()),
        ("had_letter", pa.int64()),
        ("listed", pa.int64()),
        ("lease_ahead", pa.int64()),
        ("values_differ", pa.int64()),
    ]
)


def ingest(db: Database, accepted: pa.Table, correcting: pa.Table | None) -> None:
    """Load the rows into temporary tables for `judge`.

    Call it before the transaction, which keeps others from writing.
    """
    if accepted.num_rows:
        names = ["row", "customer_id", "fingerprint", "version"]
        incoming = accepted.select(names + [DIGEST] * (DIGEST in accepted.column_names))
        # sorted by key, so that neighbors in the ledger are found on the same page
        db.ingest("bunce_incoming", incoming.sort_by("customer_id"))
    if correcting is not None:
        db.ingest("bunce_correcting", correcting)


def judge(
    db: Database,
    load_file: LoadFile,
    accepted: pa.Table,
    *,
    chunk: int,
    correcting: pa.Table | None,
    now: int,
) -> pa.Table:
    """Return the verdicts on the accepted rows of a chunk; a row without one is unchanged, and so
    are its values.

    A row that corrects a dead letter is superseded if Bunce has accepted other content since. `now`
    is in milliseconds since 1970.
    """
    if not accepted.num_rows:
        return _VERDICTS.empty_table()
    verdicts = db.query(
        statements.JUDGE_WITH_VALUES if DIGEST in accepted.column_names else statements.JUDGE,
        (load_file.name, chunk, load_file.claim_id(chunk), now, load_file.account),
        schema=_VERDICTS,
    )
    if correcting is None or not correcting.num_rows:
        return verdicts
    overtaken = db.query(
        statements.OVERTAKEN,
        (load_file.account, int(load_file.is_replay)),
        schema=pa.schema([("row", pa.int64())]),
    )
    given, late = verdicts.column("verdict"), overtaken.column("row").combine_chunks()
    sendable = pc.is_in(given, pa.array(["new", "changed"]))
    gives_way = pc.and_(sendable, pc.is_in(verdicts.column("row"), late))
    judged = pc.if_else(gives_way, "superseded", given)
    return verdicts.set_column(1, _VERDICTS.field("verdict"), judged)


def note_met(db: Database, account: str, verdicts: pa.Table, letters: pa.Table) -> None:
    """Note that the source has rows of customers whom only an adoption had added."""
    if pc.any(pc.equal(verdicts.column("listed"), 1)).as_py():
        db.execute(statements.MET.format(rows="bunce_incoming"), (account,))
    if letters.num_rows:
        db.execute(statements.MET.format(rows="bunce_letters"), (account,))


def held(accepted: pa.Table, verdicts: pa.Table) -> pa.Table:
    """Return the accepted rows that Bunce has refused before, as they are."""
    rows = verdicts.filter(pc.equal(verdicts.column("verdict"), "held")).column("row")
    return _numbered(accepted, rows.sort())


def values_differ(verdicts: pa.Table) -> bool:
    """Return whether any row has other attribute values than the ledger's."""
    return bool(pc.any(pc.equal(verdicts.column("values_differ"), 1)).as_py())


def leases_ahead(verdicts: pa.Table) -> int:
    """Count rows whose claim ends later than a claim can, by a clock that was wrong."""
    return int(pc.sum(verdicts.column("lease_ahead"), min_count=0).as_py())


def with_busy(verdicts: pa.Table, rows: Collection[int]) -> pa.Table:
    """Return the verdicts with these rows, if they would be sent, left for later."""
    if not rows:
        return verdicts
    given = verdicts.column("verdict")
    waiting = pc.and_(
        pc.is_in(given, pa.array(["new", "changed"])),
        pc.is_in(verdicts.column("row"), pa.array(sorted(rows), pa.int64())),
    )
    return verdicts.set_column(1, _VERDICTS.field("verdict"), pc.if_else(waiting, "busy", given))


def without_linked(rows: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Divide rows to send into those that are not linked, and those that are."""
    if rows.column("bunce_id").null_count == rows.num_rows:
        return rows, rows.slice(0, 0)
    linked = pc.is_valid(rows.column("bunce_id"))
    return rows.filter(pc.invert(linked)), rows.filter(linked)


def to_send(accepted: pa.Table, verdicts: pa.Table, disposition: str) -> pa.Table:
    """Return the accepted rows to send, with their `verb` and whether they are `indeterminate`."""
    sendable = ["new"] if disposition == "append" else ["new", "changed"]
    wanted = verdicts.filter(pc.is_in(verdicts.column("verdict"), pa.array(sendable)))
    wanted = wanted.sort_by("row")
    indeterminate = pc.equal(wanted.column("indeterminate"), 1)
    verbs = pc.if_else(pc.equal(wanted.column("verdict"), "new"), "create", "update")
    if DIGEST in accepted.column_names:
        accepted = accepted.drop_columns([DIGEST])
    rows = _numbered(accepted, wanted.column("row"))
    return rows.append_column("verb", verbs).append_column("indeterminate", indeterminate)


def good_again(accepted: pa.Table, verdicts: pa.Table, chunk: int, disposition: str) -> pa.Table:
    """Return the customers whose row is good after a bad one, without anything to send.

    The dead letters of these customers can be closed.
    """
    unsent = ["unchanged", "changed"] if disposition == "append" else ["unchanged"]
    good = pc.is_in(verdicts.column("verdict"), pa.array(unsent))
    back = pc.and_(good, pc.equal(verdicts.column("had_letter"), 1))
    ids = _numbered(accepted, verdicts.filter(back).column("row")).select(
        ["customer_id", "version"]
    )
    return ids.append_column("chunk", pa.array([chunk] * len(ids), pa.int64()))


def _numbered(accepted: pa.Table, rows: pa.ChunkedArray) -> pa.Table:
    """Return the accepted rows with these numbers: usually all of them, or none."""
    if len(rows) in (0, accepted.num_rows):
        return accepted.slice(0, len(rows))
    return accepted.take(pc.index_in(rows, accepted.column("row")))
