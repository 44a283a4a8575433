"""Mapping hints that a run itself gives.

dlt keeps a table's hints until other values replace them, and has no call that removes them. So
after an extraction, hints are removed that none of its resources carries: a script that no longer
calls `bunce_adapter` is not loaded with the mapping of one that did.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from dlt.common.storages.load_package import PackageStorage, ParsedLoadJobFileName
from dlt.extract import DltResource, DltSource

from dlt_bunce.destination.folder.pending_packages import has_pending
from dlt_bunce.destination.mapping.adapter import (
    DIFFERING_HINT,
    KEY_HINT,
    MAPPING_HINT,
    TABLE_HINT,
    hint_given,
    hint_of,
)
from dlt_bunce.destination.mapping.mapped_rows import SHOWN_HINT, VALUES_HINT
from dlt_bunce.logs import logger

if TYPE_CHECKING:
    from dlt import Pipeline, Schema
    from dlt.common.pipeline import ExtractInfo

    from dlt_bunce.destination.runs.run_context import Hints

_OF_ROWS = (SHOWN_HINT, VALUES_HINT)
_OURS = (TABLE_HINT, MAPPING_HINT, *_OF_ROWS)


def forget_earlier(pipeline: Pipeline, info: ExtractInfo) -> None:
    """Remove hints from tables of which no resource that was extracted carries them."""
    packages = pipeline._get_normalize_storage().extracted_packages  # noqa: SLF001, dlt has no public access
    for load_id in info.loads_ids:
        for metrics in info.metrics[load_id]:
            schema = schema_in_memory(pipeline, metrics["schema_name"])
            if _forget_in(schema, metrics["hints"]):
                packages.save_schema(load_id, schema)
                pipeline._schema_storage.commit_live_schema(schema.name)  # noqa: SLF001


def schema_in_memory(pipeline: Pipeline, name: str) -> Schema:
    """Return a schema as the step that has just ended left it; `pipeline.schemas` would parse its
    file once more.
    """
    storage: Any = pipeline.schemas
    live: Schema | None = storage.live_schemas.get(name)
    return pipeline.schemas[name] if live is None else live


def _forget_in(schema: Schema, hints: Mapping[str, Mapping[str, Any]]) -> bool:
    """Remove the hints, given those of the resources by name, and note where resources give one
    table different mappings; return whether that changed anything.
    """
    found = False
    for name, table in schema.tables.items():
        feeding = {
            resource: own.get("additional_table_hints") or {}
            for resource, own in hints.items()
            if resource == table.get("resource") or own.get("table_name", resource) == name
        }
        if not feeding:
            continue
        gone = [hint for hint in _OURS if not any(hint in own for own in feeding.values())]
        if MAPPING_HINT not in gone and not any(
            hints[resource].get("table_name", resource) == name for resource in feeding
        ):
            # rows name this table, and dlt does not tell which hints came with them
            gone = [hint for hint in gone if hint not in _OF_ROWS]
        properties: dict[str, Any] = table  # type: ignore[assignment]
        for hint in gone:
            found |= properties.pop(hint, None) is not None
        found |= _note(properties, DIFFERING_HINT, _differing(feeding))
        found |= _note(properties, KEY_HINT, _key_of(hints[name] for name in feeding))
    return found


def _note(table: dict[str, Any], hint: str, value: list[str]) -> bool:
    """Set a hint of a table, or remove it without a value; return whether that changed it."""
    before = table.pop(hint, [])
    if value:
        table[hint] = value
    return bool(value != before)


def _differing(feeding: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return which resources give a table different mappings, of which dlt keeps the last."""
    given = {resource: hint_of(own) for resource, own in feeding.items() if MAPPING_HINT in own}
    for hint in given.values():
        hint.pop("by_names", None)
    differ = any(hint != next(iter(given.values())) for hint in given.values())
    return sorted(given) if differ else []


def _key_of(hints: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the first primary key of several columns, which dlt would merge with earlier ones."""
    keys = (own.get("primary_key") for own in hints)
    return next((list(k) for k in keys if isinstance(k, (list, tuple)) and len(k) > 1), [])


def hints_for_left_overs(pipeline: Pipeline) -> Hints:
    """Return the mapping hints that a `pipeline.run()` gives for tables that an earlier run has
    left over: dlt loads these rows instead of its data.
    """
    return hints_of_data(pipeline, *_arguments_of_run(pipeline))


def hints_of_data(pipeline: Pipeline, data: Any, table_name: Any = None) -> Hints:
    """Return the mapping hints that `data` gives for tables that an earlier run has left over, if
    it is loaded into `table_name`, or the tables of its resources.

    Logs each table that is loaded with its earlier mapping, since the run does not give another.
    """
    if not has_pending(pipeline):
        return {}
    left_over = {name: table for schema in _pending(pipeline) for name, table in schema.items()}
    given = _hints_of(data, table_name, tables=left_over)
    for name, (load_id, table) in left_over.items():
        earlier = hint_of(table)
        if name not in given and earlier.get("columns"):
            logger().warning(
                "load.earlier_mapping",
                pipeline=pipeline.pipeline_name,
                table=name,
                columns=earlier["columns"],
                read_at=_time_of(load_id),
            )
    return given


def latest_hints(pipeline: Pipeline) -> Hints:
    """Return the mapping hints of the latest extraction, by table."""
    found = [pipeline.schemas[name].tables for name in pipeline.schema_names]
    return {name: hint_of(table) for tables in found for name, table in tables.items()}


def _pending(pipeline: Pipeline) -> Iterator[dict[str, tuple[str, Mapping[str, Any]]]]:
    """Yield the tables with rows of each pending package, with the package's load id."""
    extracted = pipeline._get_normalize_storage().extracted_packages  # noqa: SLF001
    normalized = pipeline._get_load_storage().normalized_packages  # noqa: SLF001
    for packages in (normalized, extracted):
        if not packages.storage.has_folder("."):
            continue  # nothing has been normalized yet
        for load_id in packages.list_packages():
            tables = packages.load_schema(load_id).tables
            found = {name for name in _names_in(packages, load_id) if name in tables}
            yield {name: (load_id, tables[name]) for name in sorted(found)}


def _names_in(packages: PackageStorage, load_id: str) -> Iterator[str]:
    started = packages.list_started_jobs(load_id)
    for file in [*packages.list_new_jobs(load_id), *started]:
        name = ParsedLoadJobFileName.parse(file).table_name
        if not name.startswith("_dlt_"):
            yield name


def _hints_of(data: Any, table_name: Any, *, tables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the mapping hints of what a run was given; of no data, none."""
    found: dict[str, Any] = {}
    for item in data if isinstance(data, Sequence) and not isinstance(data, str) else [data]:
        if isinstance(item, DltSource):
            resources = list(item.selected_resources.values())
        elif isinstance(item, DltResource):
            resources = [item]
        elif item is None:
            continue
        else:  # rows, which carry no hint
            return {name: {} for name in ([table_name] if table_name else tables)} | found
        for resource in resources:
            # what rows are of may be told by them, or by a function: then dlt knows by whom
            named = [name for name, (_, t) in tables.items() if t.get("resource") == resource.name]
            for name in (str(table_name or resource.table_name), *named):
                found[name] = hint_given(resource)
    return found


def _arguments_of_run(pipeline: Pipeline) -> tuple[Any, Any]:
    """Return the data and the table name that `pipeline.run()` was called with.

    dlt does not give them to its hooks, so they are taken from its own frame on the stack.
    """
    run: Any = type(pipeline).run
    frame = sys._getframe(1)  # noqa: SLF001
    while frame is not None:
        local = frame.f_locals
        if frame.f_code is run.__code__ and local.get("self") is pipeline:
            call = inspect.signature(run).bind(pipeline, *local["args"], **local["kwargs"])
            return call.arguments.get("data"), call.arguments.get("table_name")
        frame = frame.f_back  # type: ignore[assignment]
    return None, None


def _time_of(load_id: str) -> str:
    return datetime.fromtimestamp(float(load_id), timezone.utc).isoformat(timespec="seconds")
