"""The end of a run that has loaded all of its files: closed, warned about, and reported."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from dlt_bunce import telemetry
from dlt_bunce.destination.absent import settle_absent
from dlt_bunce.destination.folder.unrecorded_files import refuse_unrecorded
from dlt_bunce.destination.mapping.earlier_mapping import unread_since_change
from dlt_bunce.destination.mapping.whole_reads import is_partial
from dlt_bunce.destination.runs.run_summary import log_finished
from dlt_bunce.errors import StoreError
from dlt_bunce.load.probed import believed, in_force
from dlt_bunce.logs import logger
from dlt_bunce.store import dlt_state, links
from dlt_bunce.store.accounts import has_adopted
from dlt_bunce.store.database import utc_days_ago
from dlt_bunce.store.letters.dead_letter_query import open_by_code
from dlt_bunce.store.probes import latest_probe
from dlt_bunce.store.retention import retain
from dlt_bunce.store.runs import runs
from dlt_bunce.store.runs.run_chunks import sum_chunks
from dlt_bunce.store.values import rejected_values

if TYPE_CHECKING:
    from dlt_bunce.destination.client import BunceClient
    from dlt_bunce.store.database import Database


def complete_run(client: BunceClient, load_id: str) -> None:
    """Close the run of a load package; from here on its incremental cursor counts.

    Raises StoreError if the store has no record of files that are loaded.
    """
    config = client.config
    with client.database() as db:
        refuse_unrecorded(client, db, load_id)
        kept = settle_absent(client, db, load_id)
        found = kept | _warnings(client, db, load_id)
        with db.transaction():
            run = load_id, client.pipeline_name, config.account
            warnings = runs.finish(db, *run, "completed", warnings=found)
            dlt_state.put_load(db, load_id, client.schema.name, client.schema.version_hash)
        if config.retention_days is not None:
            retain(db, config.account, since=utc_days_ago(config.retention_days))
        if warnings:
            logger().warning("run.warnings", run=load_id, **warnings)
        # the load is complete, whether or not there are figures of it
        with suppress(StoreError):
            _report(client, db, load_id)


def _warnings(client: BunceClient, db: Database, load_id: str) -> dict[str, int]:
    """Return warnings that no row tells of, by code: of what is known of the API or the source."""
    account, found = client.config.account, {}
    if linked := links.count(db, account, run_id=load_id):
        tables = client.schema.data_tables()
        if any(
            is_partial(client.schema, client.prepare_load_table(t["name"] or "")) for t in tables
        ):
            found["linked_from_a_part"] = linked
    if unread := unread_since_change(client, db, load_id):
        found["mapping_changed"] = unread
    created = sum_chunks(db, load_id)["created"]
    if created and runs.disposition_of(db, load_id, client.pipeline_name) == "append":
        probed = in_force(latest_probe(db, account, host=client.config.host))
        overwrites = believed(probed, "repeated_id") == "overwritten"
        if overwrites and not has_adopted(db, account):
            found["append_overwrites"] = created
    return found


def _report(client: BunceClient, db: Database, load_id: str) -> None:
    account, name = client.config.account, client.pipeline_name
    for run in runs.summaries(db, account, run_ids=[load_id], pipeline_name=name):
        log_finished(run, account, summary_returned=client.context.is_collecting())
        if telemetry.enabled():
            telemetry.completed(name, account, run.reject_codes, open_by_code(db, account))
            if run.attributes or run.segments:
                codes = rejected_values.by_code(db, account)
                telemetry.completed_values(run, account, codes)
