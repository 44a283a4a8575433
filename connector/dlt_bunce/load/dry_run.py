"""What a load would do: its own stages, against a copy of what the ledger knows of its customers.

Nothing is sent, and nothing is written but the copy, which lives in a temporary folder.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import weakref
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from dlt_bunce.errors import MappingError
from dlt_bunce.load import claiming, corrections, dead_letters
from dlt_bunce.load.chunks import Chunk, Chunks, Duplicates
from dlt_bunce.load.load import Settings
from dlt_bunce.load.progress import Progress
from dlt_bunce.load.version_check import check_versions
from dlt_bunce.model import RunSummary, Traffic
from dlt_bunce.records.fingerprint import email_digests
from dlt_bunce.records.mapping import FieldMapping
from dlt_bunce.records.payload import with_payloads
from dlt_bunce.records.prepare import detect_bad_mapping
from dlt_bunce.records.source_columns import values_of
from dlt_bunce.settlement.row_result import RowResult
from dlt_bunce.store import runs, snapshot
from dlt_bunce.store.accounts import known_account
from dlt_bunce.store.database import Database
from dlt_bunce.store.ledger import Ledger, LoadFile

_SAMPLE_ROWS = 1_000


@dataclass(frozen=True)
class Preview:
    """What a load would do, as far as the ledger and the rules tell.

    `sample` are the first rows as read, `nulls` counts null cells by mapped column; `to_create` and
    `to_update` are customers that would go on the wire; `fault` is what would stop the load.
    """

    summary: RunSummary
    mapping: FieldMapping | None = None
    sample: pa.Table = None
    nulls: Mapping[str, int] = field(default_factory=dict)
    to_create: int = 0
    to_update: int = 0
    fault: MappingError | None = None


class DryRun:
    """All files of one dry run, one after the other, as one load would see them."""

    def __init__(self) -> None:
        folder = tempfile.mkdtemp(prefix="dlt-bunce-")
        # a dry run that fails ends with the process
        self._forget = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._scratch = f"sqlite:///{Path(folder) / 'scratch.sqlite'}"
        self._lock = threading.Lock()
        self._nulls: Counter[str] = Counter()
        self._verbs: Counter[str] = Counter()
        self._mapping: FieldMapping | None = None
        self._sample: pa.Table = None
        self._fault: MappingError | None = None
        self._job: LoadFile | None = None
        self._store_url = ""

    def run(
        self, duplicates: Duplicates, load_file: LoadFile, settings: Settings, store_url: str
    ) -> None:
        """Reads the job's file and counts what would become of its rows."""
        # dead letters of the copy hold no rows
        load_file = replace(load_file, letter_rows="keys")
        with self._lock, Database(self._scratch) as scratch, _opened(store_url) as known:
            self._job, self._store_url = load_file, store_url
            account = None if known is None else known_account(known, load_file.account)
            key = b"" if account is None else account.email_key
            self._mapping = settings.mapping
            load_file = runs.begin(scratch, load_file, settings.mapping.recorded)
            if known is not None:
                snapshot.claims(known, scratch)
            chunks, ledger = Chunks(load_file.job_id, duplicates), Ledger(scratch, load_file)
            rows, read = duplicates.sources[load_file.job_id].row_count, 0
            for chunk in chunks.read():
                self._look_at(chunk, settings)
                if known is not None:
                    if chunk.number == 0 and settings.check_mapping:
                        check_versions(known, load_file, settings.mapping, chunk.prepared)
                    _copy_known(known, scratch, load_file, chunk, key)
                judged, claim = claiming.claim(ledger, chunks, chunk, key)
                self._accept(ledger, scratch, claim.to_send, judged, key)
                read += chunk.table.num_rows
                settings.progress(Progress(load_file.job_id, rows, read, read))

    def end(self) -> Preview:
        """The counts of all files; forgets the copy."""
        if self._job is None:
            self._forget()
            return Preview(RunSummary(state="dry_run"))
        load_file = self._job
        with Database(self._scratch) as scratch, _opened(self._store_url) as known:
            runs.finish(
                scratch, load_file.run_id, load_file.pipeline_name, load_file.account, "dry_run"
            )
            summary = runs.summaries(scratch, load_file.account, run_ids=[load_file.run_id])[0]
            taken = snapshot.emails_taken(known, scratch, load_file.account, load_file.run_id)
        self._forget()
        if taken:
            summary = replace(
                summary,
                created=summary.created - taken,
                rejected=summary.rejected + taken,
                reject_codes={**summary.reject_codes, "email_taken": taken},
            )
        summary.raise_if_unbalanced()
        return Preview(
            replace(summary, seconds=0.0),
            self._mapping,
            self._sample,
            dict(self._nulls),
            self._verbs["create"],
            self._verbs["update"],
            self._fault,
        )

    def _look_at(self, chunk: Chunk, settings: Settings) -> None:
        table = chunk.table
        for column in settings.mapping.columns.values():
            self._nulls[column] += values_of(table, column).null_count
        if chunk.number == 0:
            self._fault = self._fault or detect_bad_mapping(chunk.prepared, table, settings.mapping)
        if self._sample is None:
            self._sample = table.slice(0, _SAMPLE_ROWS)

    def _accept(
        self, ledger: Ledger, scratch: Database, to_send: pa.Table, chunk: Chunk, key: bytes
    ) -> None:
        """Settles what would be sent as if Bunce took all of it, but for changed emails: the API
        leaves those out of an update.
        """
        if not to_send.num_rows:
            return
        verbs = to_send.column("verb")
        self._verbs.update(verbs.to_pylist())
        batch = with_payloads(to_send)
        batch = batch.append_column("chunk", pa.array([chunk.number] * batch.num_rows, pa.int64()))
        digests = email_digests(batch.column("email"), key)
        assert self._job is not None  # noqa: S101, set by run()
        account = self._job.account
        kept = snapshot.emails_that_stay(scratch, account, batch.column("customer_id"), digests)
        created = RowResult("created", "response")
        updated = RowResult("updated", "response")
        ignored = replace(updated, code="email_not_updated", field="email")
        results = [
            created if verb == "create" else ignored if stays else updated
            for verb, stays in zip(verbs.to_pylist(), kept, strict=True)
        ]
        letters = dead_letters.of_results(batch, results, {chunk.number: chunk.table})
        ledger.settle(dead_letters.settled(batch, results, key), letters, Traffic())


def _copy_known(
    known: Database, scratch: Database, load_file: LoadFile, chunk: Chunk, email_key: bytes
) -> None:
    accepted = chunk.prepared.accepted
    letters = dead_letters.of_rejected(
        chunk.number, chunk.table, chunk.prepared.rejected, email_key
    )
    correcting = corrections.named(chunk.table, accepted)
    snapshot.customers(known, scratch, load_file.account, accepted, letters, correcting)


@contextlib.contextmanager
def _opened(store_url: str) -> Iterator[Database | None]:
    """The store as it is, or None before the first load; never made or upgraded here."""
    database = Database(store_url, read_only=True)
    if not database.exists():
        yield None
        return
    with database:
        yield database
