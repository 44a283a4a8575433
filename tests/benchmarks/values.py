"""What attributes and segments cost: `python -m tests.benchmarks.values`.

A load of customers with ten attributes and two segments, three times: first, unchanged, and with 1%
of the rows changed. Then what ten attributes add to an unchanged load.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from pathlib import Path

import click
import dlt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tests.benchmarks.contenders import QUIET
from tests.benchmarks.server import Server

os.environ |= QUIET

from tests.benchmarks.customers import BLOCK, chance, customers

from dlt_bunce import RunSummary, bunce, bunce_adapter, flush_and_run
from dlt_bunce.sources import from_parquet

SEGMENTS = {"is_vip": "VIP customers", "is_active": "Active customers"}
_CITIES = ["Lagos", "Ibadan", "Abuja", "Accra", "Kumasi", "Nairobi", "Mombasa", "São Paulo"]
_PLANS = ["free", "basic", "gold", "platinum"]


def with_values(table: pa.Table, changed_share: float = 0.0) -> pa.Table:
    """Customers with ten attribute columns and two of segments.

    In such a share of the rows the balance and the first segment differ.
    """
    moments = table["updated_at"].combine_chunks()
    numbers = pc.divide(moments.cast(pa.int64()), 1_000)
    changed = pc.less(chance(numbers, 6, 1_000), round(changed_share * 1_000))
    amount = pc.divide(chance(numbers, 7, 10_000_000).cast(pa.float64()), 100.0)
    is_vip = pc.equal(chance(numbers, 8, 10), 0)
    columns = {
        "plan": pa.array(_PLANS).take(chance(numbers, 9, len(_PLANS))),
        "city": pa.array(_CITIES).take(chance(numbers, 10, len(_CITIES))),
        "referrer": pc.binary_join_element_wise(
            "r-", chance(numbers, 11, 5_000).cast(pa.string()), ""
        ),
        "orders": chance(numbers, 12, 400),
        "points": chance(numbers, 13, 1_000_000),
        "balance": pc.if_else(changed, pc.add(amount, 1.0), amount),
        "limit": amount.cast(pa.decimal128(18, 4), safe=False),
        "last_paid_at": moments,
        "born_on": chance(numbers, 14, 20_000).cast(pa.int32()).cast(pa.date32()),
        "is_verified": pc.equal(chance(numbers, 15, 3), 0),
        "is_vip": pc.xor(is_vip, changed),
        "is_active": pc.greater(chance(numbers, 16, 5), 0),
    }
    for name, column in columns.items():
        table = table.append_column(name, column)
    return table


ATTRIBUTES = {
    name: name.replace("_", " ").capitalize()
    for name in with_values(customers(0, 0)).column_names[7:17]
}


def write(path: Path, rows: int, changed_share: float = 0.0, *, values: bool = True) -> None:
    """A Parquet file of customers, with values or without."""
    with pq.ParquetWriter(
        path, (with_values if values else _as_is)(customers(0, 0)).schema
    ) as file:
        for start in range(0, rows, BLOCK):
            table = customers(start, min(BLOCK, rows - start))
            file.write_table(with_values(table, changed_share) if values else table)


def _as_is(table: pa.Table) -> pa.Table:
    return table


class Account:
    """An account of the emulated Bunce, with a store of its own."""

    def __init__(self, server: Server, folder: Path, name: str) -> None:
        self.store = folder / f"{name}.sqlite"
        self._folder, self._name, self._server = folder, name, server

    def load(
        self, file: Path, *, values: bool = True, segments: bool = True
    ) -> tuple[RunSummary, float, float]:
        """Loads a file; returns its summary and the seconds that it took: elapsed, and of CPU."""
        destination = bunce(
            "sk_test_bench",
            base_url=self._server.base_url,
            store_url=f"sqlite:///{self.store}",
            requests_per_minute=0,
            create_attributes=True,
        )
        pipeline = dlt.pipeline(
            self._name, pipelines_dir=str(self._folder / "dlt"), destination=destination
        )
        given = {"attributes": ATTRIBUTES} if values else {}
        if values and segments:
            given["segments"] = SEGMENTS
        data = bunce_adapter(from_parquet(str(file)), version="updated_at", **given)
        started, cpu = time.perf_counter(), time.process_time()
        summary = flush_and_run(pipeline, data, write_disposition="merge")
        return summary, time.perf_counter() - started, time.process_time() - cpu


def three_loads(server: Server, folder: Path, rows: int) -> None:
    """Prints requests, seconds, fates, and bytes a customer."""
    same, changed, bare = (folder / f"{name}.parquet" for name in ("same", "changed", "bare"))
    write(same, rows)
    write(changed, rows, changed_share=0.01)
    write(bare, rows, values=False)
    account = Account(server, folder, "values")
    click.echo("| load | requests | seconds | customers | values | members |")
    click.echo("|---|---|---|---|---|---|")
    for name, file in (("first", same), ("unchanged", same), ("1% changed", changed)):
        summary, seconds, _ = account.load(file)
        fates = [
            ", ".join(f"{n:,} {fate}" for fate, n in counts.items() if n and fate != "read")
            for counts in (summary.fates, summary.attributes, summary.segments)
        ]
        click.echo(f"| {name} | {summary.requests:,} | {seconds:.1f} | {' | '.join(fates)} |")
    other = Account(server, folder, "bare")
    server.reset()
    other.load(bare, values=False)
    with_bytes, without = (_bytes(store) / rows for store in (account.store, other.store))
    click.echo(f"\nLedger: {with_bytes:.0f} bytes a customer, {without:.0f} without values.")


def _bytes(store: Path) -> int:
    with sqlite3.connect(store) as db:
        db.execute("VACUUM")
        sizes = db.execute(
            "SELECT SUM(pgsize) FROM dbstat WHERE name IN ("
            "SELECT name FROM sqlite_master WHERE tbl_name = 'bunce_customers')"
        )
        return int(sizes.fetchone()[0])


def unchanged_loads(server: Server, folder: Path, rows: int, rounds: int) -> None:
    """Prints the time of an unchanged load with values by that without."""
    rich, bare = folder / "rich.parquet", folder / "plain.parquet"
    write(rich, rows)
    write(bare, rows, values=False)
    server.reset()
    account = Account(server, folder, "unchanged")
    account.load(rich, segments=False)
    click.echo(f"\n| unchanged load of {rows:,} | requests | seconds | of CPU | ratio | of CPU |")
    click.echo("|---|---|---|---|---|---|")
    loads = {
        "without values": (bare, False),
        "without, but with their columns": (rich, False),
        "with ten attributes": (rich, True),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in loads}
    requests = {}
    for _ in range(rounds):
        for name, (file, values) in loads.items():
            summary, *seconds = account.load(file, values=values, segments=False)
            taken[name].append((seconds[0], seconds[1]))
            requests[name] = summary.requests
    base = [min(part) for part in zip(*taken["without values"], strict=True)]
    for name, found in taken.items():
        least = [min(part) for part in zip(*found, strict=True)]
        ratios = " | ".join(f"{one / first:.2f}" for one, first in zip(least, base, strict=True))
        click.echo(f"| {name} | {requests[name]} | {least[0]:.1f} | {least[1]:.1f} | {ratios} |")


def _make_segments(server: Server) -> None:
    for name in SEGMENTS.values():
        server.post("/segments", {"name": name})


@click.command()
@click.option("--rows", default=100_000, show_default=True, help="Rows of the three loads.")
@click.option("--unchanged", default=200_000, show_default=True, help="Rows of unchanged loads.")
@click.option("--rounds", default=5, show_default=True, help="Unchanged loads of each kind.")
def main(rows: int, unchanged: int, rounds: int) -> None:
    """Print both tables."""
    with tempfile.TemporaryDirectory() as name, Server() as server:
        _make_segments(server)
        if rows:
            three_loads(server, Path(name), rows)
        if unchanged:
            unchanged_loads(server, Path(name), unchanged, rounds)


if __name__ == "__main__":
    main()
