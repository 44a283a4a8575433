"""A plain `pipeline.run()` of rows in dicts: mapped columns are text there, too.

Without `bunce_adapter` or `flush_and_run`, nothing of ours sees rows on their way through the
extraction. So before dlt infers types from what it has extracted, the names in it are read, and
declared as `MappedRows` would have declared them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.json import json
from dlt.common.storages.load_package import ParsedLoadJobFileName

from dlt_bunce.destination.access import client_of
from dlt_bunce.destination.adapter import MAPPING_HINT, TABLE_HINT
from dlt_bunce.destination.load_files import unzipped
from dlt_bunce.destination.mapped_rows import ColumnKinds
from dlt_bunce.errors import BunceError

if TYPE_CHECKING:
    from dlt import Pipeline


def declare_texts(pipeline: Pipeline) -> None:
    """Declare mapped columns of extracted tables of customers as text, in the pipeline's schema."""
    try:
        config = client_of(pipeline).config
    except (BunceError, ConfigurationException):
        return  # the load tells why
    kinds = ColumnKinds(config.mapping or {})
    packages = pipeline._get_normalize_storage().extracted_packages  # noqa: SLF001, dlt has no other way
    for load_id in packages.list_packages():
        schema = pipeline.schemas[packages.schema_name(load_id)]
        for file in packages.list_new_jobs(load_id):
            name = ParsedLoadJobFileName.parse(file)
            table: Any = schema.tables.get(name.table_name, {})
            ours = name.table_name in config.customers_tables or table.get(TABLE_HINT)
            # those of an adapter were declared on their way
            if not ours or MAPPING_HINT in table or "jsonl" not in name.file_format:
                continue
            path = Path(packages.storage.make_full_path(file))
            texts = {column for column in _columns(path) if kinds.is_text(column)}
            columns: Any = {one: {"name": one, "data_type": "text"} for one in texts}
            schema.update_table({"name": name.table_name, "columns": columns})
            packages.save_schema(load_id, schema)


def _columns(path: Path) -> set[str]:
    found: set[str] = set()
    with path.open("rb") as raw, unzipped(raw) as file:
        for line in file:
            rows = json.loadb(line)
            for row in rows if isinstance(rows, list) else [rows]:
                if isinstance(row, dict):
                    found |= row.keys()
    return found
