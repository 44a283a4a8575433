"""What Bunce has accepted, what it refused, and who is sending what right now.

A row is claimed (its intent is committed) and announced (how far the chunk has come is committed)
before it goes on the wire, and settled in the same transaction as its dead letter and its count,
so that the three can never disagree.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.errors import StoreError
from dlt_bunce.model import Traffic
from dlt_bunce.store import runs, statements
from dlt_bunce.store.database import Database, utc_now
from dlt_bunce.store.dead_letters import record_letters, resolve_letters, resolve_nameless
from dlt_bunce.store.load_file import LoadFile

DEFAULT_LEASE_S = 180
"""How long a claim protects a row unless it is renewed: what a dead worker's rows wait for."""

# what settle() takes: one row a customer whose fate is known now
SETTLED = pa.schema(
    [
        ("customer_id", pa.string()),
        ("fate", pa.string()),
        ("confirmation", pa.string()),
        ("fingerprint", pa.string()),
        ("version", pa.int64()),
        ("email_digest", pa.string()),
        ("chunk", pa.int64()),
        ("indeterminate", pa.int64()),
    ]
)
_ANALYZED_AFTER = 5_000
"""Claims of a job after which the database's statistics are renewed for the first time."""
_NOTABLE = pa.schema([("customer_id", pa.string()), ("lost", pa.bool_())])
_ACCEPTED = pa.array(["created", "updated", "adopted"])
_VERDICTS = pa.schema(
    [
        ("row", pa.int64()),
        ("verdict", pa.string()),
        ("indeterminate", pa.int64()),
        ("had_letter", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Claim:
    """The rows of a chunk that are now this job's to send.

    `to_send` is the accepted table plus `verb` (create, or update for a customer whose content has
    changed) and `indeterminate` (bool: an earlier request may have delivered the row); `busy`
    counts rows that another live run is sending.
    """

    to_send: pa.Table
    busy: int


class DuplicatesUnknown(Exception):  # noqa: N818, nothing went wrong
    """A chunk would have an effect though it is not known whether newer rows of its ids follow."""


class Ledger:
    """The ledger of one account, as one job sees it."""

    def __init__(
        self,
        database: Database,
        load_file: LoadFile,
        *,
        clock: Callable[[], float] | None = None,
        lease_s: float = DEFAULT_LEASE_S,
    ) -> None:
        self._db = database
        self._job = load_file
        # those of its machines may differ
        self._now = database.now_ms if clock is None else lambda: int(clock() * 1000)
        self._lease_ms = int(lease_s * 1000)
        self._claimed, self._analyzed_next = 0, _ANALYZED_AFTER
        self._emails_indexed = False

    def claim(
        self,
        accepted: pa.Table,
        letters: pa.Table,
        *,
        chunk: int,
        read: int,
        superseded: int,
        correcting: pa.Table | None = None,
        warnings: Mapping[str, int] | None = None,
        is_alone: bool = True,
    ) -> Claim:
        """Counts a chunk, records its `letters`, and commits the intent for what must be sent.

        `accepted`, `superseded`, and `warnings` are as records.Prepared has them, `letters` as
        LETTERS.
        `correcting` (row, customer_id, letter_id) are accepted rows that correct a letter: one of
        whose customer Bunce has accepted other content since is superseded.
        """
        load_file, db = self._job, self._db
        self._lay_out(accepted, correcting)
        with db.transaction():
            db.execute(statements.INHERIT, (load_file.claim_id(chunk),))
            # an earlier try of this owner's may have ended its claims
            db.execute(
                "DELETE FROM bunce_leases WHERE claim_batch = $1", (load_file.claim_id(chunk),)
            )
            now = self._now()
            verdicts = self._verdicts(accepted, chunk, correcting, now)
            fates = Counter(verdicts.column("verdict").to_pylist())
            fates["unchanged"] += accepted.num_rows - verdicts.num_rows
            odd = {**(warnings or {}), "mostly_superseded": fates["superseded"]}
            fates["superseded"] += superseded
            fates.update(record_letters(db, load_file, letters))
            if load_file.disposition == "append":
                fates["skipped"] += fates.pop("changed", 0)
            to_send = self._to_send(accepted, verdicts)
            good_again = self._good_again(accepted, verdicts, chunk)
            if not is_alone and (to_send.num_rows or good_again.num_rows or fates["rejected"]):
                raise DuplicatesUnknown
            self._intend(to_send, chunk, now)
            self._resolve(good_again)
            busy = fates["busy"]
            runs.put_chunk(db, load_file, chunk, read, fates, odd)
        self._analyze(to_send.num_rows)
        return Claim(to_send, busy)

    def mark_in_flight(self, below: Mapping[int, int]) -> None:
        """Commits that rows with lower numbers than these, by chunk, may be on the wire from now.

        After a crash, what was claimed and lies beyond is sent without a look-up.
        """
        with self._db.transaction():
            for chunk, row in below.items():
                self._db.execute(statements.SENDING, (self._job.claim_id(chunk), row))

    def settle(
        self, settled: pa.Table, letters: pa.Table, traffic: Traffic, done: Sequence[int] = ()
    ) -> None:
        """Writes fates (SETTLED), dead letters (LETTERS), and counts in one transaction.

        Rows whose claim another job has taken over are left to that job, and stay deferred here.
        Chunks that are `done` have no others on their way, as far as this try knows.
        """
        load_file, db = self._job, self._db
        # before the transaction, which keeps others from writing
        db.ingest("bunce_settled", settled)
        with db.transaction():
            notable = db.query(
                statements.NOTABLE, (load_file.account, load_file.claim_prefix), schema=_NOTABLE
            )
            lost = notable.filter(notable.column("lost"))
            if lost.num_rows:
                both = (settled, letters)
                settled, letters = (one.filter(pc.invert(_shared(one, lost))) for one in both)
                db.ingest("bunce_settled", settled)
            present = set(settled.column("fate").to_pylist())
            if present & set(_ACCEPTED.to_pylist()):
                db.execute(
                    statements.ACCEPT,
                    (load_file.account, utc_now(), load_file.name, load_file.number),
                )
                resolve_nameless(db, load_file.account)
                accepted = settled.filter(pc.is_in(settled.column("fate"), _ACCEPTED))
                self._resolve(accepted.filter(_shared(accepted, notable)))
            if "rejected" in present:
                db.execute(statements.REJECT, (load_file.account, load_file.name))
            # after the letters that acceptance closes: an email may be refused beside it
            record_letters(db, load_file, letters)
            if "deferred" in present:
                for indeterminate in (0, 1):
                    db.execute(statements.DEFER, (load_file.account, indeterminate))
            for chunk in done:
                db.execute(statements.ARRIVED, (load_file.claim_id(chunk),))
            runs.add_fates(db, load_file, settled)
            runs.add_traffic(db, load_file, traffic)

    def renew(self, chunks: Sequence[int]) -> None:
        """Extends the lease of chunks that are still being sent."""
        until = self._now() + self._lease_ms
        with self._db.transaction():
            for chunk in chunks:
                self._db.execute(statements.RENEW, (self._job.claim_id(chunk), until))

    def release(self, unsettled: Sequence[int], renewed: Sequence[int] = ()) -> None:
        """Give up the claims of chunks: rows that stay claimed are for whoever comes next.

        Of chunks that were `renewed` and are settled, nothing is kept.
        """
        with self._db.transaction():
            for chunk in renewed:
                batch = self._job.claim_id(chunk)
                self._db.execute("DELETE FROM bunce_leases WHERE claim_batch = $1", (batch,))
            for chunk in unsettled:
                self._db.execute(statements.END_CLAIMS, (self._job.claim_id(chunk),))

    def end_claims_of(self, owners: Sequence[str]) -> None:
        """Give up the claims of owners whose processes are known to be gone."""
        if not owners:
            return
        with self._db.transaction():
            for owner in owners:
                self._db.execute(statements.END_CLAIMS, (owner,))

    def emails_of_others(self, digests: dict[str, str]) -> set[str]:
        """Which customer_ids of `digests` (customer_id -> email digest) use an email that the
        ledger has delivered under another id.
        """
        if not digests:
            return set()
        if not self._emails_indexed:
            # only where Bunce offers no look-up is this ever asked; whoever may not make an index
            # reads the ledger instead
            with contextlib.suppress(StoreError):
                self._db.execute(statements.INDEX_EMAILS)
            self._emails_indexed = True
        table = pa.table({"customer_id": list(digests), "email_digest": list(digests.values())})
        self._db.ingest("bunce_emails", table)
        found = self._db.query(statements.EMAILS_OF_OTHERS, (self._job.account,))
        return set(found.column("customer_id").to_pylist())

    def _lay_out(self, accepted: pa.Table, correcting: pa.Table | None) -> None:
        """Brings the rows to the database, before a transaction keeps others from writing."""
        if accepted.num_rows:
            incoming = accepted.select(["row", "customer_id", "fingerprint", "version"])
            # in the order of the keys, neighbors in the ledger are found on the same page
            self._db.ingest("bunce_incoming", incoming.sort_by("customer_id"))
        if correcting is not None:
            self._db.ingest("bunce_correcting", correcting)

    def _verdicts(
        self, accepted: pa.Table, chunk: int, correcting: pa.Table | None, now: int
    ) -> pa.Table:
        load_file = self._job
        if not accepted.num_rows:
            return _VERDICTS.empty_table()
        verdicts = self._db.query(
            statements.JUDGE,
            (load_file.name, chunk, load_file.claim_id(chunk), now, load_file.account),
            schema=_VERDICTS,
        )
        if correcting is None or not correcting.num_rows:
            return verdicts
        overtaken = self._db.query(
            statements.OVERTAKEN, (load_file.account,), schema=pa.schema([("row", pa.int64())])
        )
        given, late = verdicts.column("verdict"), overtaken.column("row").combine_chunks()
        to_send = pc.is_in(given, pa.array(["new", "changed"]))
        gives_way = pc.and_(to_send, pc.is_in(verdicts.column("row"), late))
        judged = pc.if_else(gives_way, "superseded", given)
        return verdicts.set_column(1, _VERDICTS.field("verdict"), judged)

    def _to_send(self, accepted: pa.Table, verdicts: pa.Table) -> pa.Table:
        sent = ["new"] if self._job.disposition == "append" else ["new", "changed"]
        wanted = verdicts.filter(pc.is_in(verdicts.column("verdict"), pa.array(sent)))
        wanted = wanted.sort_by("row")
        doubts = pc.equal(wanted.column("indeterminate"), 1)
        verbs = pc.if_else(pc.equal(wanted.column("verdict"), "new"), "create", "update")
        rows = _numbered(accepted, wanted.column("row"))
        return rows.append_column("verb", verbs).append_column("indeterminate", doubts)

    def _intend(self, rows: pa.Table, chunk: int, now: int) -> None:
        if not rows.num_rows:
            return
        # the only writer since these rows were judged: nobody can have claimed one in between
        batch = self._job.claim_id(chunk)
        unsent = pc.if_else(rows.column("indeterminate"), None, rows.column("row"))
        claimed = rows.select(["customer_id", "fingerprint"])
        self._db.ingest("bunce_claimed", claimed.append_column("claim_row", unsent))
        until = now + self._lease_ms
        parameters = (self._job.account, batch, until, now, self._job.owner)
        self._db.execute(statements.CLAIM, parameters)

    def _analyze(self, claimed: int) -> None:
        """Each time that the ledger may have doubled, or has become a few chunks larger."""
        self._claimed += claimed
        if self._claimed >= self._analyzed_next:
            self._db.analyze("bunce_customers", "bunce_dead_letters")
            self._analyzed_next = 2 * self._claimed

    def _good_again(self, accepted: pa.Table, verdicts: pa.Table, chunk: int) -> pa.Table:
        """Good rows that need not go, after bad ones: the letters of these are done with."""
        unsent = ["unchanged", "changed"] if self._job.disposition == "append" else ["unchanged"]
        good = pc.is_in(verdicts.column("verdict"), pa.array(unsent))
        back = pc.and_(good, pc.equal(verdicts.column("had_letter"), 1))
        ids = _numbered(accepted, verdicts.filter(back).column("row")).select(["customer_id"])
        return ids.append_column("chunk", pa.array([chunk] * len(ids), pa.int64()))

    def _resolve(self, good: pa.Table) -> None:
        if not good.num_rows:
            return
        self._db.ingest("bunce_good", good.select(["customer_id", "chunk"]))
        resolve_letters(self._db, self._job, "bunce_good")


def _numbered(accepted: pa.Table, rows: pa.ChunkedArray) -> pa.Table:
    """The accepted rows of these numbers: mostly all of them, or none."""
    if len(rows) in (0, accepted.num_rows):
        return accepted.slice(0, len(rows))
    return accepted.take(pc.index_in(rows, accepted.column("row")))


def _shared(rows: pa.Table, others: pa.Table) -> pa.ChunkedArray:
    """Which rows are of a customer who is among the others."""
    return pc.is_in(rows.column("customer_id"), others.column("customer_id").combine_chunks())


__all__ = ["DEFAULT_LEASE_S", "SETTLED", "Claim", "DuplicatesUnknown", "Ledger", "LoadFile"]
