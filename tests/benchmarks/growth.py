"""What a row costs at the store while the ledger grows: `python -m tests.benchmarks.growth`.

Chunks as a load makes them are claimed and settled, or found unchanged, beside so many customers.
Ids are scattered over the key space, which is the dearest order there is.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import click
import pyarrow as pa
from tests.benchmarks.customers import customers
from tests.postgres import drop_schema, new_schema, postgres

from dlt_bunce.load.load import CHUNK_ROWS
from dlt_bunce.model import Traffic
from dlt_bunce.records.fields.rules import Rules
from dlt_bunce.records.fingerprint import text_digests
from dlt_bunce.records.mapping.mapping import FieldMapping
from dlt_bunce.records.prepare import prepare
from dlt_bunce.store.database import Database
from dlt_bunce.store.ledger import SETTLED, Ledger, LoadFile
from dlt_bunce.store.letters.dead_letters import LETTERS
from dlt_bunce.store.statements import CLAIM, JUDGE

FILL_ROWS = 500_000
GROUP_ROWS = 4_000
"""Rows that are settled in one transaction: some batches that came in together."""
_MAPPING = FieldMapping(
    columns={
        "customer_id": "id",
        "email": "email",
        "first_name": "first_name",
        "last_name": "last_name",
        "phone_no": "mobile",
        "devices": "devices",
    },
    version="updated_at",
    how={},
)
_numbers = itertools.count()


@click.command()
@click.option("--sizes", default="0,1000000,10000000", show_default=True)
@click.option("--chunks", default=10, show_default=True, help="Chunks measured at each size.")
@click.option("--store", default="sqlite,postgres", show_default=True)
@click.option("--plans", is_flag=True, help="Print how Postgres compares and claims a chunk.")
def main(sizes: str, chunks: int, store: str, plans: bool) -> None:
    """Print microseconds a row at each size, and how many times those of the smallest."""
    if plans:
        _print_plans([int(size) for size in sizes.split(",")])
        return
    click.echo("| store | customers | new row, µs | ratio | unchanged row, µs | ratio |")
    click.echo("|---|---|---|---|---|---|")
    for kind in store.split(","):
        with _store(kind) as store_url, Database(store_url) as db:
            first: tuple[float, float] | None = None
            held = 0
            for size in map(int, sizes.split(",")):
                for start in range(held, size, FILL_ROWS):
                    _fill(db, start, min(FILL_ROWS, size - start))
                db.analyze("bunce_customers")
                new, unchanged = _microseconds(db, size, chunks)
                held = size + chunks * CHUNK_ROWS
                first = first or (new, unchanged)
                figures = (f"{size:,}", f"{new:.1f}", f"{new / first[0]:.2f}")
                figures += (f"{unchanged:.1f}", f"{unchanged / first[1]:.2f}")
                click.echo(f"| {kind} | {' | '.join(figures)} |")


def _print_plans(sizes: list[int]) -> None:
    """The plans of both statements, as they were carried out beside so many customers."""
    with _store("postgres") as store_url, Database(store_url) as db:
        held = 0
        for size in sizes:
            for start in range(held, size, FILL_ROWS):
                _fill(db, start, min(FILL_ROWS, size - start))
            held = size
            db.analyze("bunce_customers")
            job = _job()
            known = _prepared(size // 2, CHUNK_ROWS).sort_by("customer_id")
            names = ["row", "customer_id", "fingerprint", "version"]
            db.ingest("bunce_incoming", known.select(names))
            # far from those that the next size adds
            new = _prepared(10 * max(sizes) + size, CHUNK_ROWS).sort_by("customer_id")
            db.ingest("bunce_claimed", new.select(["customer_id", "fingerprint"]))
            now = 1_795_000_000_000
            for title, text, parameters in (
                ("compare", JUDGE, (job.name, 0, job.batch_id(0), now, job.account)),
                ("claim", CLAIM, (job.account, job.batch_id(0), now + 180_000, now)),
            ):
                click.echo(f"\n{size:,} customers, {title} {CHUNK_ROWS:,} rows")
                for row in db.rows(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {text}", parameters):
                    click.echo("  " + str(*row.values()))


def _microseconds(db: Database, size: int, chunks: int) -> tuple[float, float]:
    """Of a new row, and of one that is unchanged."""
    starts = [size + number * CHUNK_ROWS for number in range(chunks)]
    tables = [_prepared(start, CHUNK_ROWS) for start in starts]
    job = _job()
    ledger = Ledger(db, job)
    new = [_seconds(_create, ledger, table, number) for number, table in enumerate(tables)]
    ledger = Ledger(db, _job())
    # spread over all that the ledger holds
    step = max(1, (size + chunks * CHUNK_ROWS) // chunks)
    spread = [_prepared(number * step, CHUNK_ROWS) for number in range(chunks)]
    unchanged = [_seconds(_claim, ledger, table, number) for number, table in enumerate(spread)]
    return median(new) / CHUNK_ROWS * 1e6, median(unchanged) / CHUNK_ROWS * 1e6


def _create(ledger: Ledger, accepted: pa.Table, chunk: int) -> None:
    rows = _claim(ledger, accepted, chunk)
    for start in range(0, rows.num_rows, GROUP_ROWS):
        part = rows.slice(start, GROUP_ROWS)
        ledger.settle(_settled(part, chunk), LETTERS.empty_table(), Traffic())


def _claim(ledger: Ledger, accepted: pa.Table, chunk: int) -> pa.Table:
    letters = LETTERS.empty_table()
    return ledger.claim(accepted, letters, chunk=chunk, read=CHUNK_ROWS, superseded=0).to_send


def _seconds(act: object, ledger: Ledger, accepted: pa.Table, chunk: int) -> float:
    started = time.perf_counter()
    act(ledger, accepted, chunk)  # type: ignore[operator]
    return time.perf_counter() - started


def _prepared(first: int, rows: int) -> pa.Table:
    return prepare(customers(first, rows), _MAPPING, Rules()).accepted


def _settled(rows: pa.Table, chunk: int) -> pa.Table:
    count = rows.num_rows
    columns = [
        rows["customer_id"],
        pa.repeat("created", count),
        pa.repeat("response", count),
        rows["fingerprint"],
        rows["version"],
        text_digests(rows["email"].combine_chunks()),
        pa.repeat(pa.scalar(chunk, pa.int64()), count),
        pa.repeat(pa.scalar(0, pa.int64()), count),
    ]
    return pa.table(columns, schema=SETTLED)


def _fill(db: Database, first: int, rows: int) -> None:
    """Customers as an earlier load has left them."""
    accepted = _prepared(first, rows).sort_by("customer_id")
    settled = _settled(accepted, 0)
    with db.transaction():
        db.ingest("bunce_filled", settled)
        db.execute(
            "INSERT INTO bunce_customers (account, customer_id, fingerprint, version, "
            "confirmation, email_digest, delivered_at, fate, job, chunk) SELECT 'default', "
            "customer_id, fingerprint, version, confirmation, email_digest, "
            "'2026-11-25T00:00:00.000000+00:00', fate, '1795000000.123456.abcdef1234', chunk "
            "FROM bunce_filled"
        )


def _job() -> LoadFile:
    number = next(_numbers)
    return LoadFile("default", f"1795000000.{number}", "growth", "customers", "abcdef1234", "merge")


@contextmanager
def _store(kind: str) -> Iterator[str]:
    if kind == "postgres":
        with postgres() as url:
            store_url = new_schema(url)
            yield store_url
            drop_schema(store_url)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{Path(folder) / 'bunce.sqlite'}"


if __name__ == "__main__":
    main()
