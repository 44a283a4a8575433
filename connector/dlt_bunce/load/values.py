"""Attribute values and segment members of a load: after its customers, and only what changed.

Each chunk is looked at twice. As it is read, one digest a row tells whether any of its values has
changed; that is all an unchanged load takes. Once all customers of the file are settled, chunks
with changes are read again: by now the ledger knows which customers Bunce has.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa

from dlt_bunce.errors import BunceError
from dlt_bunce.load.chunks import Chunk, Chunks
from dlt_bunce.load.dispatch import Delivered, Dispatcher, ValueBatch, prefetch
from dlt_bunce.load.sender import Sender
from dlt_bunce.load.value_rows import ChangedValues, ChunkValues
from dlt_bunce.logs import logger
from dlt_bunce.records.batching import Packer
from dlt_bunce.records.recorded_targets import recorded
from dlt_bunce.records.targets import KINDS, Kind, Target, Targets
from dlt_bunce.records.value_digests import REJECTED, WRITTEN, repacked
from dlt_bunce.settlement.row_result import RowResult
from dlt_bunce.store import mappings, runs, value_fates, values
from dlt_bunce.store.database import Database
from dlt_bunce.store.load_file import LoadFile

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
    _due: set[int] = field(default_factory=set)
    _ahead: dict[int, ChunkValues] = field(default_factory=dict)
    # by chunk and row: how many of its values are still to be written, and the digest of all
    _rows: dict[tuple[int, int], tuple[int, bytes | None]] = field(default_factory=dict)
    _fault: BunceError | None = None

    def read_ahead(self, chunk: Chunk) -> None:
        """Read a chunk's values, in the thread that reads chunks, for `look` to come."""
        self._ahead[chunk.number] = ChunkValues(chunk, self.targets, self.email_key)

    def look(self, chunk: Chunk) -> None:
        """Count a chunk's values, and note whether any has to be delivered."""
        found = self._ahead.pop(chunk.number, None)
        if found is None or found.chunk is not chunk:  # some of its rows have given way since
            found = ChunkValues(chunk, self.targets, self.email_key)
        db, load_file, number = self.database, self.load_file, chunk.number
        self._due.discard(number)
        if number == 0:
            with db.transaction():
                mappings.record_targets(db, load_file, recorded(self.targets, chunk.table.schema))
        if values.any_changed(db, load_file.account, found.incoming):
            self._due.add(number)
            with db.transaction():
                for kind in self._kinds():
                    value_fates.begin_chunk(db, load_file, kind, number, found.read(kind))
            return
        with db.transaction():
            for kind in self._kinds():
                value_fates.put_chunk(db, load_file, kind, number, found.counts(kind, None))

    def deliver(
        self, chunks: Chunks, stop: threading.Event, on_requests: Callable[[int], None]
    ) -> BunceError | None:
        """Send what changed of the chunks that are due; return why the load must stop, if so."""
        if not self._due or stop.is_set():
            return None
        logger().debug("values.started", chunks=len(self._due))
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
            for found in prefetch(self._read(chunks, self._due, stop)):
                for rows in packer.add(self._open(found)):
                    settle(dispatcher.submit(ValueBatch(rows)))
                settle(dispatcher.settled())
            for rows in packer.rest():
                settle(dispatcher.submit(ValueBatch(rows)))
            settle(dispatcher.drain())
        return self._fault

    def _read(
        self, chunks: Chunks, due: Collection[int], stop: threading.Event
    ) -> Iterator[ChunkValues]:
        for chunk in chunks.read(due):
            if stop.is_set():
                return
            alone = chunk if chunk.is_alone else chunks.again(chunk)
            yield ChunkValues(alone, self.targets, self.email_key)

    def _open(self, found: ChunkValues) -> pa.Table:
        """Count a chunk's values, record those that are rejected here, and return what to send."""
        db, load_file, number = self.database, self.load_file, found.chunk.number
        rows = values.changed(db, load_file.account, found.incoming)
        changes = ChangedValues(found, rows)
        with db.transaction():
            for kind in self._kinds():
                value_fates.put_chunk(db, load_file, kind, number, found.counts(kind, changes))
            if values.any_rejected(db, load_file.account):
                values.forget_rejected(db, load_file.account, changes.answered)
            values.record_rejected(db, load_file, changes.rejected)
            values.repack(db, load_file.account, changes.settled)
        self._rows |= {(number, row): left for row, left in changes.left.items()}
        return changes.to_send

    def _settle(self, group: Sequence[Delivered]) -> int:
        """Record what became of batches in one transaction; return how many requests it took."""
        fates: Counter[tuple[str, int, str]] = Counter()
        by_customer: dict[str, list[tuple[int, bytes, bytes]]] = defaultdict(list)
        digests: dict[str, bytes | None] = {}
        rejected: list[dict[str, object]] = []
        for delivered in group:
            self._fault = self._fault or delivered.fault
            batch = delivered.batch.rows
            columns = (batch.column(name).to_pylist() for name in _OF_A_VALUE)
            for result, who, chunk, row, slot, digest in zip(
                delivered.results, *columns, strict=True
            ):
                if result.fate == "deferred":
                    continue
                target, is_written = self._by_slot[slot], result.fate != "rejected"
                fates[target.kind, chunk, "written" if is_written else "rejected"] += 1
                by_customer[who].append((slot, digest, WRITTEN if is_written else REJECTED))
                digests[who] = self._whole(chunk, row, is_written=is_written)
                if not is_written:
                    rejected.append(self._rejection(target, who, result))
        traffic = self.sender.take_traffic()
        db, load_file = self.database, self.load_file
        with db.transaction():
            packed = values.packed_of(db, load_file.account, list(by_customer))
            again = [repacked(found, by_customer[who]) for who, found in packed.items()]
            whole = [digests[who] for who in packed]
            table = pa.table([list(packed), again, whole], schema=values.PACKED)
            values.repack(db, load_file.account, table)
            values.record_rejected(db, load_file, pa.Table.from_pylist(rejected, values.REJECTED))
            value_fates.add_fates(db, load_file, fates)
            runs.add_traffic(db, load_file, traffic)
        return traffic.requests

    def _whole(self, chunk: int, row: int, *, is_written: bool) -> bytes | None:
        """Return the digest of all values of a row once the last of them is written."""
        left, whole = self._rows.pop((chunk, row))
        if left > 1:
            self._rows[chunk, row] = left - 1, whole if is_written else None
            return None
        return whole if is_written else None

    def _rejection(self, target: Target, who: str, result: RowResult) -> dict[str, object]:
        # of all that the other codes may mean, a refusal remains
        code = result.code if result.code in {"undeliverable", "unconfirmed"} else "refused"
        # Bunce's words may quote the value
        keys_only = self.load_file.letter_rows == "keys"
        return {
            "customer_id": who,
            "slot": target.slot,
            "name": target.name,
            "column_name": target.column,
            "code": code,
            "message": values.meaning(code) if keys_only else result.message,
            "http_status": result.http_status,
        }

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the file's counts by kind."""
        return value_fates.job_counts(self.database, self.load_file)

    def _kinds(self) -> list[Kind]:
        return [kind for kind in KINDS if self.targets.of(kind)]

    @cached_property
    def _by_slot(self) -> Mapping[int, Target]:
        return {target.slot: target for target in self.targets.items}
