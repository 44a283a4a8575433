"""Formats of customer files: by which names they are known, and by which first bytes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import IO, Literal

from dlt_bunce.errors import SourceError

Kind = Literal["csv", "parquet", "json", "excel", "avro", "arrow", "delta", "iceberg"]

NAMES: Mapping[Kind, str] = MappingProxyType(
    {
        "csv": "CSV",
        "parquet": "Parquet",
        "json": "JSON",
        "excel": "an Excel workbook",
        "avro": "Avro",
        "arrow": "Arrow",
        "delta": "a Delta table",
        "iceberg": "an Iceberg table",
    }
)
"""What each format is called in messages."""
_ENDINGS: Mapping[str, Kind] = MappingProxyType(
    {
        **dict.fromkeys(("csv", "tsv", "tab", "txt"), "csv"),
        **dict.fromkeys(("parquet", "pq", "parq"), "parquet"),
        **dict.fromkeys(("jsonl", "ndjson", "json"), "json"),
        **dict.fromkeys(("xlsx", "xlsm"), "excel"),
        "avro": "avro",
        **dict.fromkeys(("arrow", "feather", "ipc", "arrows"), "arrow"),
    }
)
_COMPRESSIONS = ("gz", "zip", "bz2", "xz", "zst")
_UNSURE = ("txt", "json")
"""Endings of files that are read if they are requested, and otherwise if there are no others."""
SUPPORTED = (
    "Files are read if they are CSV (.csv, .tsv, .txt), Parquet, JSON (.jsonl, .ndjson, .json), "
    "Excel (.xlsx), Avro, or Arrow (.arrow, .feather), text also with .gz, .zip, .bz2, .xz, or "
    ".zst. Save the file as one of these, or load it with your own dlt source."
)


def _rename(compression: str) -> str:
    return f"If it holds CSV, rename it to end in .csv.{compression}, or JSON, .json.{compression}."


_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"PAR1", "a Parquet file", "Rename it to end in .parquet."),
    (b"PAR2", "a Parquet file with encryption", "Pass a file without encryption."),
    (b"Obj\x01", "an Avro file", "Rename it to end in .avro."),
    (b"ARROW1", "an Arrow file", "Rename it to end in .arrow."),
    (b"FEA1", "an Arrow file", "Rename it to end in .feather."),
    (b"ORC", "an ORC file", "Save it as Parquet."),
    (
        b"PK\x03\x04",
        "a ZIP archive or an Excel workbook",
        f"A workbook is to end in .xlsx. {_rename('zip')}",
    ),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook in the old format", "Save it as .xlsx."),
    (b"SQLite format 3\0", "an SQLite database", "Pass sqlite:///PATH and --table."),
    (b"%PDF", "a PDF document", "Export the customers as CSV."),
    (b"<", "a page of HTML or XML", "Export the customers as CSV or .xlsx."),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file", "Run git lfs pull."),
    (b"\x1f\x8b", "a gzip file", _rename("gz")),
    (b"BZh", "a bzip2 file", _rename("bz2")),
    (b"\xfd7zXZ", "an xz file", _rename("xz")),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", _rename("zst")),
)
_MAGIC: Mapping[Kind, tuple[bytes, ...]] = MappingProxyType(
    {
        "parquet": (b"PAR1",),
        "excel": (b"PK\x03\x04",),
        "avro": (b"Obj\x01",),
        "arrow": (b"ARROW1", b"FEA1"),
    }
)
"""First bytes that each file of a format has."""


def kind_of(name: str) -> Kind | None:
    """Return the format of a file by its name, with or without the ending of a compression."""
    parts = name.lower().rsplit(".", 2)
    if len(parts) > 2 and parts[-1] in _COMPRESSIONS:
        parts.pop()
    return _ENDINGS.get(parts[-1]) if len(parts) > 1 else None


def is_unsure(name: str) -> bool:
    """Return whether a file of this name may be something else than customers."""
    return name.lower().endswith(tuple(f".{ending}" for ending in _UNSURE))


def kind_of_content(head: bytes) -> Kind | None:
    """Return the format of a file without an ending by its first bytes."""
    return "parquet" if head.startswith(b"PAR1") else None


def refuse_other(file: IO[bytes], name: str, kind: Kind | None) -> None:
    """Raise SourceError if a file that can seek begins like another format than its own, or, if
    that is not known, like any.
    """
    head = file.read(64)
    file.seek(0)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip() if kind in {"csv", "json"} else head
    if kind is not None and start.startswith(_MAGIC.get(kind, ())):
        return
    if head[8:12] == b"DUCK":
        raise SourceError(
            f"{name} is a DuckDB database.", remedy="Pass duckdb:///PATH and --table."
        )
    for signature, what, remedy in _SIGNATURES:
        if start.startswith(signature):
            instead = f", not {NAMES[kind]}" if kind else ""
            raise SourceError(f"{name} is {what}{instead}.", remedy=remedy)
