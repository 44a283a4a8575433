"""The ledger: what Bunce has accepted, what it refused, and who is sending what right now.

Before a row goes on the wire, it is claimed (the intent to send it is committed) and announced (how
far the chunk has been sent is committed). It is settled in the same transaction as its dead letter
and its count, so that the three can never disagree.
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
from dlt_bunce.store import links, statements, verdicts
from dlt_bunce.store.database import Database, utc_now
from dlt_bunce.store.letters import dead_letters, held_rows
from dlt_bunce.store.load_file import LoadFile
from dlt_bunce.store.runs import run_chunks, runs
from dlt_bunce.store.settled import SETTLED, adopted

DEFAULT_LEASE_S = 180
"""Seconds that a claim protects a row unless it is renewed; a dead worker's rows wait this long."""

_ANALYZED_AFTER = 5_000
"""Claims of a job after which the database's statistics are refreshed for the first time."""
_NOTABLE = pa.schema([("customer_id", pa.string()), ("lost", pa.bool_())])
_ACCEPTED = pa.array(["created", "updated", "adopted"])


@dataclass(frozen=True)
class Claim:
    """The rows of a chunk that this job has claimed and must send.

    `to_send` has the accepted columns plus `verb` (create, or update for a customer whose content
    has changed), `indeterminate` (bool: an earlier request may have delivered the row), and
    `bunce_id` (the id in Bunce, for a customer that is linked); `busy` counts rows that another
    live run is sending; `judged` has the verdicts.
    """

    to_send: pa.Table
    busy: int
    judged: pa.Table


class DuplicatesUnknown(Exception):  # noqa: N818, nothing went wrong
    """A chunk with an effect, before it is known whether newer rows of its ids follow."""


class Ledger:
    """The ledger of one account, for one job."""

    def __init__(
        self,
        database: Database,
        load_file: LoadFile,
        *,
        clock: Callable[[], float] | None = None,
        lease_s: float = DEFAULT_LEASE_S,
    ) -> None:
        self._db = database
        self._load_file = load_file
        # the database's clock, because those of the machines may differ
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
        held: int = 0,
        correcting: pa.Table | None = None,
        warnings: Mapping[str, int] | None = None,
        is_alone: bool = True,
    ) -> Claim:
        """Count a chunk, record its `letters`, and commit the intent to send what must be sent.

        `accepted`, `superseded`, and `warnings` are as in records.Prepared; `letters` has the
        LETTERS columns, without the rows that `held_again` found, which `held` counts.
        `correcting` (row, customer_id, version, letter_id) lists accepted rows that correct a dead
        letter; such a row is superseded if Bunce has accepted other content for its customer since,
        or may have, because the dead letter is gone. Raises
        DuplicatesUnknown if not `is_alone` and the chunk has an effect.
        """
        load_file, db = self._load_file, self._db
        verdicts.ingest(db, accepted, correcting)
        with db.transaction():
            db.execute(statements.INHERIT, (load_file.claim_id(chunk),))
            # an earlier try by this owner may have ended its claims
            db.execute(
                "DELETE FROM bunce_leases WHERE claim_batch = $1", (load_file.claim_id(chunk),)
            )
            now = self._now()
            waiting, ended = links.give_way(db, load_file.account, accepted, now)
            judged = verdicts.judge(
                db, load_file, accepted, chunk=chunk, correcting=correcting, now=now
            )
            judged = verdicts.with_busy(judged, waiting)
            fates = Counter(judged.column("verdict").to_pylist())
            fates["unchanged"] += accepted.num_rows - judged.num_rows
            fates.update(dead_letters.record_letters(db, load_file, letters))
            chunk_warnings = {
                **(warnings or {}),
                # rows that name dead letters give way to newer ones for other reasons than versions
                "mostly_superseded": fates["superseded"] if correcting is None else 0,
                "links_ended": ended,
            }
            verdicts.note_met(db, load_file.account, judged, letters)
            fates.update(superseded=superseded, held=held)
            if load_file.disposition == "append":
                fates["skipped"] += fates.pop("changed", 0)
            to_send = verdicts.to_send(accepted, judged, load_file.disposition)
            to_send = links.with_bunce_ids(db, load_file.account, to_send)
            good_again = verdicts.good_again(accepted, judged, chunk, load_file.disposition)
            if not is_alone and (to_send.num_rows or good_again.num_rows or fates["rejected"]):
                raise DuplicatesUnknown
            if load_file.disposition == "append":
                to_send, linked = verdicts.without_linked(to_send)
                fates["adopted"] += self._adopt(linked, chunk)
            self._intend(to_send, chunk, now)
            self._resolve(good_again, accepted=False)
            run_chunks.put_chunk(db, load_file, chunk, read, fates, chunk_warnings)
        self._analyze(to_send.num_rows)
        return Claim(to_send, fates["busy"], judged)

    def mark_in_flight(self, below: Mapping[int, int]) -> None:
        """Commit that rows numbered below these, by chunk, may be on the wire from now on.

        After a crash, claimed rows beyond them are sent without a lookup.
        """
        with self._db.transaction():
            for chunk, row in below.items():
                self._db.execute(statements.SENDING, (self._load_file.claim_id(chunk), row))

    def settle(
        self, settled: pa.Table, letters: pa.Table, traffic: Traffic, done: Sequence[int] = ()
    ) -> None:
        """Write fates (SETTLED), dead letters (LETTERS), and counts in one transaction.

        Rows whose claim another job has taken over are left to that job and stay deferred here.
        Chunks in `done` have no other rows in flight, as far as this try knows.
        """
        load_file, db = self._load_file, self._db
        # ingest before the transaction, which keeps others from writing
        db.ingest("bunce_settled", settled)
        with db.transaction():
            notable = db.query(
                statements.NOTABLE, (load_file.account, load_file.claim_prefix), schema=_NOTABLE
            )
            lost = notable.filter(notable.column("lost"))
            if lost.num_rows:
                settled, letters = (
                    table.filter(pc.invert(_shared(table, lost))) for table in (settled, letters)
                )
                db.ingest("bunce_settled", settled)
            present = set(settled.column("fate").to_pylist())
            if present & set(_ACCEPTED.to_pylist()):
                self._accept()
                dead_letters.resolve_nameless(db, load_file.account)
                accepted = settled.filter(pc.is_in(settled.column("fate"), _ACCEPTED))
                self._resolve(accepted.filter(_shared(accepted, notable)), accepted=True)
            if "rejected" in present:
                db.execute(statements.REJECT, (load_file.account, load_file.name))
            # after acceptance has closed dead letters: the customer may be accepted while its
            # email is refused, which opens a new one
            dead_letters.record_letters(db, load_file, letters)
            if "deferred" in present:
                for indeterminate in (0, 1):
                    db.execute(statements.DEFER, (load_file.account, indeterminate))
            for chunk in done:
                db.execute(statements.ARRIVED, (load_file.claim_id(chunk),))
            run_chunks.add_fates(db, load_file, settled)
            runs.add_traffic(db, load_file, traffic)

    def held_again(self, rejected: pa.Table, chunk: int) -> list[bool]:
        """Return which rejected rows are held as before, so that they need no dead letter."""
        return dead_letters.held_again(self._db, self._load_file, rejected, chunk)

    def renew_held(self, held: pa.Table, chunk: int, read_anew: held_rows.ReadAnew) -> None:
        """Let the dead letters of `held` rows have these rows as read now: held_rows.renew."""
        held_rows.renew(self._db, self._load_file, held, chunk, read_anew)

    def renew(self, chunks: Sequence[int]) -> None:
        """Extend the lease of chunks that are still being sent, and mark the run as in progress."""
        until = self._now() + self._lease_ms
        with self._db.transaction():
            runs.mark_seen(self._db, self._load_file)
            for chunk in chunks:
                self._db.execute(statements.RENEW, (self._load_file.claim_id(chunk), until))

    def release(self, unsettled: Sequence[int], renewed: Sequence[int] = ()) -> None:
        """End the claims of `unsettled` chunks, so that the next run can take over their rows.

        The leases of `renewed` chunks, which are settled, are deleted.
        """
        with self._db.transaction():
            for chunk in renewed:
                batch = self._load_file.claim_id(chunk)
                self._db.execute("DELETE FROM bunce_leases WHERE claim_batch = $1", (batch,))
            for chunk in unsettled:
                self._db.execute(statements.END_CLAIMS, (self._load_file.claim_id(chunk),))

    def end_claims_of(self, owners: Sequence[str]) -> None:
        """End the claims of owners whose processes are known to have ended."""
        if not owners:
            return
        with self._db.transaction():
            for owner in owners:
                self._db.execute(statements.END_CLAIMS, (owner,))

    def link(self, candidates: pa.Table) -> dict[str, str]:
        """Link customers to ids that Bunce has (CANDIDATES); return why not, by customer."""
        self._index_emails()
        return links.link(self._db, self._load_file.account, self._load_file.run_id, candidates)

    def end_links(self, customer_ids: Sequence[str]) -> None:
        """End the links of customers that this job has claimed and goes on to create."""
        with self._db.transaction():
            links.end(self._db, self._load_file.account, customer_ids, keep_claims=True)

    def emails_of_others(self, digests: dict[str, str]) -> set[str]:
        """Return the customers in `digests` whose email was delivered under another id.

        `digests` maps customer_id to email digest.
        """
        if not digests:
            return set()
        self._index_emails()
        table = pa.table({"customer_id": list(digests), "email_digest": list(digests.values())})
        self._db.ingest("bunce_emails", table)
        found = self._db.query(statements.EMAILS_OF_OTHERS, (self._load_file.account,))
        return set(found.column("customer_id").to_pylist())

    def _index_emails(self) -> None:
        """Index the email digests, which few loads need; without the right to, do without."""
        if not self._emails_indexed:
            with contextlib.suppress(StoreError):
                for index in statements.INDEX_EMAILS:
                    self._db.execute(index)
            self._emails_indexed = True

    def _adopt(self, linked: pa.Table, chunk: int) -> int:
        """Settle linked rows whose customer must not be changed; return how many."""
        if not linked.num_rows:
            return 0
        self._db.ingest("bunce_settled", adopted(linked, chunk))
        self._accept()
        return int(linked.num_rows)

    def _accept(self) -> None:
        load_file = self._load_file
        self._db.execute(
            statements.ACCEPT, (load_file.account, utc_now(), load_file.name, load_file.number)
        )

    def _intend(self, rows: pa.Table, chunk: int, now: int) -> None:
        if not rows.num_rows:
            return
        # no other writer since these rows were judged, so nobody can have claimed one in between
        batch = self._load_file.claim_id(chunk)
        unsent = pc.if_else(rows.column("indeterminate"), None, rows.column("row"))
        claimed = rows.select(["customer_id", "fingerprint"])
        self._db.ingest("bunce_claimed", claimed.append_column("claim_row", unsent))
        until = now + self._lease_ms
        parameters = (self._load_file.account, batch, until, now, self._load_file.owner)
        self._db.execute(statements.CLAIM, parameters)

    def _analyze(self, claimed: int) -> None:
        """Refresh the statistics after the first few chunks, then each time the claims double."""
        self._claimed += claimed
        if self._claimed >= self._analyzed_next:
            self._db.analyze("bunce_customers", "bunce_dead_letters")
            self._analyzed_next = 2 * self._claimed

    def _resolve(self, good: pa.Table, *, accepted: bool) -> None:
        if not good.num_rows:
            return
        self._db.ingest("bunce_good", good.select(["customer_id", "version", "chunk"]))
        dead_letters.resolve_letters(self._db, self._load_file, "bunce_good", accepted=accepted)


def _shared(rows: pa.Table, others: pa.Table) -> pa.ChunkedArray:
    """Return a mask of the rows whose customer is also in `others`."""
    return pc.is_in(rows.column("customer_id"), others.column("customer_id").combine_chunks())


__all__ = ["DEFAULT_LEASE_S", "SETTLED", "Claim", "DuplicatesUnknown", "Ledger", "LoadFile"]
