"""Text columns for a plain `pipeline.run()` of rows in dicts.

Without `bunce_adapter` or `flush_and_run`, no code of this package sees rows during extraction. So
before dlt infers types from the extracted files, their column names are read and declared, and
values of attributes and segments are written as text, as `MappedRows` would have done.
"""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.json import json
from dlt.common.storages.load_package import ParsedLoadJobFileName

from dlt_bunce.destination.access import client_of
from dlt_bunce.destination.adapter import MAPPING_HINT, TABLE_HINT, hint_of
from dlt_bunce.destination.load_files import unzipped
from dlt_bunce.destination.mapped_rows import ColumnKinds
from dlt_bunce.destination.table_mapping import with_configured
from dlt_bunce.destination.wanted_targets import given_for
from dlt_bunce.errors import BunceError
from dlt_bunce.records.value_texts import value_text

if TYPE_CHECKING:
    from dlt import Pipeline

    from dlt_bunce.destination.configuration import BunceConfiguration


_KINDS = ("attributes", "segments")


def declare_texts(pipeline: Pipeline) -> None:
    """Declare mapped columns of extracted customers tables as text in the pipeline's schema, and
    write their attribute values as text.
    """
    try:
        config = client_of(pipeline).config
    except (BunceError, ConfigurationException):
        return  # the load reports why
    packages = pipeline._get_normalize_storage().extracted_packages  # noqa: SLF001, dlt has no public access
    for load_id in packages.list_packages():
        schema = pipeline.schemas[packages.schema_name(load_id)]
        for file in packages.list_new_jobs(load_id):
            job = ParsedLoadJobFileName.parse(file)
            table: Any = schema.tables.get(job.table_name, {})
            ours = job.table_name in config.own_tables or table.get(TABLE_HINT)
            if not ours or "jsonl" not in job.file_format or _is_declared(table, job, config):
                continue
            hint = with_configured(hint_of(table), job.table_name, config)
            configured = {} if hint.get("values_only") else config.mapping or {}
            mapping = {**configured, **hint.get("columns", {})}
            kinds = ColumnKinds(mapping, *given_for(hint, config))
            path = Path(packages.storage.make_full_path(file))
            texts = [name for name in _columns(path) if kinds.is_text(name)]
            columns: Any = {name: {"name": name, "data_type": "text"} for name in texts}
            schema.update_table({"name": job.table_name, "columns": columns})
            packages.save_schema(load_id, schema)
            values = set(filter(kinds.is_value, texts))
            if values:
                _write_as_text(path, values, Path(pipeline.working_dir))


def _is_declared(table: Any, job: ParsedLoadJobFileName, config: BunceConfiguration) -> bool:
    """Return whether an adapter has seen the rows, and knew all columns that count."""
    own = config.values_hint(job.table_name)
    configured = own or {n: getattr(config, n) for n in _KINDS if getattr(config, n)}
    return MAPPING_HINT in table and hint_of(table).keys() >= configured.keys()


def _columns(path: Path) -> dict[str, None]:
    """Return the column names in order of first occurrence."""
    found: dict[str, None] = {}
    with path.open("rb") as raw, unzipped(raw) as file:
        for line in file:
            rows = json.loadb(line)
            for row in rows if isinstance(rows, list) else [rows]:
                if isinstance(row, dict) and not row.keys() <= found.keys():
                    found |= dict.fromkeys(row)
    return found


def _write_as_text(path: Path, columns: AbstractSet[str], folder: Path) -> None:
    """Write a file again, with the values of some columns as text; the file is there throughout."""
    handle, name = tempfile.mkstemp(dir=folder)
    try:
        with path.open("rb") as raw, unzipped(raw) as file:
            zipped = isinstance(file, gzip.GzipFile)
            written = os.fdopen(handle, "wb")
            with written, _zipped(written) if zipped else written as out:
                for line in file:
                    json.typed_dump(_with_texts(json.typed_loadb(line), columns), out)
                    out.write(b"\n")
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _zipped(file: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", gzip.GzipFile(fileobj=file, mode="wb"))


def _with_texts(rows: Any, columns: AbstractSet[str]) -> Any:
    for row in rows if isinstance(rows, list) else [rows]:
        if isinstance(row, dict):
            for name in columns & row.keys():
                row[name] = value_text(row[name])
    return rows
