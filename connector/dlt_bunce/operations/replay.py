"""Send dead letters again, with the current mapping and rules."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pyarrow as pa

from dlt_bunce import telemetry
from dlt_bunce.destination.client import BunceClient
from dlt_bunce.destination.jobs import value_delivery
from dlt_bunce.destination.runs.run_summary import add_up
from dlt_bunce.errors import UsageError
from dlt_bunce.failures import failure_of, is_stopped
from dlt_bunce.load.load import Load, Settings
from dlt_bunce.load.probed import throttle_for
from dlt_bunce.load.sender import BunceSender
from dlt_bunce.model import RunSummary
from dlt_bunce.operations.replay_groups import Group, Letter, grouped
from dlt_bunce.operations.replay_runs import NAME, alone, record_unsent, recorded_failure
from dlt_bunce.operations.replayed_values import targets_of
from dlt_bunce.records import rows as source_rows
from dlt_bunce.records.cells import LETTER_ID
from dlt_bunce.records.mapping.mapping import resolve_mapping
from dlt_bunce.records.mapping.matching import as_spelled
from dlt_bunce.records.mapping.schema import ColumnNames, listed, names_of
from dlt_bunce.records.prepare import prepare
from dlt_bunce.records.row_origin import FILE, LINE
from dlt_bunce.records.values.recorded_targets import restored
from dlt_bunce.records.values.targets import Targets
from dlt_bunce.store.accounts import Account
from dlt_bunce.store.database import Database, utc_now
from dlt_bunce.store.ledger import LoadFile
from dlt_bunce.store.letters import dead_letters, released
from dlt_bunce.store.letters.dead_letter_query import pages
from dlt_bunce.store.letters.selection import Selection
from dlt_bunce.store.runs import runs
from dlt_bunce.store.runs.mappings import hinted_fields
from dlt_bunce.store.runs.run_chunks import put_chunk
from dlt_bunce.store.statements import ACCEPTED_SINCE

PORTION = 10_000
"""Dead letters held in memory at a time: enough to fill ten of the largest requests."""

_ACCEPTED_SINCE = f"""
SELECT d.id AS id FROM bunce_chosen AS i JOIN bunce_dead_letters AS d ON d.id = i.id
JOIN bunce_customers AS c ON c.account = d.account AND c.customer_id = d.customer_id
WHERE {ACCEPTED_SINCE}
"""  # noqa: S608, of constants alone


@dataclass(frozen=True)
class Replayed:
    """The outcome of a replay; `without_row` counts dead letters that hold no row to send."""

    summary: RunSummary
    without_row: int


@dataclass(frozen=True)
class _Rows:
    """The rows of dead letters as a source."""

    table: pa.Table

    @property
    def row_count(self) -> int | None:
        return int(self.table.num_rows)

    def chunks(self, rows: int, columns: Collection[str] | None = None) -> Iterator[pa.Table]:
        for start in range(0, self.table.num_rows, rows):
            yield self.table.slice(start, rows)


def replay(
    client: BunceClient,
    *,
    selection: Selection | None = None,
    mapping: Mapping[str, ColumnNames] | None = None,
    portion: int = PORTION,
) -> Replayed:
    """Load the stored rows of open dead letters again, and resolve those that are accepted.

    `selection` chooses among the open dead letters; its status is ignored. `mapping` (field to
    column) takes precedence over what the table's own hint gave in the run that read the stored
    row, as in a load, then the configuration's, then what that run mapped otherwise. Its
    disposition holds. If Bunce has since accepted another row of a
    customer, the customer is not overwritten: the dead letter is superseded. Dead letters without a
    stored row (dead_letter_rows = "keys") are skipped. A crash leaves every dead letter in its
    correct status; replay again to finish.
    """
    started = utc_now()
    chosen = replace(selection or Selection(), status="open")
    groups: dict[Group, _Replay] = {}
    without_row = 0

    def summaries() -> list[RunSummary]:
        return [group.summary for group in groups.values() if group.summary]

    recorded = partial(recorded_failure, client, chosen, started, summaries)
    with recorded():
        account = client.preflight()
    with (
        client.database() as db,
        alone(db, account),
        recorded(),
        contextlib.ExitStack() as closing_runs,
    ):
        before = runs.latest_number(db)
        for number, page in enumerate(pages(db, account.name, chosen, size=portion)):
            without_row += sum(letter["source_row"] is None for letter in page)
            for group, letters in grouped(db, account.name, page, before).items():
                if group not in groups:
                    suffix = f"-{len(groups)}" if groups else ""
                    load_file = _job(client, letters[0], group, f"{runs.REPLAY}{started}{suffix}")
                    groups[group] = _Replay(client, account, db, load_file, group, mapping or {})
                    closing_runs.push(groups[group].close)
                groups[group].run(letters, number)
        if not groups:
            record_unsent(db, account.name, chosen, started, "completed")
    return Replayed(add_up(summaries(), "replay"), without_row)


def correct(client: BunceClient, letter_id: str, changes: Mapping[str, str | None]) -> RunSummary:
    """Send the row of an open dead letter with other values in the columns of `changes`.

    The dead letter is resolved if Bunce accepts the row, and superseded if the row becomes another
    dead letter or Bunce has accepted other content of the customer since. Raises UsageError if it
    is not open, holds no row, or has no such column.
    """
    started, chosen = utc_now(), Selection(ids=[letter_id])
    sent: list[_Replay] = []

    def summaries() -> list[RunSummary]:
        return [each.summary for each in sent if each.summary]

    recorded = partial(recorded_failure, client, chosen, started, summaries)
    with recorded():
        account = client.preflight()
    with client.database() as db, alone(db, account):
        page = next(pages(db, account.name, chosen, size=1), [])
        if not page or page[0]["source_row"] is None:
            raise UsageError(f"No open dead letter {letter_id} holds a row to correct.")
        row = source_rows.decode(page[0]["source_row"])
        if unknown := changes.keys() - row.keys():
            raise UsageError(f"The row has no column {min(unknown)!r}.")
        changed = source_rows.encode({**row, **changes})
        [group] = grouped(db, account.name, page, runs.latest_number(db))
        load_file = _job(client, page[0], group, f"{runs.REPLAY}{started}")
        with recorded(), contextlib.ExitStack() as closing_run:
            sent.append(_Replay(client, account, db, load_file, group, {}))
            closing_run.push(sent[0].close)
            sent[0].run([page[0] | {"source_row": changed}], 0)
    [summary] = summaries()
    return summary


@dataclass
class _Replay:
    """The run that sends the dead letters of a group, page by page."""

    client: BunceClient
    account: Account
    database: Database
    load_file: LoadFile
    group: Group
    mapping: Mapping[str, ColumnNames]
    begun: bool = False
    targets: Targets | None = None
    summary: RunSummary | None = None
    started_at: str = field(default_factory=utc_now)

    def run(self, letters: list[Letter], page: int) -> None:
        """Send the rows that nothing newer has overtaken, then close the settled dead letters."""
        db, load_file = self.database, self.load_file
        rows = [
            source_rows.decode(letter["source_row"])
            | {LETTER_ID: letter["id"], FILE: letter["source"], LINE: letter["source_line"]}
            for letter in letters
        ]
        table = restored(source_rows.arrow_table(rows), self._record)
        settings = self._settings(table.column_names)
        ids = [letter["id"] for letter in letters]
        released.release(db, load_file.account, ids)
        overtaken = {row["id"] for row in db.rows(_ACCEPTED_SINCE)}
        if overtaken:
            count = len(overtaken)
            not_sent = replace(load_file, job_id=f"replay{page}-overtaken")
            put_chunk(db, not_sent, 0, count, {"superseded": count}, {})
        to_send = table.filter(pa.array([letter_id not in overtaken for letter_id in ids]))
        self._load(to_send, settings, page)
        known = self._delivered(table, settings)
        for status, accepted in (("resolved", True), ("superseded", False)):
            seen = {
                letter["id"]: letter["last_seen_at"]
                for row, letter in enumerate(letters)
                if (row in known) is accepted
            }
            dead_letters.close_unseen(db, load_file.account, seen, status)

    def close(self, _type: object, error: BaseException | None, _trace: object) -> None:
        """Close the run, with the error that ended it, if any, and sum it up."""
        db, file = self.database, self.load_file
        failure = None if error is None else failure_of(error)
        state = "completed" if error is None else "stopped" if is_stopped(error) else "failed"
        names = (file.run_id, file.pipeline_name, file.account)
        with db.transaction():
            runs.finish(db, *names, state, failure, started_at=self.started_at, source=NAME)
        [self.summary] = runs.summaries(db, file.account, run_ids=[file.run_id])

    def _load(self, table: pa.Table, settings: Settings, page: int) -> None:
        client, db = self.client, self.database
        if not table.num_rows:
            return
        if not self.begun:
            self.targets = targets_of(
                client,
                self.load_file.table_name,
                table.column_names,
                [*settings.mapping.source_columns, *filter(None, [settings.mapping.version])],
                self._record,
            )
            mapping = settings.mapping.recorded
            self.load_file, self.begun = runs.begin(db, self.load_file, mapping), True
            for traffic in client.take_preflight_traffic():
                runs.add_traffic(db, self.load_file, traffic)
        load_file = replace(self.load_file, job_id=f"replay{page}")
        throttle = throttle_for(self.account, None, client.config)
        with telemetry.load_span(load_file) as settled, closing(client.session()) as session:
            sender = BunceSender(session, throttle, client.config.on_email_taken == "link")
            values = None
            if self.targets is not None:
                values = value_delivery(client, self.account, load_file, db, sender, self.targets)
            settled(Load(_Rows(table), load_file, settings, db, sender, values=values).run())

    @property
    def _record(self) -> dict[str, Any]:
        """What the run that read the rows recorded of their values."""
        record: dict[str, Any] = json.loads(self.group.targets)
        return record

    def _settings(self, columns: Sequence[str]) -> Settings:
        config = self.client.config
        recorded: dict[str, ColumnNames] = json.loads(self.group.mapping)
        hints = {name: recorded[name] for name in hinted_fields(self._record) if name in recorded}
        hints = {name: given for name, given in hints.items() if name not in self.mapping}
        configured = {**recorded, **(config.mapping or {})}
        return Settings(
            mapping=resolve_mapping(
                columns,
                hints=_present(hints, columns),
                config=_present(configured, columns) | dict(self.mapping),
                defaults=config.defaults or {},
            ),
            rules=config.rules,
            email_key=self.account.email_key,
            check_mapping=False,
        )

    def _delivered(self, table: pa.Table, settings: Settings) -> set[int]:
        """Return the rows that are the last Bunce accepted of their customers, as prepared now."""
        accepted = prepare(table, settings.mapping, settings.rules).accepted
        self.database.ingest(
            "bunce_replayed", accepted.select(["row", "customer_id", "fingerprint"])
        )
        rows = self.database.rows(
            "SELECT r.row AS n FROM bunce_replayed AS r JOIN bunce_customers AS c "
            "ON c.account = $1 AND c.customer_id = r.customer_id "
            "AND c.fingerprint = r.fingerprint",
            (self.load_file.account,),
        )
        return {row["n"] for row in rows}


def _present(mapping: Mapping[str, ColumnNames], columns: Sequence[str]) -> dict[str, ColumnNames]:
    """Return the part of a mapping whose columns exist."""
    present = {n: [c for c in names_of(g) if as_spelled(c, columns)] for n, g in mapping.items()}
    return {name: listed(found) for name, found in present.items() if found}


def _job(client: BunceClient, letter: Letter, group: Group, run_id: str) -> LoadFile:
    return LoadFile(
        account=client.config.account,
        run_id=run_id,
        pipeline_name=letter["pipeline_name"],
        table_name=group.table_name,
        job_id="replay",
        disposition=group.disposition,
        letter_rows=client.config.dead_letter_rows,
        is_replay=True,
        source=NAME,
    )
