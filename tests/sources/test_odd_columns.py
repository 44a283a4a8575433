"""Columns as files and databases really have them: an unmapped one stops no load."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dlt.extract.exceptions import ResourceExtractionError

from dlt_bunce import bunce, flush_and_run
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import SourceError, bunce_error
from dlt_bunce.records.row_origin import without_origin
from dlt_bunce.sources import from_csv, from_database, from_parquet, shard_source

GOOD = {
    "id": "7",
    "email": "ada@x.com",
    "first_name": "Ada",
    "last_name": "Obi",
    "phone_no": "+2348031234567",
}


@pytest.fixture
def pipeline(emulator: Emulator) -> dlt.Pipeline:
    destination = bunce("sk_test_x", base_url=emulator.base_url, requests_per_minute=0)
    return dlt.pipeline("crm", destination=destination)


ODD: dict[str, pa.Array] = {
    "duration": pa.array([timedelta(1)], pa.duration("us")),
    "interval": pa.array([pa.MonthDayNano([1, 2, 3])]),
    "uuid": pa.array([bytes(16)], pa.uuid()),
    "json": pa.array(["{}"], pa.json_()),
    "view": pa.array(["x"], pa.string_view()),
    "binary view": pa.array([b"x"], pa.binary_view()),
    "run ends": pa.RunEndEncodedArray.from_arrays([1], ["x"]),
    "wide": pa.array([Decimal(10) ** 60], pa.decimal256(70, 2)),
    "half": pa.array([1.5], pa.float32()).cast(pa.float16()),
    "nanoseconds": pa.array([1], pa.timestamp("ns")),
    "bytes": pa.array([b"\xff"], pa.binary()),
    "map": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
    "durations": pa.array([[timedelta(1)]], pa.list_(pa.duration("us"))),
    "nothing": pa.nulls(1),
}


@pytest.mark.parametrize("kind", list(ODD))
@pytest.mark.parametrize("batch", [False, True])
def test_an_unmapped_column_of_any_type_stops_no_load(
    pipeline: dlt.Pipeline, emulator: Emulator, kind: str, *, batch: bool
) -> None:
    table = pa.table({**{k: [v] for k, v in GOOD.items()}, "odd": ODD[kind]})
    rows: Any = table.to_batches()[0] if batch else table

    summary = flush_and_run(pipeline, dlt.resource([rows], name="customers"))

    assert summary.created == 1
    assert "7" in emulator.customers


@pytest.mark.parametrize("kind", ["uuid", "view", "json"])
def test_a_mapped_column_of_a_wrapped_type_is_read_as_what_it_means(
    pipeline: dlt.Pipeline, emulator: Emulator, kind: str
) -> None:
    table = pa.table({**{k: [v] for k, v in GOOD.items()}, "id": ODD[kind]})

    flush_and_run(pipeline, dlt.resource([table], name="customers"))

    expected = {"uuid": "00000000-0000-0000-0000-000000000000", "view": "x", "json": "{}"}
    assert [expected[kind]] == list(emulator.customers)


def test_a_table_with_two_columns_of_one_name_is_refused(pipeline: dlt.Pipeline) -> None:
    table = pa.Table.from_arrays([pa.array(["1"]), pa.array(["900"])], names=["id", "id"])

    with pytest.raises(SourceError, match="two columns named 'id'"):
        flush_and_run(pipeline, dlt.resource([table], name="customers"))


def parts(*columns: pa.Array) -> list[Any]:
    for number, column in enumerate(columns):
        pq.write_table(pa.table({"id": column}), f"{number}.parquet")
    return [value for table in from_parquet("*.parquet") for value in table["id"].to_pylist()]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([pa.array([1], pa.int32()), pa.array([2], pa.int64())], [1, 2]),
        ([pa.array([1], pa.int64()), pa.array(["A-2"])], ["1", "A-2"]),
        ([pa.array(["007"]), pa.array([8031234567.0, None])], ["007", "8031234567", None]),
        ([pa.array([1.5]), pa.array(["x"])], ["1.5", "x"]),
        ([pa.nulls(1), pa.array(["x"])], [None, "x"]),
        ([pa.array(["x"]).dictionary_encode(), pa.array(["y"])], ["x", "y"]),
        ([pa.array(["x"], pa.large_string()), pa.array(["y"])], ["x", "y"]),
    ],
)
def test_parts_whose_types_drift_are_read_in_one_type(
    columns: list[Any], expected: list[Any]
) -> None:
    assert expected == parts(*columns)


def test_times_of_several_units_are_read_in_one() -> None:
    first, second = pa.array([1], pa.timestamp("us")), pa.array([1], pa.timestamp("ms"))

    assert [
        value.value // 1_000 if hasattr(value, "value") else round(value.timestamp() * 1_000_000)
        for value in parts(first, second)
    ] == [1, 1_000]


@pytest.mark.parametrize("numbers", [pa.array([True]), pa.array([1], pa.timestamp("us"))])
def test_parts_that_no_type_can_hold_are_refused_by_file_and_column(numbers: Any) -> None:
    with pytest.raises(
        SourceError, match=r"Column 'id' has type .* in 1\.parquet but .* in 0\.parquet"
    ):
        parts(pa.array(["x"]), numbers)


def test_a_column_that_a_part_lacks_is_null_there() -> None:
    pq.write_table(pa.table({"id": ["1"]}), "a.parquet")
    pq.write_table(pa.table({"note": ["x"], "id": ["2"]}), "b.parquet")

    tables = map(without_origin, from_parquet("*.parquet"))
    found = [row for table in tables for row in table.to_pylist()]

    assert found == [{"id": "1", "note": None}, {"id": "2", "note": "x"}]


def test_numbers_that_become_text_while_files_are_read_are_not_read_as_numbers() -> None:
    for name in "ab":
        pq.write_table(pa.table({"id": [1]}), f"{name}.parquet")

    def replace_b(table: pa.Table) -> pa.Table:
        pq.write_table(pa.table({"id": ["02"]}), "b.parquet")
        return table

    resource = from_parquet("*.parquet").add_map(replace_b)
    with pytest.raises(ResourceExtractionError, match=r"type string in .*b\.parquet, and int64 wh"):
        list(resource)


def test_a_cursor_on_sqlite_reads_again_what_has_its_second(pipeline: dlt.Pipeline) -> None:
    columns = ", ".join(f"{name} TEXT" for name in GOOD)
    link = sqlite3.connect("s.sqlite")
    link.execute(f"CREATE TABLE people ({columns}, updated_at DATETIME)")

    def put(number: str, at: str) -> None:
        row = [*(GOOD | {"id": number, "email": f"c{number}@x.com"}).values(), at]
        link.execute("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?)", row)
        link.commit()

    def load() -> int:
        source = from_database("sqlite:///s.sqlite", table="people", incremental="updated_at")
        return flush_and_run(pipeline, source).created

    put("1", "2026-11-01 12:30:05")
    first = load()
    put("2", "2026-11-01 12:30:05")
    second = load()
    put("3", "2026-11-01 12:30:05.5")
    third = load()
    put("4", "2026-11-01 12:30:05.5")
    link.close()

    assert (first, second, third, load()) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    "text", ['id,n\n1,"Ada \\"A\\""\n', 'id,n\n1,"Ada \\"A\\" O"\n2,x\n', 'id,n\n"1\\"x",y\n']
)
def test_marks_with_a_backslash_are_refused(text: str) -> None:
    Path("a.csv").write_text(text)

    with pytest.raises(Exception, match="as MySQL does") as refused:
        list(from_csv("a.csv"))
    assert isinstance(bunce_error(refused.value), SourceError)
    assert "Ada" not in str(bunce_error(refused.value))


@pytest.mark.parametrize("text", ['id,n\n1,"C:\\"\n', 'id,n\n1,"a \\""b"""\n', "id,n\n1,a \\b\n"])
def test_backslashes_that_are_text_stay(text: str) -> None:
    Path("a.csv").write_text(text)

    assert [value for table in from_csv("a.csv") for value in table["id"].to_pylist()] == ["1"]


@pytest.mark.parametrize(
    "key",
    [
        "n % 2 = 0",
        "to_days(n::INT)",
        "n::HUGEINT * 10000000000000000000",
        "(CASE WHEN n % 2 = 0 THEN 'a' ELSE 'b' END)::ENUM('b', 'a')",
        "'nan'::DOUBLE",
    ],
)
def test_what_cannot_be_a_key_is_refused_by_name(pipeline: dlt.Pipeline, key: str) -> None:
    with duckdb.connect("w.duckdb") as warehouse:
        warehouse.execute(f"CREATE TABLE t AS SELECT n AS id, {key} AS k FROM range(20) r(n)")

    with pytest.raises(SourceError, match="'k' cannot be a shard key"):
        shard_source(pipeline, "duckdb:///w.duckdb", "1/4", table="t", key="k")
