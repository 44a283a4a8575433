"""One file in, its customers loaded, the outcome to dlt."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, closing, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dlt.common.destination.client import RunnableLoadJob
from dlt.common.runtime import signals

from dlt_bunce import telemetry
from dlt_bunce.api.throttle import BatchSize, Throttle
from dlt_bunce.commands import name_account
from dlt_bunce.destination.folder.load_files import files_of_table, load_file, rows_of_table
from dlt_bunce.destination.folder.run_lock import leave_claims
from dlt_bunce.destination.job_order import wait_for_customers
from dlt_bunce.destination.mapping.targets import found_for, targets_for, wanted_for
from dlt_bunce.errors import (
    BunceError,
    ConservationError,
    CredentialsError,
    RowsDeferredError,
    StoppedError,
    StoreError,
    UnavailableError,
    UsageError,
)
from dlt_bunce.failures import failure_of
from dlt_bunce.load.chunks import Duplicates, Source
from dlt_bunce.load.load import Load, Settings
from dlt_bunce.load.probed import (
    capabilities_from,
    caps_since,
    contradictions,
    in_force,
    throttle_for,
    value_batch_sizes,
    values_show_nothing,
)
from dlt_bunce.load.progress import Progress
from dlt_bunce.load.sender import BunceSender, ValueSender
from dlt_bunce.load.values.absent_members import keep_members_before
from dlt_bunce.load.values.values import ValueDelivery
from dlt_bunce.load.values_load import ValuesLoad
from dlt_bunce.logs import logger
from dlt_bunce.store import dlt_state
from dlt_bunce.store.accounts import open_account, remember_pace, remember_value_batch_size
from dlt_bunce.store.ledger import Ledger, LoadFile
from dlt_bunce.store.probes import contradict_probe, latest_probe
from dlt_bunce.store.runs import runs

if TYPE_CHECKING:
    from threading import BoundedSemaphore

    from dlt.common.destination.client import JobClientBase
    from dlt.common.runtime.collector_base import Collector

    from dlt_bunce.destination.client import BunceClient
    from dlt_bunce.destination.runs.run_context import RunContext
    from dlt_bunce.records.values.targets import Targets
    from dlt_bunce.store.accounts import Account
    from dlt_bunce.store.database import Database


class CustomersJob(RunnableLoadJob):
    """Loads the customers of one file. `parent` is the context of telemetry to go on in, since
    dlt runs jobs in threads of its own.
    """

    def __init__(self, file_path: str, parent: Any = None) -> None:
        super().__init__(file_path)
        self._parent = parent

    def run_managed(self, job_client: JobClientBase, done_event: BoundedSemaphore, /) -> None:
        """Run the job, and tell dlt at once when another try would end as this one did: otherwise
        it looks only once a second, before each of its five tries.
        """
        super().run_managed(job_client, done_event)
        if self.state() == "retry" and _is_final(self.exception()):
            with suppress(ValueError):  # told already
                done_event.release()

    def run(self) -> None:
        """Load the file; raise what kept rows from being settled, so that dlt keeps the file."""
        client = cast("BunceClient", self._job_client)
        command = client.context.command_source
        job = LoadFile(
            account=client.config.account,
            run_id=self._load_id,
            pipeline_name=client.pipeline_name,
            table_name=self.load_table_name,
            job_id=self._parsed_file_name.file_id,
            disposition=str(self._load_table["write_disposition"]),
            letter_rows=client.config.dead_letter_rows,
            source=client.context.source,
            source_key=command.key if command else None,
            owner=client.owner.name,
        )
        source = load_file(self._file_path)
        if source.row_count == 0:
            return  # a table that was made before it has rows need not have columns
        values_only = bool(client.hint(self._load_table).get("values_only"))
        stopped = client.context.stopped
        for key in (self._load_id, job.job_id):
            if key in stopped:
                # dlt logs each of its tries: the first one has told where it happened
                raise stopped[key].with_traceback(None)
        if values_only:
            wait_for_customers(client, self._file_path, self._load_id)
            counted: AbstractContextManager[None] = nullcontext()
        else:
            counted = client.context.counted_as_customers(self._load_id)
        if client.config.dry_run:
            with counted:
                self._count(client, job)
            return
        try:
            with counted, telemetry.load_span(job, self._parent) as settled:
                settled(self._load(client, job, source))
        except BunceError as error:
            name_account(error, job.account)
            if isinstance(error, StoreError):
                leave_claims(client.working_dir)
            if _is_final(error) and not isinstance(error, StoppedError):
                # a mistake concerns this file alone
                stopped[job.job_id if isinstance(error, UsageError) else self._load_id] = error
            raise

    def _count(self, client: BunceClient, job: LoadFile) -> None:
        """Count what would become of the file."""
        settings = self._settings(client, b"")
        duplicates = self._duplicates(client, settings)
        dry_run = client.context.dry_run_for(self._load_id)
        targets = found_for(client, self._load_table)
        dry_run.run(duplicates, job, settings, client.config.store_url, targets)

    def _load(self, client: BunceClient, job: LoadFile, source: Source) -> dict[str, int]:
        config = client.config
        log = logger().bind(table=job.table_name, job=job.job_id, run=job.run_id)
        log.info("load.started", disposition=job.disposition)
        with client.database() as db, ExitStack() as opened:
            account = open_account(db, config.account, config.credentials.api_key, host=config.host)
            probed = in_force(latest_probe(db, account.name, host=config.host))
            session = opened.enter_context(closing(client.session(probed)))
            settings = self._settings(client, account.email_key)
            values_only = settings.mapping.values_only
            recorded = None if values_only else settings.mapping.recorded
            job = runs.begin(db, job, recorded, settings.mapping.by_name)
            if not values_only:
                runs.expect(db, job, lambda: rows_of_table(self._file_path))
            for traffic in client.take_preflight_traffic():
                runs.add_traffic(db, job, traffic)
            log.info("load.mapped", columns=settings.mapping.recorded)
            Ledger(db, job).end_claims_of(client.owner.ended)
            throttle, known = throttle_for(account, probed, config), capabilities_from(probed)
            try:
                duplicates = self._duplicates(client, settings)
                link = config.on_email_taken == "link"
                sender = BunceSender(session, throttle, link, known)
                values = self._values(client, account, job, db, sender)
                kind = ValuesLoad if values_only else Load
                load = kind(source, job, settings, db, sender, duplicates, values=values)
                counts = load.run()
            except Exception as error:
                name_account(error, job.account)
                state = "stopped" if isinstance(error, StoppedError) else "failed"
                with db.transaction():
                    why = failure_of(error)
                    runs.finish(db, job.run_id, job.pipeline_name, job.account, state, why)
                log.warning("load.stopped", error=type(error).__name__)
                raise
            remember_pace(
                db, job.account, batch_size=throttle.size(), concurrency=throttle.concurrency()
            )
            if values is not None:
                size = cast("ValueSender", values.sender).throttle.size
                _remember_values(db, job.account, size)
            if probed is not None and (found := contradictions(probed, known)):
                log.warning("probe.contradicted", questions=sorted(found))
                contradict_probe(db, account.name, found)
        log.info("load.finished", **counts)
        return counts

    def _values(
        self,
        client: BunceClient,
        account: Account,
        job: LoadFile,
        db: Database,
        customers: BunceSender,
    ) -> ValueDelivery | None:
        """Return what delivers the attributes and segments of the table, if it has any."""
        targets = targets_for(client, self._load_table)
        if targets is None:
            return None
        wanted = wanted_for(client, self._load_table)
        if wanted is not None and wanted.whole:
            keep_members_before(db, account.name, targets.of("segments"), account.email_key)
        values_only = bool(client.hint(self._load_table).get("values_only"))
        return value_delivery(client, account, job, db, customers, targets, values_only=values_only)

    def _duplicates(self, client: BunceClient, settings: Settings) -> Duplicates:
        """Return what is shared by all jobs that load files into the table by the same rules."""
        mapping, rules = settings.mapping, settings.rules
        return client.context.duplicates_for(
            Path(self._file_path).parent.parent,
            self.load_table_name,
            repr((mapping, rules)),
            lambda: Duplicates(files_of_table(self._file_path), mapping, rules),
        )

    def _settings(self, client: BunceClient, email_key: bytes) -> Settings:
        config = client.config
        return Settings(
            mapping=client.mapping(self._load_table),
            rules=config.rules,
            email_key=email_key,
            progress=_ProgressReport(client.collector, client.context),
            on_minute=client.context.report_minute,
            interrupted=signals.was_signal_received,
            requests_per_minute=config.requests_per_minute,
        )


def _is_final(error: BaseException | None) -> bool:
    """Whether every other try in this run would end with the same error, or would hide it: another
    try counts anew, and may add up.
    """
    final = UsageError | CredentialsError | UnavailableError | ConservationError
    return isinstance(error, final) and not isinstance(error, RowsDeferredError)


def _remember_values(db: Database, account: str, size: BatchSize) -> None:
    """Keep what the load has found of the number of values in a request."""
    remember_value_batch_size(
        db, account, size(), cap=size.cap, accepted=size.accepted, since=caps_since()
    )


def value_delivery(
    client: BunceClient,
    account: Account,
    job: LoadFile,
    db: Database,
    customers: BunceSender,
    targets: Targets,
    *,
    values_only: bool = False,
) -> ValueDelivery:
    """Return what delivers values over the connections that deliver customers."""
    probed = in_force(latest_probe(db, account.name, host=client.config.host))
    size = BatchSize(*value_batch_sizes(account, probed, client.config.max_batch_size))
    throttle = Throttle(size, customers.throttle.concurrency)
    empty_echo = values_show_nothing(probed)
    sender = ValueSender(customers.session, throttle, empty_echo=empty_echo)
    return ValueDelivery(targets, job, db, sender, account.email_key, values_only)


class StateJob(RunnableLoadJob):
    """Keeps dlt's own rows in the store: they never reach Bunce."""

    def run(self) -> None:
        """Write the pipeline's state; it counts once the load is completed."""
        client = cast("BunceClient", self._job_client)
        if client.config.dry_run or self.load_table_name != "_dlt_pipeline_state":
            return
        with client.database() as db:
            for table in load_file(self._file_path).chunks(1_000):
                for row in table.to_pylist():
                    dlt_state.put_state(db, row, client.config.account)


class _ProgressReport:
    """Calls whoever listens, and dlt's own progress collector."""

    def __init__(self, collector: Collector, context: RunContext) -> None:
        self._collector, self._context = collector, context
        self._last = Progress("")

    def __call__(self, progress: Progress) -> None:
        with self._context.reporting:
            last, self._last = self._last, progress
            settled = progress.settled - last.settled
            # dlt types the total as a number, and takes None where there is none
            self._collector.update("Customers", settled, progress.total)  # type: ignore[arg-type]
            self._collector.update("Requests", inc=progress.requests - last.requests)
            for listener in self._context.on_progress:
                listener(progress)
