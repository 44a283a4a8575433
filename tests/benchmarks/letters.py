"""Many dead letters: what a load takes beside them, and how long each page of the workbench.

`python -m tests.benchmarks.letters` prints a line for each kind of store and page.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode

import click
import pyarrow.parquet as pq
from tests.benchmarks import customers
from tests.benchmarks.contenders import QUIET
from tests.benchmarks.server import Server
from tests.postgres import new_schema, postgres
from tests.workbench.serving import workbench

TIMES = 5
GOOD = 100_000
PROGRAM = Path(sys.executable).with_name("dlt-bunce")


def spoil(file: Path, rows: int) -> None:
    """Customers of whom each second has no email address, and the others no phone number."""
    with pq.ParquetWriter(file, customers.customers(0, 0).schema) as writer:
        for first in range(0, rows, customers.BLOCK):
            table = customers.customers(first, min(customers.BLOCK, rows - first))
            for column, rest in (("email", 0), ("mobile", 1)):
                values = table[column].to_pylist()
                values[rest::2] = ["none"] * len(values[rest::2])
                place = table.column_names.index(column)
                table = table.set_column(place, column, [values])
            writer.write_table(table)


def load(file: Path, store_url: str, base_url: str) -> float:
    """Seconds that a load of the file takes."""
    started = time.perf_counter()
    subprocess.run(
        [PROGRAM, "load", file, "--store-url", store_url, "--pipeline-name", "letters"],
        env={
            **os.environ,
            **QUIET,
            "DLT_DATA_DIR": str(file.parent / f"dlt-{time.monotonic_ns()}"),
            "DESTINATION__BUNCE__CREDENTIALS__API_KEY": "sk_test_bench",
            "DESTINATION__BUNCE__BASE_URL": base_url,
        },
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - started


def timed(ask: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds of the first call, and the least of the following ones."""
    seconds = []
    for _ in range(TIMES):
        started = time.perf_counter()
        ask()
        seconds.append((time.perf_counter() - started) * 1000)
    return seconds[0], min(seconds[1:])


def pages(store_url: str) -> dict[str, tuple[float, float]]:
    """How long the workbench takes for each page, and for the question before a discard of all."""
    with workbench(store_url) as gate:
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        browser = urllib.request.build_opener(cookies)
        browser.open(gate.address).read()

        def at(path: str, form: dict[str, str] | None = None) -> str:
            data = None if form is None else urlencode({"token": gate.form, **form}).encode()
            with browser.open(f"http://127.0.0.1:{gate.port}{gate.root}{path}", data) as answer:
                found: str = answer.read().decode()
                return found

        newest = at("/letters")
        [older] = re.findall(rf'href="{gate.root}(/letters\?before=[^"]+)"', newest)[:1]
        [letter] = re.findall(rf'href="{gate.root}(/letters/[0-9a-f]{{24}})"', newest)[:1]
        everything = {"do": "discard-all", "status": "open"}
        return {
            "runs": timed(lambda: at("/")),
            "newest letters": timed(lambda: at("/letters")),
            "the page after": timed(lambda: at(older.replace("&amp;", "&"))),
            "letters of a code": timed(lambda: at("/letters?code=invalid_email")),
            "letters of a field": timed(lambda: at("/letters?field=phone_no")),
            "letters of a time": timed(lambda: at("/letters?until=2026-01-01T00:00")),
            "one letter": timed(lambda: at(letter)),
            "question before discarding all": timed(lambda: at("/confirm", everything)),
        }


@click.command()
@click.option("--rows", default=1_000_000, show_default=True)
def main(rows: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name, postgres() as url, Server() as server:
        bad, before, after = (Path(name) / f"{kind}.parquet" for kind in ("bad", "before", "after"))
        spoil(bad, rows)
        customers.write(before, GOOD, first=rows)
        customers.write(after, GOOD, first=rows + GOOD)
        click.echo("| store | page | first, ms | again, ms |\n|---|---|---|---|")
        for store, store_url in (
            ("SQLite", f"sqlite:///{name}/bunce.sqlite"),
            ("Postgres", new_schema(url)),
        ):
            server.reset()
            seconds = [load(file, store_url, server.base_url) for file in (before, bad, after)]
            for page, (first, again) in pages(store_url).items():
                click.echo(f"| {store} | {page} | {first:.0f} | {again:.0f} |")
            click.echo(
                f"{store}: {GOOD:,} good rows take {seconds[0]:.1f} s, {rows:,} bad ones "
                f"{seconds[1]:.1f} s, and {GOOD:,} good ones after them {seconds[2]:.1f} s.",
                err=True,
            )


if __name__ == "__main__":
    main()
