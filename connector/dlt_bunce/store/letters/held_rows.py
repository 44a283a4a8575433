"""Rows that are held: their dead letters keep the values that the last load has read, and which run
that was, as its columns feed attributes and segments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from dlt_bunce.store.database import Database
from dlt_bunce.store.letters.dead_letters import letter_id
from dlt_bunce.store.load_file import LoadFile
from dlt_bunce.store.runs.mappings import UNKNOWN, key, of_runs, reader_of

ReadAnew = Callable[[Sequence[dict[str, Any]]], Sequence[dict[str, Any]]]
"""Returns those of the given letters (id, version, source_row, and the `row` of a chunk) whose row
reads otherwise now, or all that are `mapped_otherwise`: with their source_row, source, and
source_line of now.
"""
_ANY_TARGETS = "SELECT 1 AS n FROM bunce_targets WHERE account = $1 LIMIT 1"
_HELD = pa.schema([("id", pa.string()), ("row", pa.int64()), ("version", pa.int64())])
_RENEWED = pa.schema(
    [
        ("id", pa.string()),
        ("version", pa.int64()),
        ("source_row", pa.string()),
        ("source", pa.string()),
        ("source_line", pa.int64()),
    ]
)
# the dead letters of rows of this table that an earlier chunk or run has written, but for those of
# a newer version
_FOUND = """
SELECT h.id AS id, h.row AS row, h.version AS version, d.source_row AS source_row,
  d.run_id AS run_id, d.pipeline_name AS pipeline_name, d.read_run_id AS read_run_id,
  d.read_pipeline_name AS read_pipeline_name
FROM bunce_held AS h JOIN bunce_dead_letters AS d ON d.id = h.id
WHERE d.status = 'open' AND d.batch_id <> $1 AND d.table_name = $2 AND d.source_row IS NOT NULL
  AND (d.version IS NULL OR h.version IS NULL OR d.version <= h.version)
"""
_OWN = "FROM bunce_renewed AS r WHERE r.id = bunce_dead_letters.id"
_RENEW = f"""
UPDATE bunce_dead_letters SET source_row = (SELECT r.source_row {_OWN}),
  version = COALESCE((SELECT r.version {_OWN}), version),
  source = (SELECT r.source {_OWN}), source_line = (SELECT r.source_line {_OWN}),
  read_run_id = $1, read_pipeline_name = $2
WHERE status = 'open' AND id IN (SELECT id FROM bunce_renewed)
"""  # noqa: S608, constants only


def renew(
    db: Database, load_file: LoadFile, held: pa.Table, chunk: int, read_anew: ReadAnew
) -> None:
    """Let open dead letters of `held` rows (row, customer_id, fingerprint, version) have these rows
    as they read now, with the mapping of now: what is not in the fingerprint, such as attribute
    values, may differ, and so may what the columns of the table feed.

    The load must have recorded that before (`record_targets`). Nothing is written where nothing
    differs, and nothing is compared for an account that has never had attributes or segments.
    """
    if load_file.is_replay or load_file.letter_rows == "keys" or not held.num_rows:
        return
    if not db.rows(_ANY_TARGETS, (load_file.account,)):
        return
    names = ["customer_id", "fingerprint", "row", "version"]
    # of equal rows without a customer, the last one
    rows = {
        letter_id(load_file.account, customer_id, fingerprint): {"row": row, "version": version}
        for customer_id, fingerprint, row, version in zip(
            *(held.column(name).to_pylist() for name in names), strict=True
        )
    }
    known = [{"id": letter, **row} for letter, row in rows.items()]
    db.ingest("bunce_held", pa.Table.from_pylist(known, _HELD))
    found = db.rows(_FOUND, (load_file.batch_id(chunk), load_file.table_name))
    _compare_mappings(db, load_file, found)
    if renewed := read_anew(found):
        renewed = [each | {"source": each["source"] or load_file.origin} for each in renewed]
        db.ingest("bunce_renewed", pa.Table.from_pylist(renewed, _RENEWED))
        db.execute(_RENEW, (load_file.run_id, load_file.pipeline_name))


def _compare_mappings(db: Database, load_file: LoadFile, letters: list[dict[str, Any]]) -> None:
    """Note which letters are `mapped_otherwise`: the columns of their table fed something else."""
    own = key(load_file.run_id, load_file.pipeline_name)
    readers = [key(*reader_of(letter)) for letter in letters]
    used = of_runs(db, load_file.account, {run_id for run_id, _ in (own, *readers)})
    feeds = {run: used.get(run, UNKNOWN).feeds(load_file.table_name) for run in {own, *readers}}
    for letter, reader in zip(letters, readers, strict=True):
        letter["mapped_otherwise"] = feeds[reader] != feeds[own]
