"""Text columns for a plain `pipeline.run()` of rows in dicts.

Without `bunce_adapter` or `flush_and_run`, no code of this package sees rows during extraction. So
before dlt infers types from the extracted files, their column names are read and declared as
`MappedRows` would have declared them.
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
    """Declare mapped columns of extracted customers tables as text in the pipeline's schema."""
    try:
        config = client_of(pipeline).config
    except (BunceError, ConfigurationException):
        return  # the load reports why
    kinds = ColumnKinds(config.mapping or {})
    packages = pipeline._get_normalize_storage().extracted_packages  # noqa: SLF001, dlt has no public access
    for load_id in packages.list_packages():
        schema = pipeline.schemas[packages.schema_name(load_id)]
        for file in packages.list_new_jobs(load_id):
            job = ParsedLoadJobFileName.parse(file)
            table: Any = schema.tables.get(job.table_name, {})
            ours = job.table_name in config.customers_tables or table.get(TABLE_HINT)
            # tables with an adapter were declared during extraction
            if not ours or MAPPING_HINT in table or "jsonl" not in job.file_format:
                continue
            path = Path(packages.storage.make_full_path(file))
            texts = filter(kinds.is_text, _columns(path))
            columns: Any = {name: {"name": name, "data_type": "text"} for name in texts}
            schema.update_table({"name": job.table_name, "columns": columns})
            packages.save_schema(load_id, schema)


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
