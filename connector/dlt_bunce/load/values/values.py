"""Attribute values and segment members of a load: after its customers, and only what changed.

Each chunk is looked at twice. As it is read, one digest a row tells whether any of its values has
changed; that is all an unchanged load takes. Once all customers of the file are settled, chunks
with changes are read again: by now the ledger knows which customers Bunce has.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.errors import BunceError
from dlt_bunce.load.chunks import Chunk, Chunks
from dlt_bunce.load.dispatch import Delivered, Dispatcher, ValueBatch, prefetch
from dlt_bunce.load.sender import Sender
from dlt_bunce.load.values import rejected_values, row_states
from dlt_bunce.load.values.value_rows import ChangedValues, ChunkValues
from dlt_bunce.load.values.values_in_flight import RowsLeft, Slot, ValuesInFlight, newest
from dlt_bunce.logs import logger
from dlt_bunce.records.batching import Packer
from dlt_bunce.records.values.recorded_targets import recorded
from dlt_bunce.records.values.targets import KINDS, Kind, Target, Targets
from dlt_bunce.records.values.value_digests import WRITTEN
from dlt_bunce.settlement.row_result import RowResult
from dlt_bunce.store.database import Database
from dlt_bunce.store.load_file import LoadFile
from dlt_bunce.store.runs import mappings, runs, value_fates
from dlt_bunce.store.runs.value_fates import ROWS
from dlt_bunce.store.values import values, waiting_values
from dlt_bunce.store.values.targets import note_in_digest

_MAX_BATCH_BYTES = 2_000_000
_OF_A_VALUE = ("customer_id", "chunk", "row", "slot", "digest")


@dataclass
class ValueDelivery:
    """The values of one file. `look` at each chunk, then `deliver` once customers are settled."""

    targets: Targets
    load_file: LoadFile
    database: Database
    sender: Sender
    email_key: bytes
    values_only: bool = False
    """Whether the file brings no customers, so that its rows are counted here."""
    on_chunk: Callable[[Chunk], None] = lambda _chunk: None
    is_cut_short: bool = False
    """Whether `deliver` has stopped before it read all that it should."""
    _due: set[int] = field(default_factory=set)
    _ahead: dict[int, ChunkValues] = field(default_factory=dict)
    _rows: RowsLeft = field(default_factory=RowsLeft)
    # rows of which Bunce has rejected a value, with their customers
    _with_rejected: dict[tuple[int, int], str] = field(default_factory=dict)
    # how far earlier tries of the file may have sent it, by kind and chunk
    _marks: Mapping[tuple[str, int], int] = field(default_factory=dict)
    _fault: BunceError | None = None

    def read_ahead(self, chunk: Chunk) -> None:
        """Read a chunk's values, in the thread that reads chunks, for `look` to come."""
        self._ahead[chunk.number] = self._values_of(chunk)

    def digests_of(self, chunk: Chunk) -> pa.Array:
        """Return a digest of the values of each accepted row, for the ledger to compare."""
        if (found := self._ahead.get(chunk.number)) is None or found.chunk is not chunk:
            # some of its rows have given way since
            found = self._ahead[chunk.number] = self._values_of(chunk)
        return found.incoming.column("digest")

    def look(self, chunk: Chunk, *, differ: bool) -> None:
        """Count a chunk's values, and note whether they `differ` and have to be delivered."""
        db, load_file, number = self.database, self.load_file, chunk.number
        found = self._ahead.pop(number)
        self._due.discard(number)
        if number == 0:
            with db.transaction():
                mappings.record_targets(db, load_file, recorded(self.targets, chunk.table.schema))
                note_in_digest(db, load_file.account, self._by_slot)
        if differ:
            self._due.add(number)
            with db.transaction():
                for kind in self._kinds():
                    value_fates.begin_chunk(db, load_file, kind, number, found.read(kind))
            return
        with db.transaction():
            self._count(found, None)

    def created_anew(self, rows: pa.Table, results: Sequence[RowResult]) -> None:
        """Deliver the values of customers who were to be updated and are new to Bunce: what was
        written for them is gone.
        """
        pairs = zip(rows.column("verb").to_pylist(), results, strict=True)
        is_new = [verb == "update" and result.fate == "created" for verb, result in pairs]
        self._due.update(rows.column("chunk").filter(pa.array(is_new, pa.bool_())).to_pylist())

    def deliver(
        self, chunks: Chunks, stop: threading.Event, on_requests: Callable[[int], None]
    ) -> BunceError | None:
        """Send what changed of the chunks that are due; return why the load must stop, if so."""
        if not (self._due or self.values_only):
            return None
        logger().debug("values.started", chunks=len(self._due))
        return self._send(map(self._open, prefetch(self._read(chunks, stop))), stop, on_requests)

    def _send(
        self,
        tables: Iterator[pa.Table],
        stop: threading.Event,
        on_requests: Callable[[int], None],
    ) -> BunceError | None:
        """Send values (TO_SEND) and record what becomes of them; return why the load must stop, if
        so.
        """
        self._marks = value_fates.marks(self.database, self.load_file)
        packer = Packer(self.sender.batch_size, _MAX_BATCH_BYTES, unique=())

        def send(batch: ValueBatch) -> Delivered:
            delivered = self.sender.send(batch, overwrite=False, stopped=stop.is_set)
            if delivered.fault is not None:
                stop.set()
            return delivered

        def settle(groups: Iterator[Sequence[Delivered]]) -> None:
            for group in groups:
                on_requests(self._settle(group))

        with Dispatcher(
            send,  # type: ignore[arg-type]  # only such batches are submitted
            threads=self.sender.threads,
            in_flight=self.sender.in_flight,
            on_abort=stop.set,
        ) as dispatcher:
            for table in tables:
                for rows in map(self._mark_in_flight, packer.add(table)):
                    if rows.num_rows:
                        settle(dispatcher.submit(ValueBatch(rows)))
                settle(dispatcher.settled())
            for rows in map(self._mark_in_flight, packer.rest()):
                if rows.num_rows:
                    settle(dispatcher.submit(ValueBatch(rows)))
            settle(dispatcher.drain())
        return self._fault

    def _read(self, chunks: Chunks, stop: threading.Event) -> Iterator[ChunkValues]:
        for chunk in chunks.read(None if self.values_only else self._due):
            if stop.is_set():
                self.is_cut_short = True
                return
            alone = chunk if chunk.is_alone else chunks.again(chunk)
            yield self._values_of(alone)

    def _values_of(self, chunk: Chunk) -> ChunkValues:
        return ChunkValues(chunk, self.targets, self.email_key, values_only=self.values_only)

    def _open(self, found: ChunkValues) -> pa.Table:
        """Count a chunk's values, record those that are rejected here, and return what to send."""
        self.on_chunk(found.chunk)
        db, load_file, number = self.database, self.load_file, found.chunk.number
        changes = self._compared(found)
        with db.transaction():
            if (lapsed := changes.lapsed).num_rows:
                rejected_values.release_lapsed(db, load_file, lapsed, self._by_slot, self.email_key)
                changes = self._compared(found)
            self._count(found, changes)
            if values.any_rejected(db, load_file.account):
                values.forget_rejected(db, load_file.account, changes.answered)
            values.record_rejected(db, load_file, changes.rejected)
            if self.values_only:
                value_fates.put_chunk(db, load_file, ROWS, number, self._row_fates(found, changes))
                waiting_values.note(db, load_file, *changes.waiting)
            else:
                values.repack(db, load_file.account, changes.settled, if_same=True)
        self._in_flight.begin(changes.known)
        self._rows.update({(number, row): left for row, left in changes.left.items()})
        return changes.to_send

    def _compared(self, found: ChunkValues) -> ChangedValues:
        rows = row_states.changed(self.database, self.load_file, found.chunk, found.incoming)
        return ChangedValues(found, rows)

    def _mark_in_flight(self, rows: pa.Table) -> pa.Table:
        """Commit that values are in flight; count those that an earlier try may have sent. Return
        them without those that another load has overtaken since they were compared.
        """
        # a batch is of one operation, and so of one kind
        kind = self._counted_as(self._by_slot[rows.column("slot")[0].as_py()].kind)
        with self.database.transaction():
            rows, older = newest(self.database, self.load_file.account, rows, self._rows)
            fates = {(kind, chunk, "superseded"): count for chunk, count in older.items()}
            value_fates.add_fates(self.database, self.load_file, fates)
            self._in_flight.mark(rows)
            tops = rows.group_by("chunk").aggregate([("row", "max")]).to_pylist()
            for chunk, top in ((each["chunk"], each["row_max"]) for each in tops):
                again = 0
                if before := self._marks.get((kind, chunk), 0):
                    own = rows.filter(pc.equal(rows.column("chunk"), chunk))
                    again = pc.sum(pc.less(own.column("row"), before)).as_py()
                value_fates.mark_in_flight(
                    self.database, self.load_file, kind, chunk, top + 1, again
                )
        return rows

    def _count(self, found: ChunkValues, changes: ChangedValues | None) -> None:
        """Write the counts of a chunk as compared just now."""
        found.late = row_states.late(self.database, self.load_file, found.chunk)
        for kind, counts in found.counts(changes).items():
            value_fates.put_chunk(self.database, self.load_file, kind, found.chunk.number, counts)

    def _row_fates(self, found: ChunkValues, changes: ChangedValues) -> dict[str, int]:
        """Return the counts of the rows that hold values alone, by fate."""
        return found.row_counts(changes)

    def _settle(self, group: Sequence[Delivered]) -> int:
        """Record what became of batches in one transaction; return how many requests it took."""
        fates: Counter[tuple[str, int, str]] = Counter()
        outcomes: dict[str, list[Slot]] = defaultdict(list)
        unsent: list[tuple[str, int]] = []
        digests: dict[str, bytes | None] = {}
        versions: dict[str, int | None] = {}
        rejected: list[dict[str, object]] = []
        written: list[tuple[str, int]] = []
        for delivered in group:
            self._fault = self._fault or delivered.fault
            batch = delivered.batch.rows
            columns = (batch.column(name).to_pylist() for name in _OF_A_VALUE)
            for result, who, chunk, row, slot, digest in zip(
                delivered.results, *columns, strict=True
            ):
                if result.fate == "deferred":
                    if not result.indeterminate:
                        unsent.append((who, slot))
                    continue
                target, is_written = self._by_slot[slot], result.fate != "rejected"
                kind = self._counted_as(target.kind)
                fates[kind, chunk, "written" if is_written else "rejected"] += 1
                state = WRITTEN if is_written else rejected_values.state_of(result)
                outcomes[who].append((slot, digest, state))
                left = self._rows.settle_one(chunk, row, is_written=is_written)
                if not left.values:
                    digests[who] = left.digest
                    fates[ROWS, chunk, "written"] += self.values_only
                if is_written:
                    written.append((who, slot))
                    versions[who] = left.version
                else:
                    self._with_rejected[chunk, row] = who
                    rejected.append(rejected_values.rejection(self.load_file, target, who, result))
        traffic = self.sender.take_traffic()
        db, load_file = self.database, self.load_file
        with db.transaction():
            self._in_flight.record(outcomes, unsent, digests, versions)
            if written and values.any_rejected(db, load_file.account):
                answered = zip(*written, strict=True)
                values.forget_rejected(
                    db, load_file.account, pa.table(list(map(list, answered)), values.ANSWERED)
                )
            values.record_rejected(db, load_file, pa.Table.from_pylist(rejected, values.REJECTED))
            value_fates.add_fates(db, load_file, fates)
            runs.add_traffic(db, load_file, traffic)
        return traffic.requests

    def release_rejected(self, words: str) -> None:
        """Let values that this run saw refused in these words be sent again by the next one: they
        concern the account, and no value. Neither they nor their rows are settled then.
        """
        db, load_file = self.database, self.load_file
        with db.transaction():
            found = rejected_values.release_rejected(db, load_file, words, self.email_key)
            kinds = Counter(self._counted_as(row["kind"]) for row in found)
            value_fates.withdraw(db, load_file, kinds, "rejected")
            if self.values_only:
                ended = {who for at, who in self._with_rejected.items() if at not in self._rows}
                rows = {ROWS: len(ended & {row["customer_id"] for row in found})}
                value_fates.withdraw(db, load_file, rows, "written")

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the file's counts by kind."""
        return value_fates.job_counts(self.database, self.load_file)

    def _counted_as(self, kind: str) -> str:
        """Return under which kind values of a kind of target are counted."""
        return kind

    def _kinds(self) -> list[Kind]:
        return [kind for kind in KINDS if self.targets.of(kind)]

    @cached_property
    def _in_flight(self) -> ValuesInFlight:
        return ValuesInFlight(self.database, self.load_file.account, self.values_only)

    @cached_property
    def _by_slot(self) -> Mapping[int, Target]:
        return {target.slot: target for target in self.targets.items}
