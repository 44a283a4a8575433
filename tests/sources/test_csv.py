"""CSV files: whatever program wrote them, every cell is read as the text that it is."""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import dlt
import pyarrow as pa
import pytest
from dlt.extract.exceptions import ResourceExtractionError
from hypothesis import example, given
from hypothesis import strategies as st
from tests.conftest import Bucket

from dlt_bunce import bunce
from dlt_bunce.cli.dead_letters.spreadsheet import Spreadsheet, writing
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import SourceError
from dlt_bunce.records import rows as source_rows
from dlt_bunce.records.cells import marked
from dlt_bunce.records.row_origin import without_origin
from dlt_bunce.sources import from_csv, open_source, shard_source
from dlt_bunce.sources.csv_files import record_batches

TEXT = 'id;name;note\r\n0012;"Ọlá; ""the"" one";+234\r\n12345678901234567890;"two\r\nlines";\r\n'
ROWS = [
    {"id": "0012", "name": 'Ọlá; "the" one', "note": "+234"},
    {"id": "12345678901234567890", "name": "two\r\nlines", "note": None},
]


def read(resource: Any) -> list[dict[str, Any]]:
    return [row for table in resource for row in without_origin(table).to_pylist()]


def batches(content: bytes, rows: int = 20_000) -> list[list[dict[str, Any]]]:
    batches = record_batches(io.BytesIO(content), rows, "some.csv")
    return [without_origin(batch).to_pylist() for batch in batches]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("ending", [".csv", ".CSV", ".csv.gz"])
def test_cells_are_text_however_the_file_was_written(
    separator: str, encoding: str, ending: str
) -> None:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(ROWS[0]), delimiter=separator)
    writer.writeheader()
    writer.writerows(ROWS)
    content = out.getvalue().encode(encoding)
    Path(f"c{ending}").write_bytes(gzip.compress(content) if ending == ".csv.gz" else content)

    assert read(from_csv(f"c{ending}")) == ROWS


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (TEXT, ROWS),
        (TEXT.removesuffix("\r\n"), ROWS),
        ("id\n1\n\n2", [{"id": "1"}, {"id": "2"}]),
        ("id,name\r1,x\r", [{"id": "1", "name": "x"}]),
        (" id , name \n1,x\n", [{"id": "1", "name": "x"}]),
        ("id,name\n", []),
        ("id,name", []),
        ("id;name;;\n1;x;;\n;;;\n", [{"id": "1", "name": "x"}]),
        ('id,name\n"",""\n1,""\n', [{"id": "1", "name": None}]),
        ("id,name\n1, x \n", [{"id": "1", "name": " x "}]),
        ("id\nNULL\nnan\ntrue\n", [{"id": "NULL"}, {"id": "nan"}, {"id": "true"}]),
        ("id,name\n'0012,'tis\n", [{"id": "'0012", "name": "'tis"}]),
        ("id,name\r\n1,x\r\n\x1a", [{"id": "1", "name": "x"}]),
        ("id,name\r\n1,x\x1a", [{"id": "1", "name": "x"}]),
        ("id,name\n\x1a", []),
        ("id,name\n1,\x1a\n", [{"id": "1", "name": "\x1a"}]),
        (f"id,name\n1,{'x' * 70_000}\n\x1a", [{"id": "1", "name": "x" * 70_000}]),
    ],
)
def test_shapes_that_spreadsheets_and_programs_write(
    content: str, expected: list[dict[str, Any]]
) -> None:
    assert expected == [row for batch in batches(content.encode()) for row in batch]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (Path.unlink, "b.csv was deleted or moved after its location was listed"),
        (lambda path: path.write_text("id\n2\n"), "b.csv and a.csv have different columns"),
    ],
)
def test_a_file_that_changes_while_those_before_it_are_read_is_told_by_name(
    change: Callable[[Path], Any], told: str
) -> None:
    for name in "ab":
        Path(f"{name}.csv").write_text("id,name\n1,x\n")
    resource = from_csv("*.csv")
    resource.add_map(lambda table: change(Path("b.csv")) and table)

    with pytest.raises(ResourceExtractionError) as failed:
        list(resource)

    assert isinstance(failed.value.__cause__, SourceError)
    assert told in str(failed.value.__cause__)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "some.csv is empty"),
        (b"\xef\xbb\xbf\r\n", "some.csv is empty"),
        (b"id,id\n", "Column 'id' appears 2 times"),
        (
            b"id,n\n1,marked,3\n",
            "The only row of some.csv cannot be read: it is row 2: it has 3 cells",
        ),
        (
            b"id,n\n1,marked\n" + b"1\n" * 5,
            "5 of the first 6 rows .* is row 3: it has 1 .* the footer of a report, delete it",
        ),
        (b"id,n\n" + b"1\n" * 5 + b"1,marked\n", "row 2: it has 1 .* header has 2. Quote cells"),
        (b"id,n\n1,marked\xa3\n", "is not UTF-8, and its encoding cannot be told. Pass it"),
        ("id,n\n1,é\n".encode("utf-16-le"), "is not UTF-8 text"),
        (b'id,n\n1,"marked\n2,marked\n', "in the last rows of some.csv is never closed"),
        (b"id,n\n1," + b"marked" * 2_000_000 + b"\n", "a row is longer than 4,194,304 bytes"),
    ],
)
def test_what_cannot_be_read_is_told_without_its_values(content: bytes, told: str) -> None:
    with pytest.raises(SourceError, match=told) as refused:
        batches(content)

    assert "marked" not in str(refused.value)
    assert refused.value.remedy


def test_a_nul_in_a_cell_is_a_matter_of_its_row() -> None:
    assert batches(b"id,n\n1,x\0y\n2,z\n") == [[{"id": "1", "n": "x\0y"}, {"id": "2", "n": "z"}]]


def test_tables_hold_no_more_rows_than_asked_for() -> None:
    content = b"id\n" + b"".join(b"%d\n" % n for n in range(2_500))

    found = batches(content, rows=1_000)

    assert [len(batch) for batch in found] == [1_000, 1_000, 500]
    assert [str(n) for n in range(2_500)] == [row["id"] for batch in found for row in batch]


@pytest.fixture
def folder() -> list[str]:
    """A folder with three files of ten customers each; their ids."""
    for name in ("a.csv", "deep/b.csv", "deep/c.csv.gz"):
        Path("crm", name).parent.mkdir(parents=True, exist_ok=True)
        lines = "id\n" + "".join(f"{name[-5]}{n}\n" for n in range(10))
        opened = gzip.open if name.endswith(".gz") else open
        with opened(Path("crm", name), "wt") as file:
            file.write(lines)
    Path("crm/notes.csv.txt").write_text("no customers")
    return sorted(row["id"] for row in read(open_source("crm")))


def test_a_folder_a_glob_and_a_bucket_are_read_whole(folder: list[str], s3: Bucket) -> None:
    for file in Path("crm").rglob("*.csv*"):
        s3.put(file, str(file))

    assert len(set(folder)) == 30
    assert len(read(open_source("crm/**/*.csv"))) == 20
    assert len(read(open_source(f"s3://{s3.name}/crm/deep/*.csv.gz"))) == 10
    assert len(read(open_source(f"s3://{s3.name}/crm/**/*.csv"))) == 20


def test_a_later_run_reads_changed_files_only(folder: list[str], emulator: Emulator) -> None:
    pipeline = dlt.pipeline("crm", destination=dlt.destinations.duckdb("w.duckdb"))

    def rows() -> int:
        pipeline.run(from_csv("crm", changed_files_only=True))
        return int(pipeline.last_trace.last_normalize_info.row_counts.get("customers", 0))

    first, second = rows(), rows()
    os.utime("crm/deep/b.csv", (2_000_000_000, 2_000_000_000))
    third = rows()

    assert (first, second, third) == (30, 0, 10)


def test_a_file_lies_in_exactly_one_shard(folder: list[str], emulator: Emulator) -> None:
    def shard(number: int) -> list[str]:
        destination = bunce("sk_test_x", base_url=emulator.base_url)
        pipeline = dlt.pipeline(f"crm_{number}", destination=destination)
        return [row["id"] for row in read(shard_source(pipeline, "crm", f"{number}/2"))]

    parts = [shard(1), shard(2)]

    assert sorted(len(part) for part in parts) == [10, 20]
    assert folder == sorted(parts[0] + parts[1])


# noncharacters, which stand for bytes that are not text: a row with one cannot be read
MARKS = [chr(code) for code in range(0xFDD0, 0xFDE0)]
TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=MARKS), max_size=12
) | st.text(st.sampled_from("'=+-@0129.e:/ \t\r\n＝\";,é\0"), max_size=6)
CELLS = st.dictionaries(
    st.sampled_from(["id", "mobile", "=note", "'x", "7th"]), TEXTS | st.none(), min_size=1
)


def through_a_spreadsheet(content: bytes) -> bytes:
    """The file as a spreadsheet of another country saves it."""
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=";").writerows(rows)
    return out.getvalue().encode("utf-8-sig")


@pytest.mark.parametrize("saved", [bytes, through_a_spreadsheet])
@example(rows=[{"id": '\n,"'}, {"id": '\n;"'}])
@example(rows=[{"id": "'+1", "mobile": "+2348031234567", "=note": "=cmd()"}])
@given(rows=st.lists(CELLS, min_size=1, max_size=5))
def test_every_text_comes_back_from_an_export(
    saved: Callable[[bytes], bytes], rows: list[dict[str, str | None]]
) -> None:
    nothing: Mapping[str, str] = MappingProxyType({})
    letters = [
        {
            "id": f"{number:024x}",
            "code": "refused",
            "field": None,
            "message": "=1+1",
            "source_row": source_rows.encode(row),
            "run_id": "1",
            "pipeline_name": "crm",
            "table_name": "customers",
            "read_run_id": None,
            "source": "crm.csv",
            "source_line": number + 2,
        }
        for number, row in enumerate(rows)
    ]

    with writing(Path("l.csv"), Spreadsheet(), lambda *_run: nothing) as put:
        put(letters)
    content = saved(Path("l.csv").read_bytes())

    names = list(dict.fromkeys(name for row in rows for name in row))
    expected = [
        {"dead_letter_id": letter["id"]} | {name: row.get(name) or None for name in names}
        for letter, row in zip(letters, rows, strict=True)
    ]
    assert expected == [row for batch in batches(content) for row in batch]


def test_a_row_within_another_of_an_export_is_told_and_what_only_looks_like_one_is_read() -> None:
    one, two = "1" * 24, "2" * 24
    header = "dead_letter_id,id,note,email\n"
    text = f'{one},1,"Ask\nAda, or a@b.example, for ""it""",x\n{two},2,y,z\n'
    # the mark of the second row closes that of the first
    merged = f'{one},1,"Ada,x\n{two},2,"Eve",z\n'

    [read] = batches((header + text).encode())
    with pytest.raises(SourceError, match="a quotation mark in it is not closed"):
        batches((header + merged).encode())

    assert [row["note"] for row in read] == ['Ask\nAda, or a@b.example, for "it"', "y"]


@given(text=TEXTS)
def test_no_cell_of_an_export_runs_as_a_formula_or_loses_digits(text: str) -> None:
    cell = marked(pa.array([text]))[0].as_py()

    assert not cell.lstrip(" \t\r\n").startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠", "0."))
    assert cell[:1] not in ("\t", "\r", "\n")
    assert cell in (text, f"'{text}")
    if cell.isascii() and cell.isdecimal():
        assert str(int(cell)) == cell
        assert len(cell) <= 11
