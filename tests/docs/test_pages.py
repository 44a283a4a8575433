"""Whoever follows a page gets what it shows."""

from __future__ import annotations

import ast
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tomlkit
from tests.docs.pages import DOCS, Block, Reader, blocks, recorded, settled

from dlt_bunce import bunce, bunce_adapter, flush_and_run
from dlt_bunce.emulator import Emulator
from dlt_bunce.store.database import Database
from dlt_bunce.store.schema.descriptions import TABLES

NOT_RUN: Mapping[str, str] = {
    """python3 -m venv ~/bunce/.venv
~/bunce/.venv/bin/pip install '.[duckdb,emulator]'
""": "asks a registry for packages; tests/test_readme.py installs this one without",
    "crontab crontab\n": "would change the crontab of whoever runs the tests",
    "dlt-bunce ui\n": "serves until it is stopped; tests/workbench does",
    "pip install --upgrade '.[postgres]'\n": "asks a registry for packages",
    """pg_dump --schema=bunce --file=bunce.backup.sql "postgresql://loader@db.example.com/crm"
""": "the Postgres of the tests comes without pg_dump",
    """export NEW_STORE="postgresql://loader@db.example.com/crm?schema=bunce"
""": "names a server of the reader's; the test exports its own",
}


def people(*numbers: int, **changes: Any) -> list[dict[str, Any]]:
    """Good customers."""
    return [
        {
            "id": n,
            "email": f"c{n}@example.com",
            "first_name": "Ada",
            "last_name": "Obi",
            "phone": f"+23481{n:08d}",
            "updated_at": "2026-11-01T09:00:00Z",
        }
        | changes
        for n in numbers
    ]


BAD = people(8, phone="no number")


def load(emulator: Emulator, rows: list[dict[str, Any]], store: Path) -> None:
    """What somebody did before they came to the page."""
    pipeline = dlt.pipeline(
        "crm_customers",
        pipelines_dir=str(store.parent / "before"),
        destination=bunce(
            credentials="sk_test_docs",
            base_url=emulator.base_url,
            store_url=f"sqlite:///{store}",
        ),
    )
    flush_and_run(pipeline, bunce_adapter(pa.Table.from_pylist(rows), version="updated_at"))


def exports(folder: Path, emulator: Emulator) -> None:
    """Exports as programs write them."""
    for path in (Path(__file__).parent / "exports").glob("*.csv"):
        shutil.copy(path, folder)


def nothing(folder: Path, emulator: Emulator) -> None:
    """The reader begins with an empty folder."""


def a_file(folder: Path, emulator: Emulator) -> None:
    """Customers in a Parquet file, of whom none is loaded."""
    pq.write_table(pa.Table.from_pylist(people(*range(8)) + BAD), folder / "customers.parquet")


def a_loaded_file(folder: Path, emulator: Emulator) -> None:
    """The same, loaded."""
    a_file(folder, emulator)
    load(emulator, people(*range(8)) + BAD, folder / "bunce.sqlite")


def a_changed_file(folder: Path, emulator: Emulator) -> None:
    """The same, and since then one customer is new and one has changed."""
    a_loaded_file(folder, emulator)
    changed = people(7, first_name="Ade", updated_at="2026-11-02T09:00:00Z")
    rows = people(*range(7), 9) + changed + BAD
    pq.write_table(pa.Table.from_pylist(rows), folder / "customers.parquet")


def a_lost_store(folder: Path, emulator: Emulator) -> None:
    """Bunce has the customers of the file, and the store is gone."""
    a_changed_file(folder, emulator)
    (folder / "bunce.sqlite").unlink()


def a_warehouse(folder: Path, emulator: Emulator) -> None:
    """A table of which Bunce has some customers."""
    load(emulator, people(*range(100)), folder / "elsewhere.sqlite")
    rows = pa.Table.from_pylist(people(*range(8), *range(9, 1000)) + BAD)
    with duckdb.connect(folder / "warehouse.duckdb") as warehouse:
        warehouse.register("rows", rows)
        warehouse.execute("CREATE TABLE people AS SELECT * FROM rows")


def a_workspace_with_attributes(folder: Path, emulator: Emulator) -> None:
    """A file with columns for two attributes and a segment, which Bunce has."""
    emulator.attributes.add("Plan", "text")
    emulator.attributes.add("Balance", "numeric")
    emulator.attributes.add_segment("VIP customers")
    rows = people(*range(8), plan="gold", balance=12.5, is_vip=True)
    rows[0] |= {"balance": None, "is_vip": False}
    pq.write_table(pa.Table.from_pylist(rows), folder / "customers.parquet")
    emulator.attributes.add("Last payment", "timestamp")
    emulator.attributes.add_segment("Debtors")
    payments = [{"user_id": n, "paid_at": "2026-11-01T10:00:00Z"} for n in (*range(5), 99)]
    pq.write_table(pa.Table.from_pylist(payments), folder / "payments.parquet")


def a_warehouse_and_a_workspace(folder: Path, emulator: Emulator) -> None:
    """The same table, the first 300 of whose customers somebody else put into Bunce, and some more
    under other ids.
    """
    rows = pa.Table.from_pylist(people(*range(8), *range(9, 1000)) + BAD)
    with duckdb.connect(folder / "warehouse.duckdb") as warehouse:
        warehouse.register("rows", rows)
        warehouse.execute("CREATE TABLE people AS SELECT * FROM rows")
    fields = ("email", "first_name", "last_name")
    emulator.seed(
        {name: row[name] for name in fields}
        | {"customer_id": str(row["id"]), "phone_no": row["phone"]}
        for row in people(*range(8), *range(9, 301))
    )
    others = people(*range(350, 355), *range(500, 520), first_name="Old")
    emulator.seed(
        {name: row[name] for name in fields} | {"customer_id": f"made-{row['id']}", "phone_no": ""}
        for row in others
    )


def strangers(folder: Path, emulator: Emulator) -> None:
    """Bunce has some customers of the file under ids of its own."""
    a_file(folder, emulator)
    load(emulator, people(7), folder / "bunce.sqlite")
    there = people(0, 1, 2, 3, first_name="Old")
    emulator.seed({**row, "customer_id": f"made-{row['id']}", "phone_no": ""} for row in there)


SETUPS: Mapping[str, Callable[[Path, Emulator], None]] = {
    "tutorial.md": nothing,
    "how-to/first-live-load.md": a_warehouse_and_a_workspace,
    "how-to/report-your-bunce.md": nothing,
    "how-to/look.md": a_changed_file,
    "how-to/dead-letters.md": a_loaded_file,
    "how-to/backfill.md": a_warehouse,
    "how-to/attributes.md": a_workspace_with_attributes,
    "how-to/crm-exports.md": exports,
    "how-to/link-customers.md": strangers,
    "how-to/erase.md": a_loaded_file,
    "how-to/rotate-the-key.md": a_loaded_file,
    "how-to/move-the-store.md": a_loaded_file,
    "how-to/recover-a-lost-store.md": a_lost_store,
    "how-to/upgrade.md": a_loaded_file,
    "how-to/from-a-script.md": nothing,
}

RECORD = "DLT_BUNCE_TEST_RECORD_PAGES" in os.environ
"""Pages are rewritten with what their blocks print, to be looked at before they are committed."""


@pytest.fixture
def reader(emulator: Emulator, tmp_path: Path, program_file: Path) -> Iterator[Reader]:
    """Somebody with a key for the emulator, and a home of their own."""
    settings = {
        "DESTINATION__BUNCE__BASE_URL": emulator.base_url,
        "DESTINATION__BUNCE__CREDENTIALS__API_KEY": "sk_test_docs",
    }
    with Reader(tmp_path / "bunce", settings, program_file) as reader:
        yield reader


def followed(reader: Reader, name: str, emulator: Emulator) -> None:
    """Follows a page from its beginning to its end, and compares what it shows."""
    page = DOCS / name
    SETUPS[name](reader.folder, emulator)
    seen = reader.follow(page, NOT_RUN)
    if RECORD:
        page.write_text(recorded(page, seen), "utf-8")
        return
    expected = [settled(block.output) for block, _ in seen if block.output is not None]
    assert expected == [settled(shown) for block, shown in seen if block.output is not None]


@pytest.mark.parametrize("name", [name for name in SETUPS if "move" not in name])
def test_a_page_does_what_it_says(name: str, reader: Reader, emulator: Emulator) -> None:
    followed(reader, name, emulator)


CHANGED = {"batch_size", "concurrency", "due_at", "last_seen_at", "run_number"}
"""What the load at the end of the page, which also adds rows, may change of those there were."""


def test_a_moved_store_is_the_same(reader: Reader, emulator: Emulator, postgres_store: str) -> None:
    reader.type(f"export NEW_STORE='{postgres_store}'\n")

    followed(reader, "how-to/move-the-store.md", emulator)

    assert not (reader.folder / "bunce.sqlite").exists()
    with (
        closing(sqlite3.connect(reader.folder / "bunce.moved.sqlite")) as old,
        Database(postgres_store, read_only=True) as new,
    ):
        for name, told in TABLES.items():
            wanted = f"SELECT {', '.join(told.columns.keys() - CHANGED)} FROM {name}"
            moved = {tuple(row.values()) for row in new.rows(wanted)}
            assert set(old.execute(wanted)) <= moved, name


ALL = {page: list(blocks(page)) for page in sorted(DOCS.rglob("*.md"))}


def test_every_page_with_commands_is_followed() -> None:
    pages = {page.relative_to(DOCS).as_posix() for page, found in ALL.items() if runs(found)}

    assert SETUPS.keys() == pages


def test_the_page_of_rows_at_rest_has_every_table_of_the_store() -> None:
    told = (DOCS / "explanation/rows-at-rest.md").read_text("utf-8")

    assert [name for name in TABLES if f"`{name}`" not in told] == []


def runs(found: list[Block]) -> bool:
    """Whether there is anything to run in these blocks."""
    return any(
        block.text not in NOT_RUN and (block.language == "bash" or block.file) for block in found
    )


def test_what_does_not_run_is_still_there() -> None:
    there = {block.text for found in ALL.values() for block in found}

    assert set() == NOT_RUN.keys() - there


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_code_can_be_read(page: Path) -> None:
    known = {"bash", "json", "python", "sql", "text", "toml", "yaml"}
    signatures = page.name == "python.md"  # calls with types: no statements

    assert set() == {block.language for block in ALL[page]} - known
    for block in ALL[page]:
        if block.language == "python" and not signatures:
            ast.parse(block.text)
        if block.language == "toml":
            tomlkit.parse(block.text)
