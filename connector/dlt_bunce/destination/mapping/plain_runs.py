"""What is found out from the extracted files, before dlt infers types from them: text columns, and
which columns no row has any more.

Without `bunce_adapter` or `flush_and_run`, no code of this package sees rows during extraction. So
before dlt infers types from the extracted files, their column names are read and declared, and
values of attributes and segments, and bytes, are written as text, as `MappedRows` would have done.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from dlt.common.json import json
from dlt.common.storages.load_package import PackageStorage, ParsedLoadJobFileName
from dlt.pipeline.exceptions import PipelineStepFailed

from dlt_bunce.destination.folder.load_files import FORMATS, unzipped
from dlt_bunce.destination.mapping.absent_columns import columns_in, note_absent
from dlt_bunce.destination.mapping.adapter import MAPPING_HINT, TABLE_HINT, hint_of
from dlt_bunce.destination.mapping.column_kinds import ColumnKinds, text_column
from dlt_bunce.destination.mapping.hints_given import schema_in_memory
from dlt_bunce.destination.mapping.mapped_rows import VALUES_HINT, as_dlt_names
from dlt_bunce.destination.mapping.table_mapping import with_configured
from dlt_bunce.destination.mapping.wanted_targets import given_for
from dlt_bunce.errors import BunceError, SourceError
from dlt_bunce.records.text.value_texts import BYTES, TEXT, types_in, value_text

if TYPE_CHECKING:
    from dlt import Pipeline, Schema

    from dlt_bunce.destination.settings.configuration import BunceConfiguration


_KINDS = ("attributes", "segments")
_OF_BYTES = json.typed_dumpb(b"")[:-1]
"""How the text begins that dlt writes for bytes."""
_TYPES = "bunce_value_types.json"
"""File in a package with the types of values, by table and column, as they were before any of its
files was written again.
"""


def declare_texts(pipeline: Pipeline, config: BunceConfiguration) -> None:
    """Declare mapped columns of extracted customers tables as text in the pipeline's schema, and
    write their attribute values as text.

    Raises BunceError, or PipelineStepFailed with the package that cannot be read.
    """
    packages = pipeline._get_normalize_storage().extracted_packages  # noqa: SLF001, dlt has no public access
    for load_id in packages.list_packages():
        schema = schema_in_memory(pipeline, packages.schema_name(load_id))
        try:
            _declare_in(packages, load_id, schema, config)
        except BunceError:
            raise
        except Exception as error:
            # given up like a package that dlt cannot normalize
            raise PipelineStepFailed(pipeline, "normalize", load_id, error) from error


def _declare_in(
    packages: PackageStorage, load_id: str, schema: Schema, config: BunceConfiguration
) -> None:
    paths: dict[str, list[Path]] = {}
    files: dict[str, list[Path]] = {}
    for file in packages.list_new_jobs(load_id):
        job = ParsedLoadJobFileName.parse(file)
        table: Any = schema.tables.get(job.table_name, {})
        is_ours = job.table_name in config.own_tables or table.get(TABLE_HINT)
        # dlt refuses other formats of files that a resource has it import
        if not is_ours or job.file_format not in FORMATS:
            continue
        path = Path(packages.storage.make_full_path(file))
        files.setdefault(job.table_name, []).append(path)
        if "jsonl" in job.file_format and not _is_declared(table, job, config):
            paths.setdefault(job.table_name, []).append(path)
    types = _earlier_types(packages, load_id)
    values: dict[str, set[str]] = {}
    encoded: dict[str, set[str]] = {}
    changed = bool(paths)
    for name, all_files in files.items():
        table = schema.tables.get(name, {})
        hint = with_configured(hint_of(table), name, config)
        kinds = _kinds_of(hint, config)
        columns: dict[str, None] = {}
        if name in paths:
            columns, found, encoded[name] = _read(
                paths[name], kinds, typed=any(given_for(hint, config))
            )
            types.setdefault(name, _types_of(found, table))
            texts: Any = {c: text_column(c) for c in columns if kinds.is_text(c)}
            declared: Any = {"name": name, "columns": texts, VALUES_HINT: types[name]}
            schema.update_table(declared)
            values[name] = set(filter(kinds.is_value, columns))
        unread = [path for path in all_files if path not in paths.get(name, ())]
        present = columns.keys() | columns_in(unread)
        changed |= note_absent(schema, name, present, kinds.may_be_field)
        changed |= as_dlt_names(schema, name)
    if changed:
        packages.save_schema(load_id, schema)
    if any(values.values()):
        _keep_types(packages, load_id, types)
    for name, of_values in values.items():
        for path in paths[name] if of_values or encoded[name] else ():
            _write_as_text(path, of_values, encoded[name])


def _earlier_types(packages: PackageStorage, load_id: str) -> dict[str, dict[str, str]]:
    """Return the types as found before a kill, after which some files may hold text already."""
    path = str(Path(packages.get_package_path(load_id), _TYPES))
    found: dict[str, dict[str, str]] = {}
    if packages.storage.has_file(path):
        found = json.loads(packages.storage.load(path))
    return found


def _keep_types(
    packages: PackageStorage, load_id: str, types: Mapping[str, Mapping[str, str]]
) -> None:
    path = str(Path(packages.get_package_path(load_id), _TYPES))
    packages.storage.save_atomic(packages.storage.storage_path, path, json.dumps(types))


def _is_declared(table: Any, job: ParsedLoadJobFileName, config: BunceConfiguration) -> bool:
    """Return whether an adapter has seen the rows, and knew all columns that count."""
    if job.file_format == "jsonl":
        return False  # a file that a resource has dlt import
    own = config.values_hint(job.table_name)
    configured = own or {n: getattr(config, n) for n in _KINDS if getattr(config, n)}
    return MAPPING_HINT in table and hint_of(table).keys() >= configured.keys()


def _kinds_of(hint: Mapping[str, Any], config: BunceConfiguration) -> ColumnKinds:
    configured = {} if hint.get("values_only") else config.mapping or {}
    return ColumnKinds({**configured, **hint.get("columns", {})}, *given_for(hint, config))


def _types_of(found: Mapping[str, str], table: Any) -> dict[str, str]:
    """Return the types of values; of those that are text in the files, since an adapter has written
    them so, the types that it has seen.
    """
    adapted = (table.get(VALUES_HINT) or {}) if MAPPING_HINT in table else {}
    return {n: adapted.get(n, kind) if kind == TEXT else kind for n, kind in found.items()}


def _read(
    paths: Sequence[Path], kinds: ColumnKinds, *, typed: bool
) -> tuple[dict[str, None], dict[str, str], set[str]]:
    """Return the column names of a table's files in order of first occurrence, the types of their
    values, and which columns of text have bytes.
    """
    columns: dict[str, None] = {}
    types: dict[str, str] = {}
    encoded: set[str] = set()
    for path in paths:
        with path.open("rb") as raw, unzipped(raw) as file:
            for number, line in enumerate(file, 1):
                has_bytes = _OF_BYTES in line
                loads = json.typed_loadb if typed or has_bytes else json.loadb
                parsed = _parsed(line, loads, path, number)
                rows = parsed if isinstance(parsed, list) else [parsed]
                rows = [row for row in rows if isinstance(row, dict)]
                for row in rows:
                    if not row.keys() <= columns.keys():
                        columns |= dict.fromkeys(filter(str.strip, row))
                if typed:
                    types |= types_in(rows, filter(kinds.is_value, columns), types)
                for row in rows if has_bytes else ():
                    encoded |= {name for name, value in row.items() if type(value) in BYTES}
    return columns, types, set(filter(kinds.is_text, encoded))


def _parsed(line: bytes, loads: Callable[[bytes], Any], path: Path, number: int) -> Any:
    try:
        return loads(line)
    except ValueError:
        table = ParsedLoadJobFileName.parse(path.name).table_name
        raise SourceError(
            f"Line {number} of a file that was imported into table {table!r} is not valid JSON.",
            remedy="Correct the file, with one row per line.",
        ) from None


def _write_as_text(path: Path, values: AbstractSet[str], encoded: AbstractSet[str]) -> None:
    """Write a file again, with all values of some columns, and bytes of others, as text; the file
    is there throughout.

    What a kill leaves of the new one goes with the package, and with `erase`.
    """
    part = path.parent.with_name(f".{path.name}")
    # what a kill has left of it is overwritten
    handle = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    try:
        with path.open("rb") as raw, unzipped(raw) as file:
            zipped = isinstance(file, gzip.GzipFile)
            written = os.fdopen(handle, "wb")
            with written, _zipped(written) if zipped else written as out:
                for line in file:
                    json.typed_dump(_with_texts(json.typed_loadb(line), values, encoded), out)
                    out.write(b"\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _zipped(file: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", gzip.GzipFile(fileobj=file, mode="wb"))


def _with_texts(rows: Any, values: AbstractSet[str], encoded: AbstractSet[str]) -> Any:
    for row in rows if isinstance(rows, list) else [rows]:
        if isinstance(row, dict):
            for name in (values | encoded) & row.keys():
                if name in values or type(row[name]) in BYTES:
                    row[name] = value_text(row[name])
    return rows
