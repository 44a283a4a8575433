"""Earlier versions, to notice when a table changes how it counts them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.store.database import Database
from dlt_bunce.store.load_file import LoadFile

_SAMPLE = 1_000
"""Rows whose versions are compared with the ledger's: enough to know a unit by."""


def of_last_run(db: Database, load_file: LoadFile) -> int | None:
    """Return the median of the last other run of the table from the same source, if any."""
    rows = db.rows(
        "SELECT version_median FROM bunce_runs WHERE account = $1 "
        "AND COALESCE(source_key, pipeline_name) = $2 AND table_name = $3 "
        "AND run_id <> $4 AND version_median IS NOT NULL "
        "ORDER BY COALESCE(number, 0) DESC LIMIT 1",
        (
            load_file.account,
            load_file.source_key or load_file.pipeline_name,
            load_file.table_name,
            load_file.run_id,
        ),
    )
    return int(rows[0]["version_median"]) if rows else None


def known_versions(db: Database, account: str, rows: pa.Table) -> pa.Table:
    """Return the version of the first rows (`now`) whose customers have one in the ledger
    (`known`).

    `rows` have a `customer_id` and a `version`. Call it outside a transaction.
    """
    versioned = rows.select(["customer_id", "version"]).filter(pc.is_valid(rows["version"]))
    versioned = versioned.slice(0, _SAMPLE)
    db.ingest("bunce_versions", versioned.sort_by("customer_id"))
    return db.query(
        "SELECT c.version AS known, i.version AS now FROM bunce_versions AS i "
        "JOIN bunce_customers AS c ON c.account = $1 AND c.customer_id = i.customer_id "
        "WHERE c.version IS NOT NULL",
        (account,),
        schema=pa.schema([("known", pa.int64()), ("now", pa.int64())]),
    )


def note(db: Database, load_file: LoadFile, median: int) -> None:
    """Store the median, for comparison with the next run."""
    db.execute(
        "UPDATE bunce_runs SET version_median = $1 WHERE run_id = $2 AND pipeline_name = $3 "
        "AND table_name = $4",
        (median, load_file.run_id, load_file.pipeline_name, load_file.table_name),
    )


def forget(db: Database, account: str) -> int:
    """Forget every version of the account; return how many customers had one.

    Whatever the next load reads for a customer then counts as newer.
    """
    found = db.rows(
        "SELECT COUNT(*) AS n FROM bunce_customers WHERE account = $1 AND version IS NOT NULL",
        (account,),
    )
    for table, column in (
        ("bunce_customers", "version"),
        ("bunce_dead_letters", "version"),
        ("bunce_runs", "version_median"),
    ):
        db.execute(f"UPDATE {table} SET {column} = NULL WHERE account = $1", (account,))  # noqa: S608
    return int(found[0]["n"])
