"""The story of a load: every row read ends in exactly one counted fate."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.errors import AccountRefusedError, BunceError
from dlt_bunce.load import claiming, corrections, dead_letters, table_record
from dlt_bunce.load.chunks import CHUNK_ROWS, Chunk, Chunks, Duplicates, Source
from dlt_bunce.load.conservation import check_counts, check_values
from dlt_bunce.load.dispatch import MAX_BATCH_BYTES, Batch, Delivered, Dispatcher, prefetch
from dlt_bunce.load.in_flight import InFlightChunks
from dlt_bunce.load.lease import Lease, waits
from dlt_bunce.load.linking import Linking, with_sent_payloads
from dlt_bunce.load.pending_lookups import MAX_PENDING_S, PATIENCE_S, PendingLookups
from dlt_bunce.load.progress import Meter, Progress, watch
from dlt_bunce.load.sender import Sender
from dlt_bunce.load.values.values import ValueDelivery
from dlt_bunce.load.version_check import check_versions
from dlt_bunce.logs import logger
from dlt_bunce.records.bad_mapping import detect_bad_mapping
from dlt_bunce.records.batching import Packer
from dlt_bunce.records.fields.rules import Rules
from dlt_bunce.records.mapping.mapping import FieldMapping
from dlt_bunce.store.database import Database
from dlt_bunce.store.ledger import DEFAULT_LEASE_S, Ledger
from dlt_bunce.store.letters import released
from dlt_bunce.store.load_file import LoadFile
from dlt_bunce.store.runs import run_chunks, runs

_QUIET_WAITS = 4
"""After so many waits for another run, a load logs that it is waiting."""


@dataclass(frozen=True)
class Settings:
    """How to load: see the configuration for what each means."""

    mapping: FieldMapping
    rules: Rules
    email_key: bytes
    chunk_rows: int = CHUNK_ROWS
    progress: Callable[[Progress], None] = lambda _progress: None
    on_minute: Callable[[Progress], None] = lambda _progress: None
    on_chunk: Callable[[Chunk], None] = lambda _chunk: None
    interrupted: Callable[[], bool] = lambda: False
    requests_per_minute: int = 0
    check_mapping: bool = True
    lease_s: float = DEFAULT_LEASE_S
    wait_for_others: bool = True
    patience_s: Sequence[float] = PATIENCE_S


@dataclass
class Load:
    """One file of customers on its way into Bunce. `run()` tells the whole story."""

    source: Source
    load_file: LoadFile
    settings: Settings
    database: Database
    sender: Sender
    duplicates: Duplicates | None = None
    ledger: Ledger | None = None
    values: ValueDelivery | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _interrupted: bool = False
    _cut_short: bool = False
    _fault: BunceError | None = None
    _in_flight: InFlightChunks = field(default_factory=InFlightChunks)
    _busy: dict[int, int] = field(default_factory=dict)  # rows that another run sends, by chunk
    _met: set[int] = field(default_factory=set)
    _corrects: bool = False

    def __post_init__(self) -> None:
        settings, name, lease_s = self.settings, self.load_file.job_id, self.settings.lease_s
        if self.duplicates is None:
            self.duplicates = Duplicates({name: self.source}, settings.mapping, settings.rules)
        self._chunks = Chunks(name, self.duplicates, settings.chunk_rows)
        self._ledger = self.ledger or Ledger(self.database, self.load_file, lease_s=lease_s)
        self._pending = PendingLookups(max_wait_s=min(MAX_PENDING_S, lease_s / 3))
        self._linking = Linking(
            self._ledger,
            self.duplicates.identities,
            settings.email_key,
            update=self.load_file.disposition == "merge",
        )
        self._lease = Lease(self.database, self.load_file, self._in_flight.chunks, lease_s=lease_s)
        self._meter = Meter(name, self.source.row_count, seconds_per_row=self._min_seconds_per_row)

    def run(self) -> dict[str, int]:
        """Load the file and return its counts: `read`, and the nine fates by name.

        Re-raises the first error once everything in flight is settled and recorded:
        CredentialsError, UnavailableError, RowsDeferredError, StoreError; StoppedError when the
        process was asked to end; MappingError when the first rows show that the mapping is wrong.
        """
        with self._lease, self._watched():
            self._load()
            self._deliver_values()
        counts = self._check()
        if self._corrects:
            self._close_corrected()
        return counts

    def _load(self) -> None:
        only: Collection[int] | None = None
        for turn, seconds in enumerate(waits(self.settings.lease_s)):
            if turn == _QUIET_WAITS:
                rows, most = sum(self._busy.values()), round(self.settings.lease_s)
                logger().warning("load.waiting", rows=rows, at_most_s=most)
            self._stop.wait(seconds)
            self._busy.clear()
            with self._dispatcher() as dispatcher:
                self._load_chunks(dispatcher, only)
                self._look_up_lagging(dispatcher)
            only = set(self._busy)
            if self._stop.is_set() or not only or not self.settings.wait_for_others:
                break

    def _load_chunks(self, dispatcher: Dispatcher, only: Collection[int] | None) -> None:
        """Read, compare, batch, dispatch, and settle the chunks of the file, or some of them."""
        packer = Packer(self.sender.batch_size, MAX_BATCH_BYTES)
        for chunk in prefetch(self._read(only)):
            to_send = self._claim(chunk)
            for rows in packer.add(to_send):
                self._dispatch(dispatcher, [Batch(rows)])
                self._dispatch(dispatcher, self._pending.due(chunk.number))
            self._settle_all(dispatcher.settled())
            self._dispatch(dispatcher, self._pending.due(chunk.number))
            self._dispatch(dispatcher, self._linking.due(chunk.number, self.sender.batch_size()))
        self._dispatch(dispatcher, map(Batch, packer.rest()))
        self._settle_all(dispatcher.drain())
        self._settle_waiting(dispatcher)

    def _settle_waiting(self, dispatcher: Dispatcher) -> None:
        """Settle rows that are sent or looked up a second time, until none is left."""
        while self._pending.has_taken or self._linking.is_waiting:
            self._dispatch(dispatcher, self._pending.rest())
            self._dispatch(dispatcher, self._linking.rest(self.sender.batch_size()))
            self._settle_all(dispatcher.drain())

    def _look_up_lagging(self, dispatcher: Dispatcher) -> None:
        """Look again for customers whom this run may have created, with patience."""
        waits_s = self.settings.patience_s
        for number, seconds in enumerate(waits_s, start=1):
            if not self._pending.has_lagging:
                return
            self._stop.wait(seconds)
            last_try = number == len(waits_s) or self._stop.is_set()
            self._dispatch(dispatcher, self._pending.lagging(last_try=last_try))
            self._settle_all(dispatcher.drain())
            self._settle_waiting(dispatcher)

    def _deliver_values(self) -> None:
        """Deliver attribute values and segment members, now that it is known who is accepted."""
        if (values := self.values) is not None:
            fault = values.deliver(self._chunks, self._stop, lambda n: self._count(requests=n))
            self._fault = self._fault or fault
            self._cut_short |= values.is_cut_short

    def _dispatcher(self) -> Dispatcher:
        return Dispatcher(
            self._send,
            threads=self.sender.threads,
            in_flight=self.sender.in_flight,
            on_abort=self._stop.set,
        )

    def _dispatch(self, dispatcher: Dispatcher, batches: Iterable[Batch]) -> None:
        """Queue batches, each after a commit that says that it may be in flight: a few at a time,
        since after a crash all that was marked must be looked up.
        """
        for batch in batches:
            ahead = self.sender.in_flight() * batch.rows.num_rows
            further = self._in_flight.announce(batch.rows, ahead)
            # once the load stops nothing leaves any more
            if further and not self._stop.is_set():
                self._ledger.mark_in_flight(further)
            self._settle_all(dispatcher.submit(batch))

    def _read(self, only: Collection[int] | None) -> Iterator[Chunk]:
        for chunk in self._chunks.read(only):
            if self._stop.is_set():
                self._cut_short = True
                return
            if chunk.number == 0 and self.settings.check_mapping:
                fault = detect_bad_mapping(chunk.prepared, chunk.table, self.settings.mapping)
                if fault is not None:
                    raise fault
            if self.values is not None:
                self.values.read_ahead(chunk)
            yield chunk
            if only is None:
                self._count(read=chunk.table.num_rows)

    def _claim(self, chunk: Chunk) -> pa.Table:
        """Count the chunk, record its rejects, and claim what must be sent."""
        if chunk.number == 0 and self.settings.check_mapping:
            check_versions(self.database, self.load_file, self.settings.mapping, chunk.prepared)
        table_record.record(self.database, self.load_file, self.settings.mapping, chunk)
        key, values = self.settings.email_key, self.values
        chunk, claim = claiming.claim(self._ledger, self._chunks, chunk, key, values)
        self.settings.on_chunk(chunk)
        claiming.look_at_values(self._ledger, chunk, claim, values)
        self._corrects |= corrections.are_in(chunk.table)
        number, read, to_send, busy = chunk.number, chunk.table.num_rows, claim.to_send, claim.busy
        wanted = to_send.num_rows
        logger().debug("load.chunk", chunk=number, read=read, to_send=wanted, busy=busy)
        if busy:
            self._busy[number] = busy
        if number not in self._met:
            self._met.add(number)
            self._count(settled=read - wanted - busy, to_send=wanted)
        self._in_flight.add(number, chunk.table, wanted)
        numbers = pa.repeat(pa.scalar(number, pa.int64()), wanted)
        return with_sent_payloads(to_send).append_column("chunk", numbers)

    def _send(self, batch: Batch) -> Delivered:
        delivered = self.sender.send(
            batch,
            overwrite=self.load_file.disposition == "merge",
            stopped=lambda: self._stop.is_set() or self._lease.is_lost(),
        )
        if delivered.fault is not None:
            self._stop.set()
        return delivered

    def _settle_all(self, groups: Iterator[Sequence[Delivered]]) -> None:
        for group in groups:
            self._settle(group)

    def _settle(self, group: Sequence[Delivered]) -> None:
        """Record what became of batches: ledger, dead letters, and counts in one transaction."""
        settled, letters, key = [], [], self.settings.email_key
        for delivered in group:
            self._fault = self._fault or delivered.fault
            rows, results = self._linking.take(*self._pending.take(delivered))
            if self.values is not None:
                self.values.created_anew(rows, results)
            results = dead_letters.with_known_emails(self._ledger, rows, results, key)
            settled.append(dead_letters.settled(rows, results, key))
            letters.append(dead_letters.of_results(rows, results, self._in_flight.tables, key))
            fates = Counter[str](result.fate for result in results)
            logger().debug("batch.settled", rows=len(results), calls=delivered.calls, **fates)
        rows = pa.concat_tables(settled)
        done = self._in_flight.settled(rows.column("chunk"))
        traffic = self.sender.take_traffic()
        self._ledger.settle(rows, pa.concat_tables(letters), traffic, done)
        deferred = pc.sum(pc.equal(rows.column("fate"), "deferred"), min_count=0).as_py()
        self._count(settled=rows.num_rows - deferred, requests=traffic.requests)
        self._in_flight.forget(done)

    def _close_corrected(self) -> None:
        """Close the dead letters that rows name: a corrected row need not have their key."""
        for chunk in self._chunks.read():
            corrections.close(self.database, self.load_file, chunk.table, chunk.prepared)

    def _check(self) -> dict[str, int]:
        """Return the file's counts, proven to add up; raise what kept rows from being settled."""
        runs.add_traffic(self.database, self.load_file, self.sender.take_traffic())
        if isinstance(self._fault, AccountRefusedError):
            # the first of them looked like bad rows
            released.release_rejected(self.database, self.load_file, self._fault.words)
            if self.values is not None:
                self.values.release_rejected(self._fault.words)
        counts = run_chunks.job_counts(self.database, self.load_file)
        stopped = self._interrupted and (self._cut_short or counts["deferred"] > 0)
        fault = self._fault or self._pending.fault
        check_counts(counts, self.source.row_count, stopped=stopped, fault=fault)
        if self.values is not None:
            found = self.values.counts()
            check_values(found, counts["read"], self.values.targets, stopped=self._interrupted)
        return counts

    def _watched(self) -> AbstractContextManager[None]:
        return watch(
            tell=lambda: self.settings.on_minute(self._meter.add()),
            interrupted=self.settings.interrupted,
            stop=self._interrupt,
        )

    def _interrupt(self) -> None:
        self._interrupted = True
        self._stop.set()
        self.sender.stop()

    def _min_seconds_per_row(self) -> float:
        allowed = self.settings.requests_per_minute
        return 60 / allowed / self.sender.batch_size() if allowed else 0.0

    def _count(self, **counts: int) -> None:
        self.settings.progress(self._meter.add(**counts))
