"""Rows of files know their file and line, whatever lies between them and whoever reads a part."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from dlt_bunce import bunce, bunce_adapter, dead_letters
from dlt_bunce.emulator import Emulator
from dlt_bunce.records.cells import MAX_ROW_BYTES
from dlt_bunce.records.row_origin import FILE, LINE
from dlt_bunce.sources import from_csv, from_files, from_parquet
from dlt_bunce.sources.csv_files import record_batches

HEADER = "id,email,first_name,last_name,mobile\n"


def person(n: int, email: str = "") -> str:
    return f"{n},{email or f'c{n}@example.com'},Ada,Obi,+23481{n:08d}\n"


def line_of(text: str) -> int:
    """The line in which what follows a text begins, as an editor counts."""
    return text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_are_those_of_an_editor_in_a_file_of_several_blocks(newline: str) -> None:
    chance = random.Random(7)
    parts, lines = ["", newline, '"na', newline, 'me",place,note', newline], 4
    while len(parts) < 100_000:
        kind = chance.random()
        cell = "x" * chance.randrange(250)
        if kind < 0.02:
            parts.append(newline)
            lines += 1
        elif kind < 0.04:
            parts += [f'{lines},"a{newline}{newline}b"', newline]  # a cell too few
            lines += 3
        elif kind < 0.1:
            inner = chance.choice(["\n", "\r\n", "\r"])
            parts += [f'{lines},"{cell}{inner}b",', newline]
            lines += 2
        else:
            parts += [f"{lines},{cell},y", newline]
            lines += 1
    content = "".join(parts)
    assert line_of(content) == lines

    batches = record_batches(io.BytesIO(content.encode()), 20_000, "some.csv")

    checked = 0
    for batch in batches:
        rows = batch.to_pylist()
        told = [
            row["na" + newline + "me"] or row["unreadable_line"]["text"].partition(",")[0]
            for row in rows
        ]
        assert [int(line) for line in told] == [row[LINE] for row in rows]
        checked += len(rows)
    assert checked > 40_000
    assert len(content) > MAX_ROW_BYTES


def test_rows_in_an_unclosed_quotation_mark_keep_their_lines() -> None:
    content = HEADER + "".join(person(n) for n in range(2, 50))
    content += '50,"c50@example.com,Ada,Obi,+2348100000050\n'
    content += "".join(person(n) for n in range(51, 60)) + '60,c60@example.com,"A",Obi,+23481\n'
    content += "".join(person(n) for n in range(61, 70))

    batches = record_batches(io.BytesIO(content.encode()), 100, "a.csv")
    rows = [row for batch in batches for row in batch.to_pylist()]

    told = {int(row["id"] or row["unreadable_line"]["text"].partition(",")[0]): row for row in rows}
    assert sorted(told) == [*range(2, 70)]
    assert {n: row[LINE] for n, row in told.items()} == {n: n for n in told}


def test_a_part_of_a_parquet_file_counts_from_its_beginning() -> None:
    sizes = [3, 50_000, 1, 30_000, 7]
    table = pa.table({"id": range(1, sum(sizes) + 1)})
    with pq.ParquetWriter("a.parquet", table.schema) as writer:
        start = 0
        for size in sizes:
            writer.write_table(table.slice(start, size), row_group_size=size)
            start += size

    for chosen in ([0, 1, 2, 3, 4], [0, 2, 4], [1, 3], [4]):
        found = [*from_parquet("a.parquet", row_groups=lambda _path, _n, c=chosen: c)]
        assert sum(sizes[n] for n in chosen) == sum(t.num_rows for t in found)
        assert all(t.column("id").to_pylist() == t.column(LINE).to_pylist() for t in found)


def test_rows_of_a_load_package_keep_their_origin_and_other_columns_are_none() -> None:
    pq.write_table(pa.table({"id": ["1"], FILE: ["x"], LINE: [77]}), "kept.parquet")
    pq.write_table(pa.table({"id": ["1"], FILE: [5], LINE: ["y"]}), "other.parquet")
    Path("kept.jsonl").write_text(f'{{"id": "1", "{FILE}": "x", "{LINE}": 77}}\n')
    Path("other.csv").write_text(f"{FILE},id,{LINE}\nx,1,77\n")

    for name, own in {
        "kept.parquet": {LINE: 77, FILE: "x"},
        "kept.jsonl": {LINE: 77, FILE: "x"},
        "other.parquet": {LINE: 1, FILE: "other.parquet"},
        "other.csv": {LINE: 2, FILE: "other.csv"},
    }.items():
        [table] = from_files(name)
        assert table.to_pylist() == [{"id": "1"} | own]


def test_a_file_is_named_as_it_was_given() -> None:
    Path("in").mkdir()
    Path("in/a.csv").write_text("id\n1\n")

    whole = Path("in/a.csv").absolute()
    for given, shown in {
        "in": "in/a.csv",
        "./in/*.csv": "in/a.csv",
        "in/../in/a.csv": "in/a.csv",
        str(whole): str(whole),
        str(whole.parent): str(whole),
        whole.as_uri(): whole.as_uri(),
    }.items():
        [table] = from_files(given)
        assert (given, [shown]) == (given, table.column(FILE).to_pylist())


STEPS: dict[str, Any] = {
    "none": lambda resource: resource,
    "filter": lambda resource: resource.add_map(
        lambda table: table.filter(pc.starts_with(table.column("id"), "2"))
    ),
    "dicts": lambda resource: resource.add_yield_map(lambda table: iter(table.to_pylist())),
    "columns": lambda resource: resource.add_map(
        lambda table: table.select([n for n in table.schema.names if not n.startswith("_")])
    ),
}


@pytest.mark.parametrize("step", list(STEPS))
def test_steps_of_a_pipeline_shift_no_line(emulator: Emulator, step: str) -> None:
    Path("in").mkdir()
    for n, name in enumerate(("a", "b")):
        content = HEADER + person(10 + n) + "\n" + person(20 + n, "bad")
        Path(f"in/{name}.csv").write_text(content)
    destination = bunce("sk_test_x", base_url=emulator.base_url, requests_per_minute=0)
    pipeline = dlt.pipeline("crm", destination=destination)
    source = STEPS[step](from_csv("in/*.csv"))

    pipeline.run(bunce_adapter(source, attributes="*"))

    found = [row for table in dead_letters() for row in table.to_pylist()]
    assert len(found) == 2
    places = sorted((row["source"], row["source_line"]) for row in found)
    rows = [row["source_row"] for row in found]
    expected: list[tuple[str, int | None]] = [("in/a.csv", 4), ("in/b.csv", 4)]
    assert places == (expected if step != "columns" else [("customers", None)] * 2)
    assert not any("_dlt_bunce" in row for row in rows)
    assert emulator.attributes.values_received == 0
