"""What a command's loads are compared with: earlier loads of its source, whatever its columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from dlt_bunce.emulator import Emulator

from .conftest import Run, people, write

BOTH = [row | {"customer_id": f"crm-{row['id']}"} for row in people(1, 2)]


def query_of(rows: list[dict[str, Any]], query: str) -> list[str]:
    """A warehouse with these rows, as a query reads them."""
    with duckdb.connect("w.duckdb") as warehouse:
        warehouse.register("rows", pa.Table.from_pylist(rows))
        warehouse.execute("CREATE OR REPLACE TABLE people AS SELECT * FROM rows")
    return ["duckdb:///w.duckdb", "--query", query]


@pytest.mark.parametrize(
    "source",
    [
        lambda rows, _: [write(rows)],
        lambda rows, day: [write(rows, f"exports/customers-2026-11-0{day}.parquet")],
        lambda rows, day: [write(rows, f"2026/11/0{day}/customers.parquet")],
        lambda rows, day: [write(rows, f"{['Monday', 'Tuesday'][day - 1]}.parquet")],
        lambda rows, _: [query_of(rows, "")[0], "--table", "people"],
        lambda rows, day: query_of(rows, f"SELECT * FROM people WHERE '2026-11-0{day}' > ''"),
        lambda rows, day: [write(rows, f"a{day}.parquet"), "--pipeline-name", "crm"],
    ],
    ids=["file", "dated file", "dated folder", "named day", "table", "query", "pipeline"],
)
def test_a_column_that_is_added_makes_nobody_somebody_else(
    run: Run, emulator: Emulator, source: Any
) -> None:
    assert run("load", *source(people(1, 2), 1)).code == 0

    words = source(BOTH, 2)
    checked = run("check", *words)
    refused = run("load", *words)
    kept = run("load", *words, "--map", "customer_id=id", "--json")
    again = run("load", *words)
    assert set(emulator.customers) == {"1", "2"}
    switched = run("load", *words, "--map", "customer_id=customer_id")
    by_name = run("load", *words)

    assert (checked.code, refused.code, again.code) == (2, 2, 2)
    assert checked.errors.partition(" Available")[0] in refused.errors
    assert "rows that were read are kept" not in refused.errors + checked.errors
    assert "now matches customer_id by name, but earlier runs used 'id'" in refused.errors
    assert "--map customer_id=id on the command line" in refused.errors
    assert "--map customer_id=customer_id on the command line" in refused.errors
    assert (kept.code, kept.json["unchanged"]) == (0, 2), kept.errors
    assert (switched.code, by_name.code) == (0, 0)


def test_another_account_is_not_compared(run: Run, emulator: Emulator) -> None:
    assert run("load", write(people(1))).code == 0

    assert run("load", write(BOTH), "--account", "second").code == 0


def test_a_map_that_is_left_out_is_refused_and_one_that_is_given_holds(
    run: Run, emulator: Emulator
) -> None:
    rows = [row | {"nick": "Ade"} for row in people(1)]
    write(rows)
    assert run("load", "customers.parquet", "--map", "first_name=nick").code == 0

    left_out = run("load", "customers.parquet", "--dry-run")
    mapped = ["--map", "last_name=last_name"]
    part = run("load", "customers.parquet", *mapped)
    done = run("load", "customers.parquet", *mapped, "--map", "first_name=first_name", "--json")

    assert (left_out.code, part.code) == (2, 2)
    assert "but earlier runs used 'nick'" in part.errors
    assert (done.code, done.json["updated"]) == (0, 1), done.errors
    assert run("load", "customers.parquet").code == 0


def test_a_version_that_is_left_out_is_refused_until_it_is_given_up(
    run: Run, emulator: Emulator
) -> None:
    load = "load", write(people(1)), "--json"
    assert run(*load, "--version-column", "updated_at").code == 0
    write([row | {"updated_at": 9, "first_name": "Old"} for row in people(1)])

    refused = run(*load)
    kept = run(*load, "--version-column", "updated_at")
    assert emulator.customers["1"]["first_name"] == "Zoë"
    assert "--version-column '' on the command line" in refused.errors
    given_up = run(*load, "--version-column", "")

    assert refused.code == 2
    assert "older rows would overwrite newer ones" in refused.errors
    assert (kept.json["superseded"], given_up.json["updated"]) == (1, 1)
    assert run(*load).code == 0


def test_sources_that_share_nothing_but_their_table_are_not_compared(
    run: Run, emulator: Emulator
) -> None:
    other = [{k: v for k, v in row.items() if k != "id"} for row in BOTH]

    for path, rows in (
        ("crm.parquet", people(1)),
        ("shop.parquet", other),
        ("shop/crm.parquet", other),
        ("crm.parquet", people(1)),
    ):
        assert run("load", write(rows, path)).code == 0

    query_of(BOTH, "")
    for table in ("crm", "shop"):
        column = "id" if table == "crm" else "customer_id AS uid"
        with duckdb.connect("w.duckdb") as warehouse:
            warehouse.execute(
                f"CREATE TABLE {table} AS SELECT {column}, * EXCLUDE (id, customer_id) FROM people"
            )
        assert run("load", "duckdb:///w.duckdb", "--table", table).code == 0


def test_a_first_load_that_failed_decides_nothing(run: Run, emulator: Emulator) -> None:
    Path("customers.csv").write_text("id\n1\n")
    assert run("load", "customers.csv").code == 2

    write(BOTH)
    assert run("load", "customers.parquet").code == 0


def test_no_second_store_is_begun_for_a_file_in_another_folder(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = f"sqlite:///{Path.cwd()}/bunce.sqlite"
    load = "load", str(Path(write(people(1, 2))).absolute()), "--json"
    assert run(*load).code == 0
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")

    refused = [run(*load, *more) for more in ([], ["--shard", "1/2"], ["--map", "phone_no=mobile"])]
    dry = run(*load, "--dry-run")

    assert {done.code for done in refused} == {2}
    assert f'set store_url = "{home}"' in refused[0].errors
    assert (dry.json["created"], list(Path().iterdir())) == (2, [])
    assert run(*load, "--store-url", home).json["unchanged"] == 2
    assert run("adopt").code == 0
    assert (run(*load).json["unchanged"], emulator.times_sent) == (2, {"1": 1, "2": 1})


def test_a_file_goes_into_two_stores_where_that_is_meant(run: Run, emulator: Emulator) -> None:
    load = "load", write(people(1)), "--json"
    second, third = (["--store-url", f"sqlite:///{name}.sqlite"] for name in ("second", "third"))
    assert run(*load).json["created"] == 1

    assert run(*load, *second, "--account", "second").json["adopted"] == 1
    told = run(*load, *third).errors
    Path(told.partition("or delete ")[2].strip().rstrip(".")).unlink()
    assert run(*load, *third).json["adopted"] == 1
    assert [run(*load, *store).json["unchanged"] for store in ([], third)] == [1, 1]
