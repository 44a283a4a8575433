"""The destination's side of a dlt load: preflight, jobs, completion, and dlt's own state."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dlt.common.configuration.container import Container
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.destination.client import JobClientBase, LoadJob
from dlt.common.destination.typing import PreparedTableSchema
from dlt.common.json import json
from dlt.common.pipeline import PipelineContext, SupportsPipeline
from dlt.common.runtime.collector import NULL_COLLECTOR
from dlt.common.schema import Schema, TSchemaTables
from dlt.common.storages.load_package import ParsedLoadJobFileName
from typing_extensions import Self

from dlt_bunce import telemetry
from dlt_bunce.api.client import Session
from dlt_bunce.api.rate_limit import RateLimiter
from dlt_bunce.destination.absent import end_dry_run
from dlt_bunce.destination.folder import run_lock
from dlt_bunce.destination.folder.run_lock import Owner, owner_of
from dlt_bunce.destination.folder.source_store import note_store
from dlt_bunce.destination.jobs import CustomersJob, StateJob
from dlt_bunce.destination.mapping.adapter import (
    KEY_HINT,
    REFRESH_REFUSED,
    REFRESH_REMEDY,
    REPLACE_REFUSED,
    REPLACE_REMEDY,
    hint_of,
)
from dlt_bunce.destination.mapping.earlier_mapping import refuse_changed_names
from dlt_bunce.destination.mapping.source_keys import refuse_part_of_key
from dlt_bunce.destination.mapping.table_checks import GIVEN_UP, refuse_dedup_sort, refuse_table
from dlt_bunce.destination.mapping.table_mapping import columns_of, mapping_of, with_configured
from dlt_bunce.destination.mapping.targets import resolve_targets
from dlt_bunce.destination.runs.completed_runs import complete_run
from dlt_bunce.destination.runs.failed_runs import record_noted
from dlt_bunce.destination.runs.run_context import RunContext
from dlt_bunce.destination.runs.run_hook import resolve_hook
from dlt_bunce.destination.settings.base_url import url_to_ask
from dlt_bunce.destination.settings.configuration import BunceConfiguration
from dlt_bunce.destination.state import StoredState
from dlt_bunce.errors import DispositionError
from dlt_bunce.load.probed import lookup_ids
from dlt_bunce.load.rate_limit import SharedRateLimiter, local_rate_limiter
from dlt_bunce.model import Traffic
from dlt_bunce.records.mapping.mapping import FieldMapping
from dlt_bunce.store import dlt_state
from dlt_bunce.store.accounts import Account, open_account
from dlt_bunce.store.database import Database
from dlt_bunce.store.kept import KeptDatabase
from dlt_bunce.store.probes import Probed

if TYPE_CHECKING:
    from dlt.common.runtime.collector_base import Collector


_FRESH_S = 60.0
"""So long after a preflight a run of the same pipeline begins without asking again."""


class BunceClient(JobClientBase, StoredState):
    """One client of one schema; dlt makes several, also in parallel threads."""

    def __init__(
        self,
        schema: Schema,
        config: BunceConfiguration,
        capabilities: DestinationCapabilitiesContext,
    ) -> None:
        super().__init__(schema, config, capabilities)
        self.config: BunceConfiguration = config
        self.context = RunContext()

    # preflight

    def preflight(self) -> Account:
        """Check key, host, and ledger before anything is sent.

        Raises CredentialsError, UnavailableError, AccountError, or StoreError.
        """
        with closing(self.session()) as session:
            session.check_key()
            sent = self.context.preflights.setdefault(self.pipeline_name, [])
            sent.append(session.take_traffic())
        self.context.checked_at[self._checked_for] = time.monotonic()
        return self._open_account()

    @property
    def _checked_for(self) -> tuple[str, str, str]:
        return self.pipeline_name, self.config.host, self.config.credentials.api_key

    def _open_account(self) -> Account:
        with self.database() as db:
            if self.owner.is_run:
                self.context.stores[self.owner.name] = db.store_id
                note_store(self, db.store_id)
                record_noted(db, self.config.account, self.working_dir)
            return open_account(
                db, self.config.account, self.config.credentials.api_key, host=self.config.host
            )

    def verify_schema(
        self,
        only_tables: Iterable[str] = None,  # type: ignore[assignment]  # noqa: RUF013, dlt's signature
        new_jobs: Iterable[ParsedLoadJobFileName] = None,  # type: ignore[assignment]  # noqa: RUF013
    ) -> list[PreparedTableSchema]:
        """Refuses what Bunce cannot take, before any job starts: dlt keeps the package."""
        tables = super().verify_schema(only_tables, new_jobs)
        self.context.stopped.clear()  # another run: what stopped the last one may be over
        resolve_hook(self.config.on_run_end)
        customers = [table for table in tables if not _is_dlt(table["name"] or "")]
        for table in customers:
            refuse_table(table, self.config.own_tables, customers)
            self._check_mapping(table)
        if customers and not self.config.dry_run:
            # flush_and_run() has asked already: once is enough for a run
            checked_at = self.context.checked_at.pop(self._checked_for, -math.inf)
            if time.monotonic() - checked_at < _FRESH_S:
                self._open_account()
            else:
                self.preflight()
                del self.context.checked_at[self._checked_for]
        resolve_targets(self, customers)
        return tables

    def _check_mapping(self, table: PreparedTableSchema) -> None:
        columns = columns_of(table)
        if all(_is_dlt(column) for column in columns):
            return  # no rows yet, so nothing that could be mapped
        mapping = self.mapping(table)
        if "customer_id" in mapping.by_name:
            key: Sequence[str] = cast("Any", table).get(KEY_HINT, ())
            refuse_part_of_key(key, mapping.columns["customer_id"])
        refuse_dedup_sort(table, columns, mapping)
        refuse_changed_names(self, table, mapping, columns)
        for listener in self.context.on_mapped:
            listener(mapping, columns)

    def mapping(self, table: PreparedTableSchema) -> FieldMapping:
        """Which column feeds which field: hints, then configuration, then names.

        Raises MappingError.
        """
        return mapping_of(table, self.config, self.hint(table))

    def hint(self, table: PreparedTableSchema) -> Mapping[str, Any]:
        """Return the mapping hint of a table: that of now where left-over rows are loaded."""
        name = table["name"] or ""
        in_force = self.context.hints_in_force.get(self.owner.name, {})
        return with_configured(in_force.get(name, hint_of(table)), name, self.config)

    # what jobs need

    @property
    def pipeline_name(self) -> str:
        """Name of the pipeline that is loading, or of its schema outside of one."""
        return getattr(_pipeline(), "pipeline_name", self.schema.name)

    @property
    def owner(self) -> Owner:
        """Who claims rows: the run that holds the pipeline's working folder."""
        return owner_of(self.working_dir)

    @property
    def working_dir(self) -> Path:
        """Working folder of the pipeline that is loading; the current folder outside of one."""
        # dlt promises no more of a pipeline than its name
        return Path(getattr(_pipeline(), "working_dir", ""))

    @property
    def state(self) -> Mapping[str, Any]:
        """Dlt's state of the pipeline that is loading; empty outside of one."""
        return getattr(_pipeline(), "state", {})

    @property
    def collector(self) -> Collector:
        """The pipeline's progress, as chosen by dlt's `progress=`."""
        return getattr(_pipeline(), "collector", NULL_COLLECTOR)

    def database(self) -> Database:
        """Return a connection to the store for the calling thread; a dry run only reads it."""
        # while it holds the working folder, the same for one use after another
        url, dry_run = self.config.store_url, self.config.dry_run
        store_id = self.context.stores.get(self.owner.name)
        make = partial(KeptDatabase, url, read_only=dry_run)
        kept = run_lock.kept(self.working_dir, (url, dry_run), make)
        if kept is not None and not kept.is_used:
            return kept.expecting(store_id)
        return Database(url, read_only=dry_run, expected=store_id)

    def session(self, probed: Probed | None = None) -> Session:
        """Return a connection pool to Bunce, within the rate limit of all who share the store."""
        config = self.config
        base_url = url_to_ask(config.base_url, config.credentials.api_key)
        # its own: requests may leave from several threads
        database = self.database().another()
        allowed = config.requests_per_minute
        pace: RateLimiter = local_rate_limiter(base_url, allowed)
        if allowed and not config.dry_run and database.exists():
            pace = SharedRateLimiter(database, config.budget_scope, allowed)
        return Session(
            base_url,
            config.credentials.api_key,
            pace=pace,
            timeout_s=config.timeout_s,
            concurrency=config.concurrency_limit,
            observer=telemetry.request_observer(base_url, self.pipeline_name),
            lookup_ids=lookup_ids(probed),
        )

    def take_preflight_traffic(self) -> list[Traffic]:
        """Return what the preflights of this pipeline have sent since the last call."""
        return self.context.preflights.pop(self.pipeline_name, [])

    def create_load_job(
        self,
        table: PreparedTableSchema,
        file_path: str,
        load_id: str,
        restore: bool = False,
    ) -> LoadJob:
        """Create a job for one file: customers, or dlt's own state."""
        if _is_dlt(table["name"] or ""):
            return StateJob(file_path)
        run_lock.close_kept(self.working_dir)  # this thread waits for jobs, which open their own
        return CustomersJob(file_path, telemetry.current_context())

    def complete_load(self, load_id: str) -> None:
        """Close the run's row; from here on the incremental cursor of this load counts."""
        self.context.forget_duplicates(load_id)
        if self.config.dry_run:
            end_dry_run(self, load_id)
        else:
            complete_run(self, load_id)

    # storage, as dlt sees it

    def initialize_storage(self, truncate_tables: Iterable[str] | None = None) -> None:
        """Do nothing: the store is made at first use, and nothing is ever truncated."""
        tables = [self.schema.tables.get(name, {}) for name in truncate_tables or ()]
        if any(table.get("write_disposition") == "replace" for table in tables):
            raise DispositionError(REPLACE_REFUSED, remedy=REPLACE_REMEDY + GIVEN_UP)
        if tables:
            raise DispositionError(REFRESH_REFUSED, remedy=REFRESH_REMEDY + GIVEN_UP)

    def is_storage_initialized(self) -> bool:
        """Return True: dlt would wipe its working folder otherwise."""
        return True

    def drop_storage(self) -> None:
        """Refused: the ledger knows what Bunce has, and Bunce forgets nothing."""
        raise DispositionError(
            "The ledger is not dropped: without it every customer would be sent again.",
            remedy="To forget an account for good, delete its rows or the store by hand.",
        )

    def update_stored_schema(
        self,
        only_tables: Iterable[str] = None,  # type: ignore[assignment]  # noqa: RUF013, dlt's signature
        expected_update: TSchemaTables = None,  # type: ignore[assignment]
        force: bool = False,
    ) -> TSchemaTables | None:
        """Keep the schema, so that a new machine can restore it."""
        applied = super().update_stored_schema(only_tables, expected_update, force)
        if not self.config.dry_run:
            row = {
                "version_hash": self.schema.stored_version_hash,
                "schema_name": self.schema.name,
                "version": self.schema.version,
                "engine_version": self.schema.ENGINE_VERSION,
                "schema": json.dumps(self.schema.to_dict()),
            }
            with self.database() as db:
                dlt_state.put_schema(db, row)
        return applied

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is held by a client: jobs close their connections, and the run its own."""


def _is_dlt(table_name: str) -> bool:
    return table_name.startswith("_dlt_")


def _pipeline() -> SupportsPipeline | None:
    context = Container()[PipelineContext]
    return context.pipeline() if context.is_active() else None
