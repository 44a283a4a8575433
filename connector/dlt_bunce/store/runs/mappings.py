"""The column mappings of earlier runs, and the attributes and segments that they fed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from dlt_bunce.store.database import Database
from dlt_bunce.store.runs.runs import REPLAY

if TYPE_CHECKING:
    from dlt_bunce.store.load_file import LoadFile


class Used(NamedTuple):
    """What a run used: the mapping of its first table by name, what is recorded of each table, both
    as JSON; and the disposition of one of them.
    """

    mapping: str
    targets: str
    disposition: str = "merge"

    def mapping_of(self, table_name: str) -> str:
        """Return the mapping of a table, as JSON."""
        own = json.loads(self.targets).get(table_name, {}).get(_MAPPING)
        return self.mapping if own is None else json.dumps(own)

    def disposition_of(self, table_name: str) -> str:
        """Return the write disposition of a table."""
        own = json.loads(self.targets).get(table_name, {}).get(_DISPOSITION)
        return self.disposition if own is None else str(own)

    def targets_of(self, table_name: str) -> str:
        """Return the targets of a table, as JSON."""
        return json.dumps(json.loads(self.targets).get(table_name, {}))

    def feeds(self, table_name: str) -> dict[str, object]:
        """Return what columns of a table feed, and which of that its own hint gave: all of its
        targets that matters to a replay, but for the types of these columns.
        """
        targets = json.loads(self.targets).get(table_name, {})
        return {name: targets.get(name) or None for name in (*KINDS, "hinted")}


class LastMapping(NamedTuple):
    """Source columns by field, with the version; `by_name` has the fields mapped by name alone."""

    columns: dict[str, str | list[str]]
    by_name: dict[str, str | list[str]]


KINDS = ("attributes", "segments")
READERS = ("run_id", "pipeline_name", "read_run_id", "read_pipeline_name")
VERSION = "version"
_MAPPING, _DISPOSITION = "mapping", "disposition"
_HINTED_FIELDS, _BY_NAME = "hinted_fields", "by_name"
_TRIED = 20
"""Newest runs in which a table is looked for."""
UNKNOWN = Used("{}", "{}")
"""What is known of a run that has been deleted."""


def of_last_run(db: Database, account: str, source_key: str, table_name: str) -> LastMapping:
    """Return the mapping of a table's last completed run; an empty one if there is none.

    `source_key` is that of a command's source, or the name of a pipeline.
    """
    # without an escape character of our own, Postgres takes the backslashes of JSON for one
    named = re.sub("[!%_]", r"!\g<0>", json.dumps(table_name))
    rows = db.rows(
        "SELECT r.mapping AS mapping, r.by_name AS by_name, r.table_name AS table_name, "
        "r.targets AS targets FROM bunce_runs AS r "
        "JOIN bunce_dlt_loads AS l ON l.load_id = r.run_id WHERE r.account = $1 "
        "AND COALESCE(r.source_key, r.pipeline_name) = $2 "
        "AND (r.table_name = $3 OR r.targets LIKE $4 ESCAPE '!') AND r.state = 'completed' "
        "AND r.by_name IS NOT NULL ORDER BY COALESCE(l.number, 0) DESC LIMIT $5",
        (account, source_key, table_name, f"%{named}%", _TRIED),
    )
    for row in rows:
        columns, by_name = json.loads(row["mapping"]), json.loads(row["by_name"])
        if row["table_name"] != table_name:
            # a name may stand for something else in the record
            record = json.loads(row["targets"]).get(table_name, {})
            columns, by_name = record.get(_MAPPING), record.get(_BY_NAME, ())
        if columns is not None:
            return LastMapping(columns, {field: columns[field] for field in by_name})
    return LastMapping({}, {})


def is_changed(db: Database, account: str, run_id: str, pipeline_name: str) -> bool:
    """Return whether a run maps a field to another column than the last completed run of its source
    did.
    """
    rows = db.rows(
        "SELECT table_name, mapping, COALESCE(source_key, pipeline_name) AS source_key "
        "FROM bunce_runs WHERE run_id = $1 AND pipeline_name = $2 AND mapping IS NOT NULL",
        (run_id, pipeline_name),
    )
    for row in rows:
        before = of_last_run(db, account, row["source_key"], row["table_name"]).columns
        now = json.loads(row["mapping"])
        # a field that is mapped in one of them alone may have no data in the other
        if any(before[name] != now[name] for name in before.keys() & now.keys() - {VERSION}):
            return True
    return False


def mapping_of(
    db: Database, run_id: str, pipeline_name: str, table_name: str
) -> dict[str, str | list[str]]:
    """Return the mapping that a run used for a table; empty if the run is unknown."""
    rows = db.rows(
        "SELECT pipeline_name, mapping, targets FROM bunce_runs WHERE run_id = $1", (run_id,)
    )
    wanted = key(run_id, pipeline_name)
    found = (_used(row) for row in rows if key(run_id, row["pipeline_name"]) == wanted)
    mapping: dict[str, str | list[str]] = json.loads(next(found, UNKNOWN).mapping_of(table_name))
    return mapping


def reading(
    mapping: Mapping[str, object],
    *,
    hinted: Sequence[str],
    by_name: Sequence[str],
    disposition: str,
) -> dict[str, object]:
    """Return for `record_targets` the mapping of a table, the fields of which its own hint gave the
    columns, those mapped by column name alone, and its write disposition.
    """
    return {
        _MAPPING: dict(mapping),
        _HINTED_FIELDS: list(hinted),
        _BY_NAME: sorted(by_name),
        _DISPOSITION: disposition,
    }


def hinted_fields(record: Mapping[str, Any]) -> list[str]:
    """Return the fields in the record of a table of which its own hint gave the columns."""
    return list(record.get(_HINTED_FIELDS, ()))


def record_targets(db: Database, load_file: LoadFile, targets: Mapping[str, object]) -> None:
    """Record what columns of the load file's table feed, or how they are read, inside the caller's
    transaction.
    """
    chosen = "WHERE run_id = $1 AND pipeline_name = $2"
    run = load_file.run_id, load_file.pipeline_name
    # locked until the end, as files of other tables record theirs at the same time
    db.execute(f"UPDATE bunce_runs SET targets = targets {chosen}", run)  # noqa: S608
    for row in db.rows(f"SELECT targets FROM bunce_runs {chosen}", run):  # noqa: S608
        known = json.loads(row["targets"] or "{}")
        before = known.get(load_file.table_name, {})
        if before != {**before, **targets}:
            text = json.dumps(known | {load_file.table_name: {**before, **targets}})
            db.execute(f"UPDATE bunce_runs SET targets = $3 {chosen}", (*run, text))  # noqa: S608


def targets_of_runs(
    db: Database, account: str, run_ids: Iterable[str]
) -> dict[str, dict[str, str]]:
    """Return column to name by kind, without columns that runs or their tables disagree about."""
    found: dict[str, dict[str, str]] = {}
    unclear: set[str] = set()
    for run in of_runs(db, account, run_ids).values():
        for record in json.loads(run.targets).values():
            for kind in KINDS:
                for column, name in record.get(kind, {}).items():
                    if found.setdefault(kind, {}).setdefault(column, name) != name:
                        unclear.add(column)
    return {
        kind: {column: name for column, name in names.items() if column not in unclear}
        for kind, names in found.items()
    }


def targets_of_table(
    db: Database, account: str, run_id: str, pipeline_name: str, table_name: str
) -> str:
    """Return what a run has recorded of a table's targets, as JSON."""
    used = of_runs(db, account, [run_id]).get(key(run_id, pipeline_name), UNKNOWN)
    return used.targets_of(table_name)


def key(run_id: str, pipeline_name: str) -> tuple[str, str]:
    """Return what tells a run from others: a load id may occur in several pipelines, and a replay
    is one run of whatever pipelines its rows come from.
    """
    return run_id, "" if run_id.startswith(REPLAY) else pipeline_name


def reader_of(letter: Mapping[str, Any]) -> tuple[str, str]:
    """Return the run (run_id, pipeline_name) that read the row of a dead letter as it is stored:
    its mapping fits the row. `letter` has the columns READERS.
    """
    if letter["read_run_id"] is not None:
        return letter["read_run_id"], letter["read_pipeline_name"]
    return letter["run_id"], letter["pipeline_name"]


def of_runs(db: Database, account: str, run_ids: Iterable[str]) -> dict[tuple[str, str], Used]:
    """Return what runs used, by `key`."""
    table = pa.table({"run_id": pa.array(sorted(set(run_ids)), pa.string())})
    db.ingest("bunce_chosen_runs", table)
    rows = db.rows(
        "SELECT run_id, pipeline_name, mapping, targets, disposition FROM bunce_runs "
        "WHERE account = $1 AND run_id IN (SELECT run_id FROM bunce_chosen_runs)",
        (account,),
    )
    return {key(row["run_id"], row["pipeline_name"]): _used(row) for row in rows}


def _used(row: Mapping[str, Any]) -> Used:
    disposition = row.get("disposition") or "merge"
    return Used(row["mapping"] or "{}", row["targets"] or "{}", disposition)
