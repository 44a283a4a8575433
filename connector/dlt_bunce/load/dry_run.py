"""What a load would do: the same load, against a copy of what the ledger knows of its customers,
and with a sender that accepts every row.

Nothing is sent, and nothing is written but the copy, which lies in a temporary folder.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from dlt_bunce.errors import MappingError, RowsDeferredError
from dlt_bunce.load.chunks import Chunk, Duplicates
from dlt_bunce.load.dispatch import Batch, Delivered
from dlt_bunce.load.load import Load, Settings
from dlt_bunce.load.values.slots import with_slots
from dlt_bunce.load.values.value_preview import AcceptingSender, PreviewedValues, TableValues
from dlt_bunce.load.values_load import ValuesLoad
from dlt_bunce.load.version_check import check_versions
from dlt_bunce.model import RunSummary, Traffic
from dlt_bunce.records.bad_mapping import detect_bad_mapping
from dlt_bunce.records.causes import RejectCounts, Rejects
from dlt_bunce.records.fingerprint import email_digests
from dlt_bunce.records.mapping.mapping import FieldMapping
from dlt_bunce.records.mapping.source_columns import values_of
from dlt_bunce.records.values.targets import FoundTargets
from dlt_bunce.settlement.row_result import RowResult
from dlt_bunce.store import snapshot
from dlt_bunce.store.accounts import known_account
from dlt_bunce.store.database import Database
from dlt_bunce.store.ledger import Claim, Ledger
from dlt_bunce.store.letters.dead_letters import LETTERS
from dlt_bunce.store.load_file import LoadFile
from dlt_bunce.store.runs import runs

_SAMPLE_ROWS = 1_000
_BATCH_ROWS = 10_000
NOT_COMPARED = "targets_not_compared"
"""The warning of a dry run that could not ask Bunce for its attributes and segments."""


@dataclass(frozen=True)
class Preview:
    """What a load would do, as far as the ledger and the rules tell.

    `sample` are the first rows as read, `nulls` counts null cells by mapped column; `to_create` and
    `to_update` are customers that would be sent; `fault` is what would stop the load; `rejects` are
    rows that cannot be sent, by cause, with those that were rejected before. `values` are the
    attributes and segments by table, and what would become of their values; `absent` counts members
    who would be removed for being absent, by table and column.
    """

    summary: RunSummary
    mapping: FieldMapping | None = None
    sample: pa.Table = None
    nulls: Mapping[str, int] = field(default_factory=dict)
    to_create: int = 0
    to_update: int = 0
    fault: MappingError | None = None
    rejects: Sequence[Rejects] = ()
    values: Mapping[str, TableValues] = field(default_factory=dict)
    absent: Mapping[tuple[str, str], int] = field(default_factory=dict)


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
        self._shown = ""
        self._sample: pa.Table = None
        self._fault: MappingError | None = None
        self._rejects = RejectCounts()
        self._load_file: LoadFile | None = None
        self._store_url = ""
        self._values: dict[str, TableValues] = {}

    def run(
        self,
        duplicates: Duplicates,
        load_file: LoadFile,
        settings: Settings,
        store_url: str,
        targets: FoundTargets | None = None,
    ) -> None:
        """Read the file and count what would become of its rows, and of their values."""
        # dead letters of the copy hold no rows
        load_file = replace(load_file, letter_rows="keys")
        with self._lock, Database(self._scratch) as scratch, _opened(store_url) as known:
            self._load_file, self._store_url = load_file, store_url
            account = None if known is None else known_account(known, load_file.account)
            key = b"" if account is None else account.email_key
            values_only = settings.mapping.values_only
            if self._mapping is None or not values_only:
                self._mapping, self._shown = settings.mapping, load_file.table_name
            recorded = None if values_only else settings.mapping.recorded
            load_file = runs.begin(scratch, load_file, recorded)
            if known is not None:
                snapshot.claims(known, scratch)
                snapshot.targets(known, scratch)
            values = None
            if targets is not None:
                values = self._previewed(targets, load_file, key, known, scratch)
                values.values_only = values_only

            def look_at(chunk: Chunk) -> None:
                self._look_at(chunk, settings.mapping, load_file.table_name)
                if known is not None and values_only:
                    accepted, none = chunk.prepared.accepted, LETTERS.empty_table()
                    snapshot.customers(known, scratch, load_file.account, accepted, none)
                elif known is not None and chunk.number == 0 and settings.check_mapping:
                    check_versions(known, load_file, settings.mapping, chunk.prepared)

            load = (ValuesLoad if values_only else Load)(
                duplicates.sources[load_file.job_id],
                load_file,
                # what is wrong with the mapping is reported, and stops nothing
                replace(
                    settings,
                    email_key=key,
                    check_mapping=False,
                    on_chunk=look_at,
                    wait_for_others=False,
                ),
                scratch,
                _AcceptingSender(scratch.another(), load_file.account, key, self._verbs),
                duplicates,
                _ScratchLedger(scratch, load_file, known),
                values,
            )
            # rows that another run is sending now are counted as deferred
            with contextlib.suppress(RowsDeferredError):
                load.run()

    def end(self) -> Preview:
        """Return the counts of all files; forget the copy."""
        if self._load_file is None:
            self._forget()
            return Preview(RunSummary(state="dry_run"))
        file = self._load_file
        with Database(self._scratch) as scratch, _opened(self._store_url) as known:
            runs.finish(scratch, file.run_id, file.pipeline_name, file.account, "dry_run")
            summary = runs.summaries(scratch, file.account, run_ids=[file.run_id])[0]
            snapshot.withdraw_taken(known, scratch, file.account, file.run_id)
            taken = snapshot.count_withdrawn(scratch, file.account, file.run_id)
        self._forget()
        if taken:
            summary = replace(
                summary,
                created=summary.created - taken,
                rejected=summary.rejected + taken,
                reject_codes={**summary.reject_codes, "email_taken": taken},
            )
        if any(table.targets.not_compared for table in self._values.values()):
            summary = replace(summary, warnings={**summary.warnings, NOT_COMPARED: summary.read})
        summary.raise_if_unbalanced()
        return Preview(
            replace(summary, seconds=0.0),
            self._mapping,
            self._sample,
            dict(self._nulls),
            self._verbs["create"],
            self._verbs["update"],
            self._fault,
            self._rejects.found(),
            dict(sorted(self._values.items())),
        )

    def _previewed(
        self,
        targets: FoundTargets,
        load_file: LoadFile,
        key: bytes,
        known: Database | None,
        scratch: Database,
    ) -> PreviewedValues:
        account, run_id = load_file.account, load_file.run_id
        counted = self._values.setdefault(load_file.table_name, TableValues(targets))
        return PreviewedValues(
            with_slots(scratch, account, targets.items, targets.timezone),
            load_file,
            scratch,
            AcceptingSender(),
            key,
            counted=counted,
            known=known,
            before=lambda: snapshot.withdraw_taken(known, scratch, account, run_id),
        )

    def _look_at(self, chunk: Chunk, mapping: FieldMapping, table_name: str) -> None:
        table = chunk.table
        if chunk.number == 0:
            fault = detect_bad_mapping(chunk.prepared, table, mapping)
            self._fault = self._fault or fault
        if mapping.values_only and table_name != self._shown:
            return  # the rows of customers are shown, not those of values
        for column in mapping.source_columns:
            self._nulls[column] += values_of(table, column).null_count
        if not mapping.values_only:
            self._rejects.add(chunk.prepared.rejected, table, mapping)
        if self._sample is None:
            self._sample = table.slice(0, _SAMPLE_ROWS)


class _ScratchLedger(Ledger):
    """A ledger in a copy, which takes over what the store knows of a chunk's customers first."""

    def __init__(self, scratch: Database, load_file: LoadFile, known: Database | None) -> None:
        super().__init__(scratch, load_file)
        self._scratch, self._known, self._account = scratch, known, load_file.account

    def claim(self, accepted: pa.Table, letters: pa.Table, **counts: Any) -> Claim:
        """As Ledger.claim, of what the store knows now."""
        if self._known is not None:
            correcting = counts.get("correcting")
            snapshot.customers(
                self._known, self._scratch, self._account, accepted, letters, correcting
            )
        return super().claim(accepted, letters, **counts)


@dataclass
class _AcceptingSender:
    """Sends nothing, and settles as if Bunce took all of it but changed emails, which the API
    leaves out of an update.
    """

    scratch: Database
    account: str
    email_key: bytes
    verbs: Counter[str]
    threads: int = 1

    def batch_size(self) -> int:
        """Rows that the next batch may have."""
        return _BATCH_ROWS

    def in_flight(self) -> int:
        """Batches that may be in flight now."""
        return self.threads

    def send(self, batch: Batch, *, overwrite: bool, stopped: Callable[[], bool]) -> Delivered:
        """Accept a batch."""
        rows = batch.rows
        verbs = rows.column("verb").to_pylist()
        self.verbs.update(verbs)
        digests = email_digests(rows.column("email"), self.email_key)
        with self.scratch as scratch:
            ids = rows.column("customer_id")
            kept = snapshot.emails_that_stay(scratch, self.account, ids, digests)
        created = RowResult("created", "response")
        updated = RowResult("updated", "response")
        ignored = replace(updated, code="email_not_updated", field="email")
        results = [
            created if verb == "create" else ignored if stays else updated
            for verb, stays in zip(verbs, kept, strict=True)
        ]
        return Delivered(batch, results)

    def stop(self) -> None:
        """Nobody waits."""

    def take_traffic(self) -> Traffic:
        """Nothing went over the wire."""
        return Traffic()


@contextlib.contextmanager
def _opened(store_url: str) -> Iterator[Database | None]:
    """Open the store as it is, or give None before the first load; never make or upgrade it."""
    database = Database(store_url, read_only=True)
    if not database.exists():
        yield None
        return
    with database:
        yield database
