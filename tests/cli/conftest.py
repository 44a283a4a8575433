"""The command line as a user meets it: arguments in; output, errors, and an exit code out."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click.testing
import duckdb
import psycopg
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from dlt_bunce.cli import main
from dlt_bunce.emulator import Emulator

from .terminal import Terminal, run_on_terminal

PROGRAM = Path(sys.executable).with_name("dlt-bunce")
"""The command as it is installed."""


@dataclass(frozen=True)
class Done:
    """What a command left on the screen."""

    output: str
    errors: str
    code: int

    @property
    def json(self) -> Any:
        """The JSON document that was printed."""
        return json.loads(self.output)


Run = Callable[..., Done]
KEY = {"DESTINATION__BUNCE__CREDENTIALS__API_KEY": "sk_test_marked_key"}


@pytest.fixture
def run(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `dlt-bunce` in this process, configured for the emulator as a shell would be."""
    # what other tests leave in the folder of temporary files is none of this test's business
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("DESTINATION__BUNCE__BASE_URL", emulator.base_url)
    monkeypatch.setenv("DESTINATION__BUNCE__CREDENTIALS__API_KEY", "sk_test_marked_key")
    monkeypatch.setenv("DESTINATION__BUNCE__REQUESTS_PER_MINUTE", "0")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str, stdin: str = "") -> Done:
        result = click.testing.CliRunner().invoke(main, words, input=stdin)
        return Done(result.stdout, result.stderr, result.exit_code)

    return run


def seed_strangers(emulator: Emulator, *numbers: int) -> None:
    """Customers of the file whom another channel made, under ids of its own."""
    emulator.seed(
        {
            "customer_id": f"made-{n}",
            "email": f"c{n}@example.com",
            "first_name": "Old",
            "last_name": "Obi",
            "phone_no": "+2348100000000",
        }
        for n in numbers
    )


def _run_program(
    program_file: Path, settings: Mapping[str, str], *words: str, **environment: str
) -> Done:
    done = subprocess.run(
        [program_file, *words],
        env={**os.environ, **settings, **environment},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return Done(done.stdout, done.stderr, done.returncode)


@pytest.fixture
def program(run: Run, program_file: Path) -> Run:
    """Runs `dlt-bunce` as a program of its own."""
    return partial(_run_program, program_file, {})


@pytest.fixture
def dlt_bunce(program_file: Path) -> Run:
    """Run the command with no setting but the key and what is given."""
    return partial(_run_program, program_file, KEY)


@pytest.fixture
def base(emulator: Emulator) -> str:
    """A config.toml of the working folder that leads to the emulator."""
    text = (
        f'[destination.bunce]\nbase_url = "{emulator.base_url}"\nrequests_per_minute = 0\n'
        'store_url = "sqlite:///mine.sqlite"\naccount = "shop"\n'
    )
    Path("config.toml").write_text(text)
    return text


def add(text: str) -> None:
    """Add lines to the config.toml of the working folder."""
    with Path("config.toml").open("a") as file:
        file.write(text)


@pytest.fixture
def on_a_terminal(program_file: Path) -> Terminal:
    """Runs `dlt-bunce` on a terminal; see `run_on_terminal`."""
    return partial(run_on_terminal, program_file)


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty store of either kind, as configured."""
    url = "sqlite:///bunce.sqlite"
    if request.param == "postgres":
        url = str(request.getfixturevalue("postgres_store"))
    monkeypatch.setenv("DESTINATION__BUNCE__STORE_URL", url)
    return url


def people(*numbers: int, **changes: Any) -> list[dict[str, Any]]:
    """Good customers under the column names of a CRM."""
    return [
        {
            "id": n,
            "email": f"c{n}@example.com",
            "first_name": "Zoë",
            "last_name": 'Ọbí, "the" one',
            "mobile": f"+23481{n:08d}",
            "updated_at": 10,
        }
        | changes
        for n in numbers
    ]


def write(rows: list[dict[str, Any]], name: str = "customers.parquet") -> str:
    """A Parquet file of the rows in the working directory; its name."""
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), name)
    return name


ROWS = [
    *people(*range(1, 9)),
    *people(9, mobile="call me"),
    *people(10, email="nobody"),
]
CREATE = """CREATE TABLE people (id BIGINT, email TEXT, first_name TEXT, last_name TEXT,
    mobile TEXT, updated_at BIGINT)"""


@pytest.fixture
def sources(postgres_url: str) -> dict[str, list[str]]:
    """The same ten customers, two of them bad, wherever customers are kept."""
    write(ROWS)
    write(ROWS[:5], "exports/a.parquet")
    write(ROWS[5:], "exports/deep/b.parquet")
    with duckdb.connect("w.duckdb") as warehouse:
        warehouse.register("rows", pa.Table.from_pylist(ROWS))
        warehouse.execute("CREATE SCHEMA crm; CREATE TABLE crm.people AS SELECT * FROM rows")
    pyarrow.csv.write_csv(pa.Table.from_pylist(ROWS), "customers.csv")
    values = [tuple(row.values()) for row in ROWS]
    lite = sqlite3.connect("s.sqlite")
    lite.execute(CREATE)
    lite.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?)", values)
    lite.commit()
    lite.close()
    with psycopg.connect(postgres_url) as link, link.cursor() as cursor:
        cursor.execute(CREATE)
        cursor.executemany("INSERT INTO people VALUES (%s, %s, %s, %s, %s, %s)", values)
    return {
        "file": ["customers.parquet"],
        "folder": ["exports"],
        "csv": ["customers.csv"],
        "glob": ["exports/**/*.parquet"],
        "duckdb table": ["duckdb:///w.duckdb", "--table", "crm.people"],
        "duckdb query": ["duckdb:///w.duckdb", "--query", "SELECT * FROM crm.people"],
        "sqlite table": ["sqlite:///s.sqlite", "--table", "people"],
        "sqlite query": ["sqlite:///s.sqlite", "--query", "SELECT * FROM people"],
        "postgres table": [postgres_url, "--table", "public.people"],
        "postgres query": [postgres_url, "--query", "SELECT * FROM people"],
    }
