"""Shards of files: every row group lies in exactly one, whatever comes meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlt_bunce import bunce_adapter
from dlt_bunce.emulator import Emulator
from dlt_bunce.operations.flush import flush_and_run
from dlt_bunce.sources import shard_source

from .conftest import Make, read, write_files


@pytest.mark.parametrize(("files", "groups"), [(1, 16), (8, 1), (3, 5), (1, 1)])
def test_every_row_group_lies_in_one_shard(make: Make, files: int, groups: int) -> None:
    names = [f"f{n}" for n in range(files)]
    write_files(*names, groups=groups)

    parts = [read(make, "exports/*.parquet", f"{n}/4") for n in range(1, 5)]

    expected = {f"{name}-{n}" for name in names for n in range(10 * groups)}
    assert expected == {value for part in parts for value in part}
    assert len(expected) == sum(len(part) for part in parts)
    assert max(map(len, parts)) - min(map(len, parts)) <= 10


def test_files_that_come_between_two_shards_move_no_other(make: Make) -> None:
    write_files("b", "d", groups=2)
    first = read(make, "exports", "1/2")
    write_files("a", "c", groups=1)
    second = read(make, "exports", "2/2")
    again = read(make, "exports", "1/2")

    assert len(first) == 20
    assert not set(first) & set(second)
    assert len({*second, *again}) == 60
    assert len(second) + len(again) == 60


def test_shards_of_one_bucket(make: Make, s3: Any) -> None:
    write_files("f1", "f2", groups=2)
    for file in Path("exports").iterdir():
        s3.put(file, f"crm/{file.name}")

    parts = [read(make, f"s3://{s3.name}/crm/", f"{n}/2") for n in (1, 2)]

    assert [len(part) for part in parts] == [20, 20]
    assert not set(parts[0]) & set(parts[1])


def customers(numbers: range) -> list[dict[str, Any]]:
    return [
        {
            "id": n,
            "email": f"c{n}@example.com",
            "first_name": "Ada",
            "last_name": "Obi",
            "phone_no": f"+23481{n:08d}",
        }
        for n in numbers
    ]


def test_overlapping_and_repeated_shards_send_nobody_twice(make: Make, emulator: Emulator) -> None:
    Path("exports").mkdir()
    table = pa.Table.from_pylist(customers(range(400)))
    pq.write_table(table, "exports/all.parquet", row_group_size=50)

    def load(shard: str, name: str) -> Any:
        pipeline = make(name)
        return flush_and_run(pipeline, bunce_adapter(shard_source(pipeline, "exports", shard)))

    halves = [load("1/2", "a"), load("2/2", "b")]
    overlapping = [load(f"{n}/3", f"c{n}") for n in range(1, 4)]
    again = load("1/2", "a")

    assert [summary.created for summary in halves] == [200, 200]
    assert sum(summary.unchanged for summary in overlapping) == 400
    assert (again.unchanged, again.bulk_requests) == (200, 0)
    assert {f"{n}": 1 for n in range(400)} == emulator.times_sent


def test_a_dry_run_of_a_shard_keeps_no_plan(make: Make) -> None:
    write_files("a", groups=2)

    shard_source(make(dry_run=True), "exports", "1/2")

    assert not Path("bunce.sqlite").exists()
