"""Send dead letters again, with the current mapping and rules."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from dlt_bunce import telemetry
from dlt_bunce.destination.client import BunceClient
from dlt_bunce.destination.run_summary import add_up
from dlt_bunce.errors import StoreError
from dlt_bunce.load.load import Load, Settings
from dlt_bunce.load.sender import BunceSender
from dlt_bunce.model import RunSummary
from dlt_bunce.records import rows as source_rows
from dlt_bunce.records.mapping import resolve_mapping
from dlt_bunce.records.matching import as_spelled
from dlt_bunce.records.prepare import prepare
from dlt_bunce.records.schema import ColumnNames, listed, names_of
from dlt_bunce.store import dead_letters, mappings, runs
from dlt_bunce.store.accounts import Account
from dlt_bunce.store.database import Database, utc_now
from dlt_bunce.store.dead_letter_query import Selection, pages
from dlt_bunce.store.ledger import LoadFile
from dlt_bunce.store.statements import ACCEPTED_SINCE

PORTION = 10_000
"""Dead letters held in memory at a time: enough to fill ten of the largest requests."""

_Letter = dict[str, Any]

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
    column) takes precedence over the configuration's, and that over the mapping of the run that
    wrote the dead letter. If Bunce has since accepted another row of a customer, the customer is
    not overwritten: the dead letter is superseded. Dead letters without a stored row
    (dead_letter_rows = "keys") are skipped. A crash leaves every dead letter in its correct status;
    replay again to finish.
    """
    account = client.preflight()
    started = utc_now()
    found: list[RunSummary] = []
    without_row = 0
    with client.database() as db, _alone(db, account):
        before = runs.latest_number(db)
        chosen = replace(selection or Selection(), status="open")
        for page in pages(db, account.name, chosen, size=portion):
            groups: dict[tuple[str, str], list[_Letter]] = defaultdict(list)
            for letter in page:
                if letter["source_row"] is None:
                    without_row += 1
                elif (
                    letter["run_number"] or 0
                ) <= before:  # otherwise this replay has just written it
                    groups[letter["run_id"], letter["pipeline_name"]].append(letter)
            for letters in groups.values():
                load_file = _job(client, letters[0], f"{runs.REPLAY}{started}-{len(found)}")
                found.append(_Replay(client, account, db, load_file, mapping or {}).run(letters))
    return Replayed(add_up(found[::-1], "replay"), without_row)


@dataclass(frozen=True)
class _Replay:
    """A portion of the dead letters of one run."""

    client: BunceClient
    account: Account
    database: Database
    load_file: LoadFile
    mapping: Mapping[str, ColumnNames]

    def run(self, letters: list[_Letter]) -> RunSummary:
        """Send the rows that nothing newer has overtaken, then close the settled dead letters."""
        db, load_file = self.database, self.load_file
        table = source_rows.arrow_table(
            [source_rows.decode(letter["source_row"]) for letter in letters]
        )
        settings = self._settings(letters[0], table.column_names)
        ids = [letter["id"] for letter in letters]
        dead_letters.release(db, load_file.account, ids)
        overtaken = {row["id"] for row in db.rows(_ACCEPTED_SINCE)}
        to_send = table.filter(pa.array([letter_id not in overtaken for letter_id in ids]))
        summary = self._load(to_send, settings)
        known = self._delivered(table, settings)
        for status, accepted in (("resolved", True), ("superseded", False)):
            seen = {
                letter["id"]: letter["last_seen_at"]
                for row, letter in enumerate(letters)
                if (row in known) is accepted
            }
            dead_letters.close_unseen(db, load_file.account, seen, status)
        return replace(
            summary,
            read=summary.read + len(overtaken),
            superseded=summary.superseded + len(overtaken),
        )

    def _load(self, table: pa.Table, settings: Settings) -> RunSummary:
        client, db, load_file = self.client, self.database, self.load_file
        if not table.num_rows:
            return RunSummary(run_id=load_file.run_id, pipeline_name=load_file.pipeline_name)
        load_file = runs.begin(db, load_file, settings.mapping.recorded)
        for traffic in client.take_preflight_traffic():
            runs.add_traffic(db, load_file, traffic)
        throttle = client.throttle(self.account)
        state = "failed"
        try:
            with telemetry.load_span(load_file) as settled, closing(client.session()) as session:
                settled(
                    Load(
                        _Rows(table), load_file, settings, db, BunceSender(session, throttle)
                    ).run()
                )
            state = "completed"
        finally:
            with db.transaction():
                runs.finish(db, load_file.run_id, load_file.pipeline_name, load_file.account, state)
        return runs.summaries(db, load_file.account, run_ids=[load_file.run_id])[0]

    def _settings(self, letter: _Letter, columns: Sequence[str]) -> Settings:
        config = self.client.config
        then = mappings.mapping_of(self.database, letter["run_id"], letter["pipeline_name"])
        configured: dict[str, ColumnNames] = {**then, **(config.mapping or {})}
        return Settings(
            mapping=resolve_mapping(
                columns,
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
    present = {
        name: [column for column in names_of(given) if as_spelled(column, columns)]
        for name, given in mapping.items()
    }
    return {name: listed(found) for name, found in present.items() if found}


def _job(client: BunceClient, letter: _Letter, run_id: str) -> LoadFile:
    return LoadFile(
        account=client.config.account,
        run_id=run_id,
        pipeline_name=letter["pipeline_name"],
        table_name=letter["table_name"],
        job_id="replay",
        disposition="merge",
        letter_rows=client.config.dead_letter_rows,
    )


@contextlib.contextmanager
def _alone(db: Database, account: Account) -> Iterator[None]:
    """Run one replay at a time, and release what an earlier, interrupted one still claims.

    Raises StoreError while another replay is running.
    """
    with db.alone("replay") as locked:
        if not locked:
            raise StoreError(
                "Another replay is running.", remedy="Wait for it to finish, then run this again."
            )
        db.execute(
            "UPDATE bunce_customers SET lease_until = 0 WHERE account = $1 AND claim_batch LIKE $2",
            (account.name, f"{runs.REPLAY}%"),
        )
        db.execute("DELETE FROM bunce_leases WHERE claim_batch LIKE $1", (f"{runs.REPLAY}%",))
        for run in db.rows(
            "SELECT run_id, pipeline_name FROM bunce_runs WHERE account = $1 "
            "AND run_id LIKE $2 AND state = 'running'",
            (account.name, f"{runs.REPLAY}%"),
        ):
            runs.finish(db, run["run_id"], run["pipeline_name"], account.name, "failed")
        yield
