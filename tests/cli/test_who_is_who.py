"""Whom a row is about: what the source says of its key, its columns, and its deleted rows."""

from __future__ import annotations

from typing import Any

import dlt
import pyarrow as pa
import pytest
from tests.databases import DATABASES, database

from dlt_bunce import bunce, flush_and_run
from dlt_bunce.emulator import Emulator

from .conftest import Run, people, write

TWO = [
    "CREATE TABLE people (id BIGINT, email TEXT, first_name TEXT, last_name TEXT, mobile TEXT)",
    "CREATE TABLE accounts (id BIGINT, person BIGINT, email TEXT)",
    "INSERT INTO people VALUES (1, 'ada@x.com', 'Ada', 'Obi', '+2348031234567')",
    "INSERT INTO accounts VALUES (900, 1, 'billing@x.com')",
]
JOINED = "SELECT * FROM people JOIN accounts ON person = people.id"


@pytest.mark.parametrize("kind", DATABASES)
@pytest.mark.parametrize("command", ["load", "check"])
def test_two_columns_of_one_name_are_refused_by_name(
    run: Run, emulator: Emulator, request: pytest.FixtureRequest, kind: str, command: str
) -> None:
    url = database(kind, request.getfixturevalue, TWO)

    done = run(command, url, "--query", JOINED)

    assert (done.code, done.output) == (2, "")
    assert "two columns named 'id'" in done.errors
    assert emulator.customers == {}


@pytest.mark.parametrize("kind", DATABASES)
@pytest.mark.parametrize(
    ("key", "code"),
    [("tenant, id", 2), ("id, valid_from", 2), ("valid_from", 2), ("id", 0)],
)
def test_a_part_of_the_key_is_an_id_only_where_the_user_says_so(
    run: Run, emulator: Emulator, request: pytest.FixtureRequest, kind: str, key: str, code: int
) -> None:
    columns = TWO[0].split("(", 1)[1].rstrip(")")
    table = (
        f"CREATE TABLE people (tenant INT, valid_from VARCHAR(20), {columns}, PRIMARY KEY ({key}))"
    )
    row = TWO[2].replace("VALUES (", "VALUES (7, '2026-01-01', ")
    url = database(kind, request.getfixturevalue, [table, row])

    done = run("load", url, "--table", "people")

    assert code == done.code, done.errors
    if code:
        assert f"The source's key is ({key})" in done.errors
        assert "valid_to IS NULL" in done.errors
        assert emulator.customers == {}
    assert run("load", url, "--table", "people", "--map", "customer_id=id").code == 0
    assert len(emulator.customers) == 1


@pytest.mark.parametrize("kind", [list, pa.Table.from_pylist])
def test_a_resource_that_names_its_key_is_judged_alike(emulator: Emulator, kind: Any) -> None:
    from dlt_bunce.errors import MappingError, bunce_error

    rows = kind(people(1, tenant="a"))
    pipeline = dlt.pipeline("crm", destination=bunce("sk_test_x", base_url=emulator.base_url))
    resource = dlt.resource([rows], name="customers", primary_key=("tenant", "id"))

    for load in (lambda: flush_and_run(pipeline, resource), lambda: pipeline.run(resource)):
        with pytest.raises(Exception, match=r"key is \(tenant, id\)") as raised:
            load()
        assert isinstance(bunce_error(raised.value), MappingError)
    assert emulator.customers == {}
    pipeline.run(dlt.resource([rows], name="customers", primary_key="id"))
    assert len(emulator.customers) == 1


@pytest.mark.parametrize(
    ("column", "live", "gone"),
    [
        ("deleted_at", None, "2026-11-01T00:00:00"),
        ("_fivetran_deleted", False, True),
        ("is_deleted", 0, 1),
        ("isDeleted", "false", "TRUE"),
        ("archived", "", "yes"),
        ("deleted_at", "0000-00-00 00:00:00", "2026-11-01"),
        ("__deleted", "false", "true"),
    ],
)
@pytest.mark.parametrize("kind", ["parquet", "dicts"])
def test_rows_that_the_source_has_deleted_are_told(
    run: Run, emulator: Emulator, kind: str, column: str, live: Any, gone: Any
) -> None:
    rows = [*people(1, 2, **{column: live}), *people(3, 4, 5, **{column: gone})]
    if kind == "dicts":
        pipeline = dlt.pipeline("crm", destination=bunce("sk_test_x", base_url=emulator.base_url))
        summary = flush_and_run(pipeline, dlt.resource(rows, name="customers"))
        assert dict(summary.warnings) == {"deleted_at_source": 3}
        return
    name = write(rows)
    checked = run("check", name, "--json").json["warnings"]
    assert [warning["code"] for warning in checked] == ["deleted_at_source"]
    assert column in checked[0]["text"] + checked[0]["remedy"]
    done = run("load", name)
    assert f"3 rows have a value in '{column}'" in " ".join(done.output.split())
    assert f"WHERE {column} IS NULL" in " ".join(done.output.split())
    assert len(emulator.customers) == 5


def test_columns_that_only_sound_like_it_are_no_marks(run: Run) -> None:
    name = write(people(1, deleted_items_count=3, undeleted="x", archive_url="y", deleted_at=None))

    assert run("load", name, "--json").json["warnings"] == {}


@pytest.mark.parametrize(
    ("column", "named"),
    [
        ("updated_at", True),
        ("LastModifiedDate", True),
        ("_fivetran_synced", True),
        ("row_version", True),
        ("valid_from", True),
        ("created_at", False),
        ("birth_date", False),
        ("note", False),
    ],
)
def test_columns_that_may_tell_which_row_of_an_id_is_newer_are_named(
    run: Run, column: str, *, named: bool
) -> None:
    rows = [
        {k: v for k, v in row.items() if k != "updated_at"} | {column: f"2026-11-0{n + 1}"}
        for n, row in enumerate([*people(1), *people(1, first_name="Eve"), *people(2)])
    ]
    name = write(rows)

    [checked] = run("check", name, "--json").json["warnings"]
    done = run("load", name, "--json").json
    told = run("load", name, "--version-column", column)

    assert checked["code"] == "ids_repeated"
    assert named is (f"--version-column {column}" in checked["remedy"])
    assert done["warnings"] == {"ids_repeated": 1}
    assert named is (column in str(done["notes"]))
    assert "ids_repeated" not in told.output
