"""The shipped pipelines as users run them: scripts with settings and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlt_bunce.emulator import Behavior, Emulator, Fault

NAMES = ["parquet_to_bunce", "postgres_to_bunce", "warehouse_to_bunce"]


def customers(*numbers: int) -> pa.Table:
    """Return valid customers."""
    return pa.Table.from_pylist(
        [
            {
                "id": n,
                "email": f"c{n}@example.com",
                "first_name": "Ada",
                "last_name": "Obi",
                "phone_no": f"+23481{n:08d}",
                "devices": [{"device_type": "ios", "device_token": f"t{n}"}],
                "updated_at": f"2026-11-01T00:00:{n:02d}Z",
            }
            for n in numbers
        ]
    )


class Files:
    """A folder of Parquet files; each call of `add` writes a new file."""

    name = "parquet_to_bunce"
    reread = 0

    def __init__(self, _url: str) -> None:
        self.settings = {"PIPELINES__PARQUET__LOCATION": "exports/*.parquet"}
        Path("exports").mkdir()

    def add(self, *numbers: int) -> None:
        pq.write_table(customers(*numbers), f"exports/{numbers[0]}.parquet")


class Postgres:
    """A Postgres table, read incrementally."""

    name = "postgres_to_bunce"
    reread = 1

    def __init__(self, url: str) -> None:
        self.url = url
        self.settings = {
            "SOURCES__SQL_DATABASE__CREDENTIALS": url,
            "PIPELINES__POSTGRES__TABLE": "customers",
            "PIPELINES__POSTGRES__INCREMENTAL": "updated_at",
        }
        with psycopg.connect(url) as connection:
            connection.execute(
                "CREATE TABLE customers (id bigint PRIMARY KEY, email text, first_name text, "
                "last_name text, phone_no text, devices jsonb, updated_at timestamptz)"
            )

    def add(self, *numbers: int) -> None:
        with psycopg.connect(self.url) as connection:
            for row in customers(*numbers).to_pylist():
                connection.execute(
                    "INSERT INTO customers VALUES (%s, %s, %s, %s, %s, %s, %s)",
                    [*(row | {"devices": json.dumps(row["devices"])}).values()],
                )


class Warehouse:
    """A DuckDB query, read incrementally."""

    name = "warehouse_to_bunce"
    reread = 1

    def __init__(self, _url: str) -> None:
        self.settings = {
            "PIPELINES__WAREHOUSE__URL": "duckdb:///warehouse.duckdb",
            "PIPELINES__WAREHOUSE__QUERY": "SELECT * FROM customers",
            "PIPELINES__WAREHOUSE__INCREMENTAL": "updated_at",
        }

    def add(self, *numbers: int) -> None:
        with duckdb.connect("warehouse.duckdb") as warehouse:
            warehouse.register("given", customers(*numbers))
            warehouse.execute("CREATE TABLE IF NOT EXISTS customers AS SELECT * FROM given LIMIT 0")
            warehouse.execute("INSERT INTO customers SELECT * FROM given")


DATABASES = [Postgres, Warehouse]


@pytest.fixture(params=[Files, *DATABASES])
def source(request: pytest.FixtureRequest, postgres_url: str) -> Any:
    """An empty source of each kind, with its pipeline."""
    return request.param(postgres_url)


def figures(stdout: str) -> dict[str, int]:
    """Return the first number of each line of the summary."""
    lines = [line.strip("│ ").split("│") for line in stdout.splitlines() if "│" in line]
    return {
        line[0].strip(): int(line[1].split()[0].replace(",", ""))
        for line in lines
        if len(line) > 1 and line[1].split()[0].replace(",", "").isdigit()
    }


@pytest.mark.parametrize("name", NAMES)
def test_help_describes_the_source_and_the_settings(
    run_anew: Callable[..., Any], name: str
) -> None:
    shown = run_anew(name, "--help")

    assert (shown.returncode, shown.stderr) == (0, "")
    assert "[destination.bunce]" in shown.stdout
    assert "Settings: [pipelines." in shown.stdout


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("parquet_to_bunce", "PIPELINES__PARQUET__LOCATION"),
        ("postgres_to_bunce", "SOURCES__SQL_DATABASE__CREDENTIALS"),
        ("warehouse_to_bunce", "PIPELINES__WAREHOUSE__URL"),
    ],
)
def test_a_missing_setting_is_reported_in_one_line(
    run: Callable[..., Any], name: str, setting: str
) -> None:
    failed = run(name)

    assert (failed.returncode, failed.stdout, len(failed.stderr.splitlines())) == (2, "", 1)
    assert setting in failed.stderr


def test_a_missing_table_and_query_are_reported_in_one_line(
    run: Callable[..., Any], postgres_url: str
) -> None:
    failed = run("postgres_to_bunce", SOURCES__SQL_DATABASE__CREDENTIALS=postgres_url)

    assert (failed.returncode, len(failed.stderr.splitlines())) == (2, 1)
    assert "table or a query" in failed.stderr


def test_a_later_run_reads_new_rows(
    run: Callable[..., Any], emulator: Emulator, source: Any
) -> None:
    source.add(1, 2)
    first = run(source.name, **source.settings)
    assert (first.returncode, first.stderr) == (0, "")
    assert figures(first.stdout)["created"] == 2

    source.add(3)
    second = figures(run(source.name, **source.settings).stdout)

    assert (1 + source.reread, 1) == (second["read"], second["created"])
    assert emulator.times_sent == {"1": 1, "2": 1, "3": 1}


def test_rows_left_over_from_a_failed_run_are_loaded_before_new_ones(
    run: Callable[..., Any], emulator: Emulator, source: Any
) -> None:
    source.add(1, 2)
    revoked = Fault("error_before", on_request=1, until_request=1_000, status=401)
    emulator.behavior = Behavior(rate_limit=0, faults=(revoked,))
    failed = run(source.name, **source.settings)
    assert failed.returncode == 1
    assert sum(line.startswith("Error: ") for line in failed.stderr.splitlines()) == 1
    assert emulator.customers == {}

    emulator.behavior = Behavior(rate_limit=0)
    source.add(3)
    retried = run(source.name, **source.settings)

    assert retried.returncode == 0, retried.stderr
    assert sorted(emulator.customers) == ["1", "2", "3"]
    own, _, before = retried.stdout.partition("Loaded first: rows left over from an earlier run")
    # with a cursor, what was left behind is not read again
    assert (figures(own)["created"], figures(before)["created"]) == (1, 2)


@pytest.mark.parametrize("source", DATABASES, indirect=True)
def test_another_query_has_its_own_cursor(
    run: Callable[..., Any], emulator: Emulator, source: Any
) -> None:
    source.add(8, 9)
    assert run(source.name, **source.settings).returncode == 0

    query = "SELECT id - 5 AS id, 'd' || email AS email, first_name, last_name, phone_no, devices, "
    older = f"{query} '2020-01-01T00:00:00Z'::timestamptz AS updated_at FROM customers"
    loaded = run(source.name, "--query", older, **source.settings)

    assert loaded.returncode == 0, loaded.stderr
    assert sorted(emulator.customers) == ["3", "4", "8", "9"]


def test_files_are_read_from_s3(run: Callable[..., Any], emulator: Emulator, s3: Any) -> None:
    pq.write_table(customers(1, 2), "first.parquet")
    s3.put("first.parquet", "customers/2026/first.parquet")
    location = f"s3://{s3.name}/customers/"

    first = run("parquet_to_bunce", "--location", location)
    assert first.returncode == 0, first.stderr

    pq.write_table(customers(3), "second.parquet")
    s3.put("second.parquet", "customers/2026/second.parquet")
    second = run("parquet_to_bunce", "--location", location)

    assert figures(second.stdout)["read"] == 1
    assert emulator.times_sent == {"1": 1, "2": 1, "3": 1}


def test_an_empty_bucket_is_an_error(run: Callable[..., Any], s3: Any) -> None:
    loaded = run("parquet_to_bunce", "--location", f"s3://{s3.name}/customers/*.parquet")

    assert loaded.returncode == 2, loaded.stderr
    assert "No file found at s3://" in loaded.stderr


def in_config_toml(settings: dict[str, str]) -> dict[str, str]:
    """Write the settings of [pipelines.…] to a config.toml; return the others."""
    rest = dict(settings)
    for name in [name for name in settings if name.startswith("PIPELINES__")]:
        _, pipeline, key = name.lower().split("__")
        text = Path("config.toml").read_text() if Path("config.toml").exists() else ""
        begin = text or f"[pipelines.{pipeline}]\n"
        Path("config.toml").write_text(f'{begin}{key} = "{rest.pop(name)}"\n')
    return rest


def test_the_section_of_a_pipeline_in_config_toml_is_read(
    run: Callable[..., Any], emulator: Emulator, source: Any
) -> None:
    secrets = in_config_toml(source.settings)
    source.add(1, 2)
    first = run(source.name, **secrets)
    assert (first.returncode, first.stderr) == (0, "")

    source.add(3)
    second = figures(run(source.name, **secrets).stdout)

    assert (1 + source.reread, 1) == (second["read"], second["created"])
    assert sorted(emulator.customers) == ["1", "2", "3"]


@pytest.mark.parametrize("source", DATABASES, indirect=True)
@pytest.mark.parametrize(
    "wrong",
    ["PIPELINES__{}__INCREMANTAL", "PIPELINES__{}_INCREMENTAL", "PIPELINE__{}__INCREMENTAL"],
)
def test_a_misspelt_variable_of_a_pipeline_is_refused(
    run: Callable[..., Any], emulator: Emulator, source: Any, wrong: str
) -> None:
    source.add(1)
    section = source.name.removesuffix("_to_bunce").upper()
    settings = source.settings | {wrong.format(section): "updated_at"}

    failed = run(source.name, "--table", "customers", **settings)

    assert (failed.returncode, failed.stdout, len(failed.stderr.splitlines())) == (2, "", 1)
    assert "Did you mean " in failed.stderr
    assert emulator.customers == {}


@pytest.mark.parametrize(
    "wrong",
    ['[pipelines.{}]\nquerry = "x"', '[pipeline.{}]\nquery = "x"', "[pipelines]\n{}.where = 1"],
)
def test_a_misspelt_setting_of_a_pipeline_in_config_toml_is_refused(
    run: Callable[..., Any], emulator: Emulator, source: Any, wrong: str
) -> None:
    source.add(1)
    section = source.name.removesuffix("_to_bunce")
    wrong = wrong if section != "parquet" else wrong.replace("quer", "locat")
    Path("config.toml").write_text(wrong.format(section))

    failed = run(source.name, **source.settings)

    assert (failed.returncode, failed.stdout, len(failed.stderr.splitlines())) == (2, "", 1)
    assert emulator.customers == {}
