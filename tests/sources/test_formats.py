"""The same customers in every format: the same payloads and fingerprints, and none sent twice."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import deltalake
import dlt
import fastavro
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg import connect
from pyarrow import feather, ipc

from dlt_bunce import bunce, flush_and_run
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import SourceError, bunce_error
from dlt_bunce.sources import Reading, from_files, open_source

ROWS: list[dict[str, Any]] = [
    {
        "id": n,
        "email": f"C{n}@example.com",
        "first_name": name,
        "last_name": "O’Brien",
        "mobile": f"+23481{n:08d}",
        "updated_at": datetime(2026, 11, 1, n, tzinfo=timezone.utc),
        "note": None if n % 2 else "a, b",
    }
    for n, name in enumerate(["José", "Zoë", "François", "Müller", "Ana"], start=1)
]
TABLE = pa.Table.from_pylist(ROWS)
TEXTS = [row | {"updated_at": row["updated_at"].isoformat()} for row in ROWS]


def text(separator: str = ",") -> str:
    lines = [separator.join(ROWS[0])]
    for row in TEXTS:
        cells = ["" if value is None else f'"{value}"' for value in row.values()]
        lines.append(separator.join(cells))
    return "\r\n".join(lines) + "\r\n"


def excel(path: str) -> None:
    workbook = openpyxl.Workbook()
    workbook.active.append([])
    workbook.active.append(list(ROWS[0]))
    for row in ROWS:
        at = row["updated_at"].replace(tzinfo=None)
        workbook.active.append(list((row | {"updated_at": at}).values()))
    workbook.create_sheet("Other").append(["nothing"])
    workbook.save(path)


def avro(path: str) -> None:
    kinds: dict[str, Any] = dict.fromkeys(ROWS[0], "string")
    kinds |= {"id": "long", "note": ["null", "string"]}
    kinds["updated_at"] = {"type": "long", "logicalType": "timestamp-micros"}
    fields = [{"name": name, "type": kind} for name, kind in kinds.items()]
    with Path(path).open("wb") as file:
        fastavro.writer(file, {"type": "record", "name": "people", "fields": fields}, ROWS)


def arrow(path: str, *, stream: bool = False) -> None:
    with pa.OSFile(path, "wb") as file:
        new = ipc.new_stream if stream else ipc.new_file
        with new(file, TABLE.schema) as writer:
            writer.write_table(TABLE)


def delta(path: str) -> None:
    deltalake.write_deltalake(path, TABLE)
    gone = pa.Table.from_pylist([ROWS[0] | {"id": 99, "email": "gone@example.com"}], TABLE.schema)
    deltalake.write_deltalake(path, gone, mode="append")
    deltalake.DeltaTable(path).delete("id = 99")


def iceberg(path: str) -> None:
    from pyiceberg.catalog.sql import SqlCatalog

    catalog = SqlCatalog("crm", uri="sqlite:///catalog.db", warehouse=f"file://{Path().absolute()}")
    catalog.create_namespace("crm")
    table = catalog.create_table(
        "crm.people", TABLE.schema, location=f"file://{Path(path).absolute()}"
    )
    table.append(TABLE)
    table.append(pa.Table.from_pylist([ROWS[0] | {"id": 99}], TABLE.schema))
    table.delete("id = 99")
    catalog.engine.dispose()


def put(data: bytes | str, encoding: str = "utf-8") -> Callable[[str], None]:
    content = data.encode(encoding) if isinstance(data, str) else data
    return lambda path: void(Path(path).write_bytes(content))


def void(_: Any) -> None:
    """Nothing."""


def zipped(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__MACOSX/._x", b"")
        archive.writestr(name, content)
    return out.getvalue()


LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in TEXTS)
CSV = text().encode()
FILES: dict[str, Callable[[str], None]] = {
    "a.csv": put(text()),
    "bom.csv": put(text(), "utf-8-sig"),
    "windows.csv": put(text(), "cp1252"),
    "unicode.txt": put(text("\t"), "utf-16"),
    "wide.csv": put(text(), "utf-32"),
    "a.tsv": put(text("\t")),
    "bar.txt": put(text("|")),
    "sep.csv": put("sep=;\r\n" + text(";")),
    "OK.CSV.GZ": put(gzip.compress(CSV)),
    "a.csv.bz2": put(bz2.compress(CSV)),
    "a.csv.xz": put(lzma.compress(CSV)),
    "a.csv.zst": put(pa.compress(CSV, "zstd", asbytes=True)),
    "a.csv.zip": put(zipped("deep/a.csv", CSV)),
    "a.jsonl": put(LINES),
    "a.ndjson.gz": put(gzip.compress(LINES.encode())),
    "a.json": put(json.dumps(TEXTS, indent=2)),
    "compact.json": put(json.dumps(TEXTS, ensure_ascii=False, separators=(",", ":")), "utf-8-sig"),
    "a.xlsx": excel,
    "a.avro": avro,
    "a.parquet": lambda path: pq.write_table(TABLE, path),
    "a.arrow": arrow,
    "stream.arrows": lambda path: arrow(path, stream=True),
    "a.feather": lambda path: feather.write_feather(TABLE, path),
    "delta": delta,
    "iceberg": iceberg,
}


@pytest.fixture
def load(emulator: Emulator) -> Callable[[Any], Any]:
    """Loads a source into one ledger, by a pipeline of its own."""
    made = iter(range(1_000))

    def load(source: Any) -> Any:
        destination = bunce("sk_test_x", base_url=emulator.base_url, requests_per_minute=0)
        return flush_and_run(dlt.pipeline(f"crm_{next(made)}", destination=destination), source)

    return load


def test_the_same_rows_are_the_same_customers_whatever_their_format(
    load: Callable[[Any], Any], emulator: Emulator, postgres_url: str
) -> None:
    first = load(dlt.resource([TABLE], name="customers"))
    wrong = {}
    for name, write in FILES.items():
        write(name)
        done = load(from_files(name, reading=Reading(note=void)))
        if (done.read, done.unchanged) != (5, 5):
            wrong[name] = done.fates
    with connect(postgres_url) as link, link.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE people (id int, email text, first_name text, last_name text, mobile text,"
            " updated_at timestamptz, note text)"
        )
        cursor.executemany(
            "INSERT INTO people VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [tuple(row.values()) for row in ROWS],
        )
    table = load(open_source(postgres_url, table="people"))
    dicts = load(dlt.resource(ROWS, name="customers"))

    assert wrong == {}
    assert (first.created, table.unchanged, dicts.unchanged) == (5, 5, 5)
    assert dict(emulator.times_sent) == {str(n): 1 for n in range(1, 6)}


@pytest.mark.parametrize("columns", [{}, {"sheet": "Other"}])
def test_a_sheet_is_chosen_by_name(columns: dict[str, str]) -> None:
    excel("a.xlsx")
    rows = [row for t in from_files("a.xlsx", reading=Reading(**columns)) for row in t.to_pylist()]

    assert len(rows) == (0 if columns else 5)
    with pytest.raises(SourceError, match="no sheet 'None such'"):
        from_files("a.xlsx", reading=Reading(sheet="None such"))


def test_an_encoding_is_detected_said_and_overridden() -> None:
    said: list[str] = []
    Path("a.csv").write_bytes("id,name\n1,José\n2,Dvořák\n".encode("cp1250"))

    guessed, given = (
        [row["name"] for t in from_files("a.csv", reading=reading) for row in t.to_pylist()]
        for reading in (Reading(note=said.append), Reading("cp1250", note=said.append))
    )

    assert given == ["José", "Dvořák"]
    assert guessed == ["José", "Dvoøák"]
    [note] = said
    assert note.startswith("a.csv is not UTF-8 and is read as Windows-1252. If names look wrong")
    assert "--encoding cp1250" in note
    with pytest.raises(SourceError, match="'klingon' is not a text encoding"):
        from_files("a.csv", reading=Reading("klingon"))


@pytest.mark.parametrize("encoding", ["cp1251", "mac_roman", "shift_jis", "utf-16-le", "iso8859-7"])
def test_an_encoding_that_cannot_be_told_is_asked_for(encoding: str) -> None:
    names = {"mac_roman": "José", "shift_jis": "佐藤", "iso8859-7": "Γιώργος"}
    name = names.get(encoding, "Иван")
    Path("a.csv").write_bytes(f"id,name\n1,{name}\n2,{name}\n".encode(encoding))

    with pytest.raises(Exception, match="--encoding") as refused:
        list(from_files("a.csv"))
    assert isinstance(bunce_error(refused.value), SourceError)
    rows = [row for t in from_files("a.csv", reading=Reading(encoding)) for row in t.to_pylist()]
    assert [row["name"] for row in rows] == [name, name]


WORKBOOK = zipped("xl/workbook.xml", b"<workbook/>")
WRONG: dict[str, tuple[bytes, str]] = {
    "book.csv": (WORKBOOK, "book.csv is an Excel workbook, not CSV. Rename it to end in .xlsx"),
    "old.xlsx": (b"\xd0\xcf\x11\xe0\xa1\xb1", "an Excel workbook in the old format, not an Excel"),
    "old.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1", "old.xls is an Excel workbook in the old format"),
    "p.csv": (b"PAR1....", "p.csv is a Parquet file, not CSV. Rename it to end in .parquet"),
    "page.csv": (b"<!DOCTYPE html>", "page.csv is a page of HTML or XML, not CSV"),
    "crm.db": (b"SQLite format 3\0", "crm.db is an SQLite database. Pass sqlite:///PATH"),
    "crm.duckdb": (b"12345678DUCK", "crm.duckdb is a DuckDB database"),
    "a.orc": (b"ORC", "a.orc is an ORC file. Save it as Parquet"),
    "a.docx": (b"text", "The format of a.docx is not known by its name. Files are read if"),
    "cut.csv.gz": (gzip.compress(CSV)[:-20], "cut.csv.gz cannot be read as CSV: Compressed file"),
    "cut.csv.xz": (lzma.compress(CSV)[:-20], "cut.csv.xz cannot be read as CSV: Compressed file"),
    "cut.xlsx": (WORKBOOK[:50], "cut.xlsx cannot be read as an Excel workbook: File is not a zip"),
    "cut.avro": (b"Obj\x01", "cut.avro cannot be read as Avro"),
    "cut.arrow": (b"ARROW1\0\0", "cut.arrow cannot be read as Arrow: "),
    "cut.parquet": (b"PAR1 and more", "cut.parquet cannot be read as Parquet: "),
    "lfs.parquet": (
        b"version https://git-lfs.github.com/spec",
        "a pointer of Git LFS",
    ),
    "one.json": (
        b'{"customers": [{"id": 1}, {"id": 2}]}',
        "one.json is one JSON object",
    ),
    "pretty.json": (b'{\n "id": 1\n}', "pretty.json is one JSON object, not a list"),
    "cut.json": (b'[{"id": 1}, {"id"', "cannot be read as JSON after object 1 of its list"),
    "text.jsonl": (b"id,email\n1,x\n", "2 of the first 2 rows of text.jsonl cannot be read"),
    "one.zip": (zipped("a.csv", CSV), "one.zip is a ZIP archive or an Excel workbook. A workbook"),
    "a.gz": (gzip.compress(CSV), "a.gz is a gzip file. If it holds CSV, rename it to end in .csv"),
    "wrong.csv.zip": (zipped("a.json", b"[]"), "wrong.csv.zip must contain a single CSV file"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_cannot_be_read_is_told_by_name_in_one_line(name: str) -> None:
    content, told = WRONG[name]
    Path(name).write_bytes(content)

    with pytest.raises(Exception, match=r"\S") as refused:
        list(from_files(name))

    found = bunce_error(refused.value)
    assert isinstance(found, SourceError)
    assert told in str(found)
    assert name in str(found)
    assert "\n" not in str(found)


def test_a_folder_has_one_format_and_what_may_be_something_else_is_not_data() -> None:
    Path("exports").mkdir()
    for name in ("a.csv", "b.csv"):
        Path("exports", name).write_text("id\n1\n")
    Path("exports/manifest.json").write_text("{}")
    Path("exports/readme.txt").write_text("text")

    assert len(list(from_files("exports"))) == 2
    Path("exports/c.jsonl").write_text('{"id": 1}\n')
    with pytest.raises(SourceError, match="several formats: CSV, JSON"):
        from_files("exports")


def test_web_addresses_say_what_to_do() -> None:
    with pytest.raises(SourceError, match=r"https:.*Download the file"):
        open_source("https://example.com/people.csv")
