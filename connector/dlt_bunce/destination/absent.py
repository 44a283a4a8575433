"""The end of a load into tables that are declared whole: absent members leave their segments."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dlt.common.configuration.container import Container
from dlt.common.runtime import signals
from dlt.common.storages.load_package import (
    LoadPackageStateInjectableContext,
    PackageStorage,
    ParsedLoadJobFileName,
)

from dlt_bunce.destination.folder.load_files import files_of_table, load_file, rows_of_table
from dlt_bunce.destination.jobs import value_delivery
from dlt_bunce.destination.mapping.targets import found_for, targets_for, wanted_for
from dlt_bunce.destination.mapping.whole_reads import why_partial
from dlt_bunce.errors import StoppedError
from dlt_bunce.failures import failure_of
from dlt_bunce.load.probed import in_force, throttle_for
from dlt_bunce.load.progress import watch
from dlt_bunce.load.sender import BunceSender
from dlt_bunce.load.values.absent_members import Absence, AbsentMembers, absences, note_seen
from dlt_bunce.logs import logger
from dlt_bunce.records.values.targets import Target, Targets
from dlt_bunce.store.accounts import Account, known_account, open_account
from dlt_bunce.store.load_file import LoadFile
from dlt_bunce.store.probes import latest_probe
from dlt_bunce.store.runs import history, runs, value_fates
from dlt_bunce.store.values import members
from dlt_bunce.store.values.targets import known_slots

if TYPE_CHECKING:
    from dlt.common.destination.typing import PreparedTableSchema

    from dlt_bunce.destination.client import BunceClient
    from dlt_bunce.store.database import Database

KEPT, UNKNOWN = "absent_members_kept", "absent_members_unknown"
"""Warnings of a run that has kept absent members in their segments."""


@dataclass(frozen=True)
class _WholeTable:
    """A table that is declared whole, and one of its files in the load package. `unknown_rows` are
    those of files that failed, or all if the package holds a part of the source.
    """

    table: PreparedTableSchema
    path: Path
    unknown_rows: int

    @property
    def name(self) -> str:
        return self.table["name"] or ""


def settle_absent(client: BunceClient, db: Database, load_id: str) -> dict[str, int]:
    """Remove the absent members of segments that tables of a loaded package feed and are declared
    whole; return the run's warnings about those who are kept.
    """
    tables = _whole_tables(client, load_id)
    if not tables:
        return {}
    warnings: Counter[str] = Counter()
    if client.context.is_flushing(client.owner.name):
        # the rows that the run is about to read are newer, and tell who is absent by then
        value_fates.give_up_absent(db, load_id)
        return {}
    config = client.config
    account = open_account(db, config.account, config.credentials.api_key, host=config.host)
    has_lost_rows = _has_lost_rows(client, db, value_fates.rows_read(db, load_id), [load_id])
    for whole in tables:
        targets = targets_for(client, whole.table)
        assert targets is not None  # noqa: S101, such a table feeds segments
        segments = targets.of("segments")
        found, nameless = _found(client, db, whole, segments, account)
        going = _going(client, found, warnings, has_lost_rows=has_lost_rows)
        warnings[UNKNOWN] += nameless
        if any(absence.absent for absence in going):
            _remove(client, db, account, whole, load_id, going, targets)
        members.forget_before(db, account.name, (each.segment.slot for each in going))
    return {code: count for code, count in warnings.items() if count}


def end_dry_run(client: BunceClient, load_id: str) -> None:
    """Keep what a dry run has counted, and how many members would be removed for being absent."""
    client.context.end_dry_run(load_id)
    tables, preview = _whole_tables(client, load_id), client.context.previews[load_id]
    if not tables or not client.database().exists():
        return
    warnings: Counter[str] = Counter()
    absent: dict[tuple[str, str], int] = {}
    with client.database() as db:
        account = known_account(db, client.config.account)
        if account is None:
            return
        slots = known_slots(db, account.name)
        has_lost_rows = _has_lost_rows(client, db, preview.summary.rows_read, [])
        for whole in tables:
            targets = found_for(client, whole.table)
            assert targets is not None  # noqa: S101, such a table feeds segments
            segments = [
                Target(i.kind, i.column, i.name, i.id or "", i.data_type, slots[i.kind, i.id])
                for i in targets.items
                if i.kind == "segments" and (i.kind, i.id) in slots and i.id is not None
            ]
            found, nameless = _found(client, db, whole, segments, account)
            warnings[UNKNOWN] += nameless
            for absence in _going(client, found, warnings, has_lost_rows=has_lost_rows):
                absent[whole.name, absence.segment.column] = absence.absent
                preview.values[whole.name].to_send[f"remove {absence.segment.id}"] += absence.absent
    total = sum(absent.values())
    summary = replace(
        preview.summary,
        absent_members={"read": total, "written": total} if total else {},
        warnings={**preview.summary.warnings, **{c: n for c, n in warnings.items() if n}},
    )
    client.context.previews[load_id] = replace(preview, summary=summary, absent=absent)


def _whole_tables(client: BunceClient, load_id: str) -> list[_WholeTable]:
    """Return the tables of a package that have rows and are declared whole."""
    packages = Container()[LoadPackageStateInjectableContext].storage
    package = Path(packages.storage.make_full_path(packages.get_package_path(load_id)))
    paths: dict[str, Path] = {}
    unknown: Counter[str] = Counter()
    for folder in (PackageStorage.COMPLETED_JOBS_FOLDER, PackageStorage.FAILED_JOBS_FOLDER):
        for path in sorted((package / folder).glob("*")):
            name = ParsedLoadJobFileName.parse(path.name).table_name
            if not name.startswith("_dlt_") and name in client.schema.tables:
                paths.setdefault(name, path)
                if folder == PackageStorage.FAILED_JOBS_FOLDER:
                    unknown[name] += load_file(str(path)).row_count or 1
    found = []
    for name, path in sorted(paths.items()):
        table = client.prepare_load_table(name)
        wanted = wanted_for(client, table)
        if wanted is not None and wanted.whole:
            # it was not refused if it was declared whole only after its load began
            if why_partial(client.schema, table) is not None:
                unknown[name] += rows_of_table(str(path)) or 1
            found.append(_WholeTable(table, path, unknown[name]))
    return found


def _found(
    client: BunceClient,
    db: Database,
    whole: _WholeTable,
    segments: Sequence[Target],
    account: Account,
) -> tuple[list[Absence], int]:
    """Return who is absent, and how many rows keep that from being known: nobody is absent then."""
    mapping = client.mapping(whole.table)
    files = files_of_table(str(whole.path)).values()
    nameless = note_seen(db, files, mapping, client.config.rules, segments)
    if unknown := nameless or whole.unknown_rows:
        logger().warning("segments.absent_unknown", table=whole.name, rows=unknown)
        return [], unknown
    return absences(db, account.name, segments, account.email_key), 0


def _going(
    client: BunceClient, found: Iterable[Absence], warnings: Counter[str], *, has_lost_rows: bool
) -> list[Absence]:
    """Return the absences within the limits; count and log the others."""
    going = []
    for absence in found:
        if absence.absent and (
            has_lost_rows or not absence.is_within(client.config.segments_min_share)
        ):
            warnings[KEPT] += absence.absent
            logger().warning(
                "segments.absent_kept",
                segment=absence.segment.name,
                absent=absence.absent,
                members=absence.members,
            )
        else:
            going.append(absence)
    return going


def _has_lost_rows(client: BunceClient, db: Database, read: int, run_ids: Sequence[str]) -> bool:
    """Return whether a run has read too few rows, compared with the last one."""
    config = client.config
    last = history.last_read(db, config.account, client.pipeline_name, run_ids)
    share = max(config.segments_min_share, config.min_rows_share_of_last or 0)
    return bool(last and read / last < share) or read < (config.min_rows or 0)


def _remove(
    client: BunceClient,
    db: Database,
    account: Account,
    whole: _WholeTable,
    load_id: str,
    going: Sequence[Absence],
    targets: Targets,
) -> None:
    config = client.config
    job = LoadFile(
        account=config.account,
        run_id=load_id,
        pipeline_name=client.pipeline_name,
        table_name=whole.name,
        job_id=f"absent-{whole.name}",
        disposition=str(whole.table["write_disposition"]),
        letter_rows=config.dead_letter_rows,
        source=client.context.source,
        owner=client.owner.name,
    )
    probed = in_force(latest_probe(db, account.name, host=config.host))
    stop = threading.Event()
    for traffic in client.take_preflight_traffic():
        runs.add_traffic(db, job, traffic)
    with closing(client.session(probed)) as session:

        def interrupt() -> None:
            stop.set()
            session.stopping.set()

        sender = BunceSender(session, throttle_for(account, probed, config))
        values = value_delivery(client, account, job, db, sender, targets)
        delivery = AbsentMembers(targets, job, db, values.sender, account.email_key)
        try:
            with watch(tell=lambda: None, interrupted=signals.was_signal_received, stop=interrupt):
                delivery.remove(going, stop)
        except Exception as error:
            state = "stopped" if isinstance(error, StoppedError) else "failed"
            with db.transaction():
                why = failure_of(error)
                runs.finish(db, load_id, client.pipeline_name, config.account, state, why)
            raise
