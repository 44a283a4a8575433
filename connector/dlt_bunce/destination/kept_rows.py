"""Rows of packages that were given up, kept as files that `dlt-bunce load` reads."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlt.common.json import json as dlt_json

from dlt_bunce.destination.folder.data_at_rest import given_up_folder, mappings_of
from dlt_bunce.destination.folder.load_files import unzipped
from dlt_bunce.destination.mapping.adapter import MAPPING_HINT


def keep_aside(working: Path, first: str) -> Path | None:
    """Copy the rows of a pending package and of later ones to a folder next to the working folder.

    Return the folder of the first; None if it has no rows.
    """
    kept = given_up_folder(working)
    # of what dlt has normalized in part, the extracted package has all
    for storage in (working / "load" / "normalized", working / "normalize" / "extracted"):
        for package in storage.glob("*"):
            files = [f for f in package.glob("*_jobs/*") if not f.name.startswith("_dlt_")]
            if package.name < first or not files:
                continue
            folder = kept / package.name
            for made in (kept, folder):
                made.mkdir(mode=0o700, exist_ok=True)
            _note_mappings(package, folder)
            for file in files:
                _keep(file, folder)
    return kept / first if (kept / first).exists() else None


def _keep(file: Path, folder: Path) -> None:
    """Copy a file of rows; one that dlt has extracted from dicts as one row per line."""
    if file.suffix == ".parquet":
        _copy(file, folder)
        return
    copy = folder / f"{file.name.partition('.typed-jsonl')[0].removesuffix('.jsonl')}.jsonl"
    handle = os.open(copy, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "wb") as written:
            for row in _rows_in(file):
                written.write(dlt_json.dumpb(row) + b"\n")
    except (
        ValueError,
        EOFError,
    ):  # one that dlt has imported may hold anything, and one may be cut
        copy.unlink()
        _copy(file, folder)


def _copy(file: Path, folder: Path) -> None:
    copy = folder / file.name
    shutil.copy2(file, copy)
    copy.chmod(0o600)


def _rows_in(file: Path) -> Iterator[Any]:
    with file.open("rb") as raw, unzipped(raw) as lines:
        for line in lines:
            if line.strip():
                parsed = dlt_json.typed_loadb(line)
                yield from parsed if isinstance(parsed, list) else [parsed]


def _note_mappings(package: Path, kept: Path) -> None:
    """Record the mappings of a package, so that the customers in its rows can be found later."""
    try:
        tables = json.loads((package / "schema.json").read_text("utf-8"))["tables"]
    except (OSError, ValueError, KeyError):
        return
    hints = {name: {MAPPING_HINT: table.get(MAPPING_HINT)} for name, table in tables.items()}
    note = mappings_of(kept)
    note.touch(mode=0o600)
    note.write_text(json.dumps({"tables": hints}), "utf-8")
