"""The story of a load: every row read ends in exactly one counted fate."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.api.batch import Rows
from dlt_bunce.api.client import Session
from dlt_bunce.api.throttle import Throttle
from dlt_bunce.errors import BunceError
from dlt_bunce.load import claiming, corrections, dead_letters
from dlt_bunce.load.chunks import CHUNK_ROWS, Chunk, Chunks, Duplicates, Source
from dlt_bunce.load.counts import account
from dlt_bunce.load.dispatch import Delivered, deliver, prefetch
from dlt_bunce.load.in_flight import InFlightChunks
from dlt_bunce.load.lease import Lease, waits
from dlt_bunce.load.pending_lookups import MAX_PENDING_S, PendingLookups, caused_by, last_errors
from dlt_bunce.load.progress import Meter, Progress, watch
from dlt_bunce.load.version_check import check_versions
from dlt_bunce.logs import logger
from dlt_bunce.records.batching import Packer
from dlt_bunce.records.mapping import FieldMapping
from dlt_bunce.records.payload import with_payloads
from dlt_bunce.records.prepare import Rules, detect_bad_mapping
from dlt_bunce.settlement.settlement import ApiCapabilities, Settlement
from dlt_bunce.store import runs
from dlt_bunce.store.database import Database
from dlt_bunce.store.ledger import DEFAULT_LEASE_S, Ledger, LoadFile

MAX_BATCH_BYTES = 4_000_000
_PATIENT_TURNS = 4
"""After so many, a load that waits for another run says so."""


@dataclass(frozen=True)
class Settings:
    """How to load: see the configuration for what each means."""

    mapping: FieldMapping
    rules: Rules
    email_key: bytes
    chunk_rows: int = CHUNK_ROWS
    progress: Callable[[Progress], None] = lambda _progress: None
    on_minute: Callable[[Progress], None] = lambda _progress: None
    interrupted: Callable[[], bool] = lambda: False
    requests_per_minute: int = 0
    check_mapping: bool = True
    lease_s: float = DEFAULT_LEASE_S


@dataclass
class Load:
    """One file of customers on its way into Bunce. `run()` tells the whole story."""

    source: Source
    load_file: LoadFile
    settings: Settings
    database: Database
    session: Session
    throttle: Throttle
    duplicates: Duplicates | None = None
    ledger: Ledger = field(init=False)
    _capabilities: ApiCapabilities = field(default_factory=ApiCapabilities)
    _stop: threading.Event = field(default_factory=threading.Event)
    _interrupted: bool = False
    _cut_short: bool = False
    _fault: BunceError | None = None
    _in_flight: InFlightChunks = field(default_factory=InFlightChunks)
    # rows that another run is sending, by chunk
    _busy: dict[int, int] = field(default_factory=dict)
    _met: set[int] = field(default_factory=set)
    _held: PendingLookups = field(init=False)
    _corrects: bool = False

    def __post_init__(self) -> None:
        settings, name = self.settings, self.load_file.job_id
        if self.duplicates is None:
            self.duplicates = Duplicates({name: self.source}, settings.mapping, settings.rules)
        self._chunks = Chunks(name, self.duplicates, settings.chunk_rows)
        lease_s = self.settings.lease_s
        self.ledger = Ledger(self.database, self.load_file, lease_s=lease_s)
        self._held = PendingLookups(
            self._capabilities, max_wait_s=min(MAX_PENDING_S, self.settings.lease_s / 3)
        )
        self._lease = Lease(self.database, self.load_file, self._in_flight.chunks, lease_s=lease_s)
        self._meter = Meter(
            self.load_file.job_id, self.source.row_count, seconds_per_row=self._min_seconds_per_row
        )

    def run(self) -> dict[str, int]:
        """Loads the file and returns its counts: `read`, and the nine fates by name.

        Raises what stopped it after everything in flight is settled and recorded:
        CredentialsError, UnavailableError, RowsDeferredError, StoreError; StoppedError when the
        process was asked to end; MappingError when the first rows show that the mapping is wrong.
        """
        with self._lease, self._watched():
            self._load()
        counts = self._account()
        if self._corrects:
            self._close_corrected()
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
        self.session.stopping.set()

    def _min_seconds_per_row(self) -> float:
        allowed = self.settings.requests_per_minute
        return 60 / allowed / self.throttle.size() if allowed else 0.0

    def _count(self, **counts: int) -> None:
        self.settings.progress(self._meter.add(**counts))

    def _load(self) -> None:
        only: Collection[int] | None = None
        for turn, seconds in enumerate(waits(self.settings.lease_s)):
            if turn == _PATIENT_TURNS:
                rows, most = sum(self._busy.values()), round(self.settings.lease_s)
                logger().warning("load.waiting", rows=rows, at_most_s=most)
            self._stop.wait(seconds)
            self._busy.clear()
            self._deliver(self._batches(only))
            self._deliver(self._held.telling())
            self._deliver(self._held.rest())
            only = set(self._busy)
            if self._stop.is_set() or not only:
                break

    def _deliver(self, batches: Iterator[pa.Table | None]) -> None:
        deliveries = deliver(
            self._marked_in_flight(batches),
            self._send,
            threads=self.throttle.concurrency.most,
            in_flight=self.throttle.concurrency,
            before=self._held.sharing,
            on_abort=self._stop.set,
        )
        with closing(deliveries):
            for group in deliveries:
                self._settle(group)

    def _marked_in_flight(self, batches: Iterator[pa.Table | None]) -> Iterator[pa.Table | None]:
        """The same batches, each after a commit that says that it may be on the wire: a few at a
        time, for after a crash all that was announced must be looked up.
        """
        for batch in batches:
            if batch is not None:
                prefetch = self.throttle.concurrency() * batch.num_rows
                further = self._in_flight.announce(batch, prefetch)
                # once the load stops nothing leaves any more
                if further and not self._stop.is_set():
                    self.ledger.sending(further)
            yield batch

    def _batches(self, only: Collection[int] | None) -> Iterator[pa.Table | None]:
        """What must be sent of the file's chunks, or of some of them, in batches; and rows that
        have waited for what others bring. None after each chunk: it may bring no batch.
        """
        packer = Packer(self.throttle.size, MAX_BATCH_BYTES)
        for chunk in prefetch(self._read(only)):
            for batch in packer.add(self._claim(chunk)):
                yield batch
                yield from self._held.due(chunk.number)
            yield None
            yield from self._held.due(chunk.number)
        yield from packer.rest()

    def _read(self, only: Collection[int] | None) -> Iterator[Chunk]:
        for chunk in self._chunks.read(only):
            if self._stop.is_set():
                self._cut_short = True
                return
            if chunk.number == 0 and self.settings.check_mapping:
                fault = detect_bad_mapping(chunk.prepared, chunk.table, self.settings.mapping)
                if fault is not None:
                    raise fault
            yield chunk
            if only is None:
                self._count(read=chunk.table.num_rows)

    def _claim(self, chunk: Chunk) -> pa.Table:
        """Counts the chunk, records its rejects, and claims what must go on the wire."""
        if chunk.number == 0 and self.settings.check_mapping:
            check_versions(self.database, self.load_file, self.settings.mapping, chunk.prepared)
        chunk, claim = claiming.claim(self.ledger, self._chunks, chunk, self.settings.email_key)
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
        return with_payloads(to_send).append_column("chunk", numbers)

    def _send(self, batch: pa.Table, rows: Rows) -> Delivered:
        taken, refusal = last_errors(batch), caused_by(batch)
        again = bool(taken) or refusal is not None
        verb = batch.column("verb")[0].as_py()
        turn = self._capabilities.turn(proves=verb == "create" and not again)
        with turn as probe, self.throttle.slot() as learner:
            settlement = Settlement(
                rows,
                self.session,
                self._capabilities,
                learner,
                verb=verb,
                overwrite=self.load_file.disposition == "merge",
                taken=taken,
                caused_by=refusal,
                probe=probe,
                hold=not again,
                stopped=lambda: self._stop.is_set() or self._lease.is_lost(),
            )
            results = settlement.run()
        if settlement.fault is not None:
            self._stop.set()
        held, unverified = settlement.held, settlement.unverified
        return Delivered(batch, results, settlement.calls, settlement.fault, held, unverified)

    def _settle(self, group: Sequence[Delivered]) -> None:
        """Writes what became of batches: ledger, dead letters, and counts in one transaction."""
        settled, letters = [], []
        key = self.settings.email_key
        for delivered in group:
            self._fault = self._fault or delivered.fault
            batch, results = self._held.without(delivered)
            results = dead_letters.with_known_emails(self.ledger, batch, results, key)
            settled.append(dead_letters.settled(batch, results, key))
            letters.append(dead_letters.of_results(batch, results, self._in_flight.tables))
            fates = Counter[str](result.fate for result in results)
            logger().debug("batch.settled", rows=len(results), calls=delivered.calls, **fates)
        rows = pa.concat_tables(settled)
        done = self._in_flight.settled(rows.column("chunk"))
        traffic = self.session.take_traffic()
        self.ledger.settle(rows, pa.concat_tables(letters), traffic, done)
        deferred = pc.sum(pc.equal(rows.column("fate"), "deferred"), min_count=0).as_py()
        self._count(settled=rows.num_rows - deferred, requests=traffic.requests)
        self._in_flight.forget(done)

    def _close_corrected(self) -> None:
        """Closes the dead letters that rows name: a corrected row need not have their key."""
        for chunk in self._chunks.read():
            corrections.close(self.database, self.load_file, chunk.table, chunk.prepared)

    def _account(self) -> dict[str, int]:
        """The counts of the job, proven to add up; raises what kept rows from being settled."""
        runs.add_traffic(self.database, self.load_file, self.session.take_traffic())
        counts = runs.job_counts(self.database, self.load_file)
        stopped = self._interrupted and (self._cut_short or counts["deferred"] > 0)
        account(counts, self.source.row_count, stopped=stopped, fault=self._fault)
        return counts
