"""The story of a load: every row read ends in exactly one counted fate."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import pyarrow as pa

from dlt_bunce.api.pacing import BatchSize
from dlt_bunce.api.session import Session
from dlt_bunce.api.settlement import Row, Settlement, Traits, Verdict
from dlt_bunce.errors import BunceError, ConservationError, MappingError, RowsDeferredError
from dlt_bunce.logs import logger
from dlt_bunce.model import REJECT_CODES
from dlt_bunce.records import rows as source_rows
from dlt_bunce.records.batching import pack
from dlt_bunce.records.fingerprint import email_digests
from dlt_bunce.records.mapping import FieldMapping
from dlt_bunce.records.prepare import Prepared, Rules, prepare
from dlt_bunce.store import runs
from dlt_bunce.store.database import Database
from dlt_bunce.store.dead_letters import LETTERS
from dlt_bunce.store.ledger import SETTLED, Job, Ledger

CHUNK_ROWS = 20_000
"""Rows read and compared with the ledger at a time: what a load holds in memory."""
MAX_BATCH_BYTES = 4_000_000
BUSY_WAITS_S = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Waits before rows that another live run is sending are asked for again, and then deferred."""
MAPPING_SAMPLE = 1_000
"""So many first rows, all rejected for the same reason, mean a wrong mapping, not bad rows."""


class Source(Protocol):
    """A file of customers that can be read again from its beginning."""

    @property
    def row_count(self) -> int | None:
        """Rows there are, where the file says so."""

    def chunks(self, rows: int) -> Iterator[pa.Table]:
        """The rows in order, in tables of at most `rows`; the same tables at each call."""


@dataclass(frozen=True)
class Settings:
    """How to load: see the configuration for what each means."""

    mapping: FieldMapping
    rules: Rules
    email_key: bytes
    concurrency: int = 4
    chunk_rows: int = CHUNK_ROWS
    progress: Callable[[int], None] = lambda _rows: None
    check_mapping: bool = True


@dataclass
class _Chunk:
    number: int
    table: pa.Table
    prepared: Prepared


@dataclass
class _Delivered:
    batch: pa.Table
    verdicts: list[Verdict]
    calls: int
    fault: BunceError | None


@dataclass
class Load:
    """One file of customers on its way into Bunce. `run()` tells the whole story."""

    source: Source
    job: Job
    settings: Settings
    database: Database
    session: Session
    size: BatchSize
    ledger: Ledger = field(init=False)
    _traits: Traits = field(default_factory=Traits)
    _stop: threading.Event = field(default_factory=threading.Event)
    _fault: BunceError | None = None
    # tables whose rows are on the wire, so that a dead letter can hold its source row
    _tables: dict[int, pa.Table] = field(default_factory=dict)
    _unsettled: Counter[int] = field(default_factory=Counter)
    _busy: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.database, self.job)

    def run(self) -> dict[str, int]:
        """Loads the file and returns its counts: `read`, and the nine fates by name.

        Raises what stopped it after everything in flight is settled and recorded:
        CredentialsError, UnavailableError, RowsDeferredError, StoreError; MappingError when the
        first rows show that the mapping is wrong.
        """
        only: Collection[int] | None = None
        for seconds in BUSY_WAITS_S:
            time.sleep(seconds)
            self._busy.clear()
            chunks = self._read(only)
            claimed = (self._claim(chunk) for chunk in chunks)
            batches = pack(claimed, self.size, MAX_BATCH_BYTES)
            with closing(self._deliver(batches)) as deliveries:
                for delivered in deliveries:
                    self._settle(delivered)
            only = set(self._busy)
            if self._stop.is_set() or not only:
                break
        return self._account()

    def _read(self, only: Collection[int] | None) -> Iterator[_Chunk]:
        for number, table in enumerate(self.source.chunks(self.settings.chunk_rows)):
            if self._stop.is_set():
                return
            if only is None or number in only:
                prepared = prepare(table, self.settings.mapping, self.settings.rules)
                if number == 0 and self.settings.check_mapping:
                    self._check_mapping(prepared, table)
                yield _Chunk(number, table, prepared)
                if only is None:
                    self.settings.progress(table.num_rows)

    def _claim(self, chunk: _Chunk) -> pa.Table:
        """Counts the chunk, records its rejects, and claims what must go on the wire."""
        prepared = chunk.prepared
        claim = self.ledger.claim(
            prepared.accepted,
            rejects_to_letters(chunk.number, chunk.table, prepared.rejected),
            chunk=chunk.number,
            read=prepared.read,
            superseded=prepared.superseded,
        )
        logger().debug(
            "load.chunk",
            chunk=chunk.number,
            read=prepared.read,
            to_send=claim.to_send.num_rows,
            busy=claim.busy,
        )
        if claim.busy:
            self._busy.add(chunk.number)
        if claim.to_send.num_rows:
            self._tables[chunk.number] = chunk.table
            self._unsettled[chunk.number] += claim.to_send.num_rows
        numbers = pa.array([chunk.number] * claim.to_send.num_rows, pa.int64())
        return claim.to_send.append_column("chunk", numbers)

    def _deliver(self, batches: Iterable[pa.Table]) -> Generator[_Delivered, None, None]:
        """Sends batches from a few threads and yields each as it is settled with Bunce."""
        limit = self.settings.concurrency * 2
        with ThreadPoolExecutor(self.settings.concurrency, "bunce-send") as pool:
            running: dict[Future[_Delivered], set[str]] = {}

            def finished() -> Iterator[_Delivered]:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    del running[future]
                    yield future.result()

            try:
                for batch in batches:
                    emails = set(batch.column("email").to_pylist())
                    # of customers who share an email, the first one read gets it
                    while len(running) >= limit or any(map(emails.intersection, running.values())):
                        yield from finished()
                    running[pool.submit(self._send, batch)] = emails
                while running:
                    yield from finished()
            except BaseException:
                # whatever is still queued must not go out: nobody would write down its fate
                self._stop.set()
                raise

    def _send(self, batch: pa.Table) -> _Delivered:
        settlement = Settlement(
            _rows(batch),
            self.session,
            self._traits,
            self.size,
            found_fate="adopted" if self.job.disposition == "append" else "skipped",
            stopped=self._stop.is_set,
        )
        verdicts = settlement.run()
        if settlement.fault is not None:
            self._stop.set()
        return _Delivered(batch, verdicts, settlement.calls, settlement.fault)

    def _settle(self, delivered: _Delivered) -> None:
        """Writes what became of a batch: ledger, dead letters, and counts in one transaction."""
        self._fault = self._fault or delivered.fault
        batch = delivered.batch
        verdicts = self._with_known_emails(batch, delivered.verdicts)
        settled = _settled(batch, verdicts, self.settings.email_key)
        self.ledger.settle(settled, self._letters(batch, verdicts), self.session.take_traffic())
        fates = Counter[str](verdict.fate for verdict in verdicts)
        logger().debug("batch.settled", rows=len(verdicts), calls=delivered.calls, **fates)
        for number in batch.column("chunk").to_pylist():
            self._unsettled[number] -= 1
            if not self._unsettled[number]:
                del self._unsettled[number]
                self._tables.pop(number, None)

    def _with_known_emails(self, batch: pa.Table, verdicts: list[Verdict]) -> list[Verdict]:
        """A "taken" that no look-up explained is explained when the ledger has delivered the
        email under another id.
        """
        open_ = [
            i
            for i, verdict in enumerate(verdicts)
            if verdict.code == "already_taken" or verdict.confirmation == "conflict"
        ]
        if not open_:
            return verdicts
        rows = batch.take(pa.array(open_, pa.int64()))
        ids = rows.column("customer_id").to_pylist()
        digests = email_digests(rows.column("email"), self.settings.email_key).to_pylist()
        others = self.ledger.emails_of_others(dict(zip(ids, digests, strict=True)))
        changed = list(verdicts)
        for i, customer_id in zip(open_, ids, strict=True):
            if customer_id in others:
                changed[i] = replace(
                    verdicts[i],
                    fate="rejected",
                    confirmation=None,
                    code="email_taken",
                    field="email",
                    message=verdicts[i].message or "taken, by another customer of the ledger",
                )
        return changed

    def _letters(self, batch: pa.Table, verdicts: list[Verdict]) -> pa.Table:
        bad = [i for i, verdict in enumerate(verdicts) if verdict.fate == "rejected"]
        letters = []
        for i, row in zip(bad, batch.take(pa.array(bad, pa.int64())).to_pylist(), strict=True):
            verdict = verdicts[i]
            source = self._tables[row["chunk"]].slice(row["row"], 1).to_pylist()[0]
            letters.append(
                {name: row[name] for name in ("customer_id", "fingerprint", "version", "chunk")}
                | {"payload": row["payload"], "source_row": source_rows.encode(source)}
                | {"code": verdict.code, "field": verdict.field, "message": verdict.message}
                | {"stage": "api", "http_status": verdict.http_status}
            )
        return pa.Table.from_pylist(letters, LETTERS)

    def _account(self) -> dict[str, int]:
        """The counts of the job, proven to add up; raises what kept rows from being settled."""
        runs.add_traffic(self.database, self.job, self.session.take_traffic())
        counts = runs.job_counts(self.database, self.job)
        if self._fault is not None:
            raise self._fault
        if counts["deferred"]:
            raise RowsDeferredError(
                f"{counts['deferred']} of {counts['read']} rows could not be settled: another "
                "run is sending them, or Bunce names no reason within the bound on requests.",
                remedy="Run again; what is settled is not sent again.",
            )
        expected = self.source.row_count
        if expected is not None and expected != counts["read"]:
            raise ConservationError(
                f"The file holds {expected} rows, but {counts['read']} are accounted for.",
                remedy="This is a defect of dlt-bunce, please report it; the rows are kept.",
            )
        return counts

    def _check_mapping(self, prepared: Prepared, table: pa.Table) -> None:
        codes = set(prepared.rejected.column("code").to_pylist())
        if prepared.read < MAPPING_SAMPLE or prepared.accepted.num_rows or len(codes) != 1:
            return
        code = REJECT_CODES[codes.pop()]
        column = self.settings.mapping.columns.get(code.field or "", "none")
        raise MappingError(
            f"All of the first {prepared.read} rows are rejected as {code.code}: the mapping of "
            f"{code.field} (column {column!r}) looks wrong. Nothing was sent.",
            columns=[name for name in table.column_names if not name.startswith("_dlt_")],
            remedy=f'Write {code.field} = "…" under [destination.bunce.mapping], or {code.remedy}.',
        )


def recorded(mapping: FieldMapping) -> dict[str, str]:
    """Field (or "version") to column, as a run keeps it for replays."""
    version = {"version": mapping.version} if mapping.version else {}
    return {**mapping.columns, **version}


def rejects_to_letters(chunk: int, table: pa.Table, rejected: pa.Table) -> pa.Table:
    """Dead letters (LETTERS) of the rows that `prepare` rejected."""
    if not rejected.num_rows:
        return LETTERS.empty_table()
    sources = table.take(rejected.column("row")).to_pylist()
    letters: list[Mapping[str, Any]] = [
        {**row, "stage": "normalize", "source_row": source_rows.encode(source), "chunk": chunk}
        for row, source in zip(rejected.drop_columns(["row"]).to_pylist(), sources, strict=True)
    ]
    return pa.Table.from_pylist(letters, LETTERS)


def _rows(batch: pa.Table) -> list[Row]:
    names = ("customer_id", "email", "first_name", "last_name", "phone_no", "payload", "in_doubt")
    columns = [batch.column(name).to_pylist() for name in names]
    return [
        Row(
            customer_id,
            email,
            phone,
            payload,
            {"email": email, "first_name": first, "last_name": last, "phone_no": phone},
            in_doubt,
        )
        for customer_id, email, first, last, phone, payload, in_doubt in zip(*columns, strict=True)
    ]


def _settled(batch: pa.Table, verdicts: list[Verdict], email_key: bytes) -> pa.Table:
    fingerprints = batch.column("fingerprint").to_pylist()
    delivered = [
        fingerprint if verdict.ours else None
        for fingerprint, verdict in zip(fingerprints, verdicts, strict=True)
    ]
    return pa.table(
        [
            batch.column("customer_id"),
            pa.array([verdict.fate for verdict in verdicts]),
            pa.array([verdict.confirmation for verdict in verdicts], pa.string()),
            pa.array(delivered, pa.string()),
            batch.column("version"),
            email_digests(batch.column("email"), email_key),
            batch.column("chunk"),
            pa.array([verdict.in_doubt for verdict in verdicts]),
        ],
        schema=SETTLED,
    )
