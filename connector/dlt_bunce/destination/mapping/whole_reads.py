"""Whether a load package holds all of its source: only then does it show who is absent.

dlt tells a resource's steps just before it reads the source, so that is when it is noted, in the
state of the load package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from dlt.common.configuration.container import Container
from dlt.common.configuration.exceptions import ContextDefaultCannotBeCreated
from dlt.common.storages.load_package import LoadPackageStateInjectableContext
from dlt.extract.incremental import Incremental, IncrementalResourceWrapper
from dlt.extract.items_transform import ItemTransform, LimitItem
from dlt.extract.source import SourceInjectableContext

from dlt_bunce.errors import ConfigurationError
from dlt_bunce.records.cells import LETTER_ID

if TYPE_CHECKING:
    from dlt import Schema
    from dlt.common.destination.typing import PreparedTableSchema
    from dlt.common.typing import TDataItems
    from dlt.extract import DltResource

_STATE = "bunce_reads"
_NOT_SEEN = (
    "its rows passed neither bunce_adapter() nor flush_and_run(), so how they were read is unknown"
)
_DISCARDING = frozenset({"discard_row", "discard_value"})

if TYPE_CHECKING:
    _Transform = ItemTransform[Any]
else:
    _Transform = ItemTransform


class PartialRead(_Transform):
    """Step that does nothing but say why its resource reads a part of the source."""

    def __init__(self, reason: str) -> None:
        super().__init__(lambda item: item)
        self.reason = reason

    def __call__(self, item: TDataItems, meta: Any = None) -> TDataItems:
        """Return the item."""
        return item


def read_in_part(resource: DltResource, reason: str) -> DltResource:
    """Note that a resource reads only a part of its source, and why."""
    return resource.add_step(PartialRead(reason))


def note_read(pipe: Any) -> None:
    """Note how a pipe reads its source, while it is extracted."""
    try:
        package = Container()[LoadPackageStateInjectableContext]
        source = Container()[SourceInjectableContext].source
    except ContextDefaultCannotBeCreated:
        return  # somebody looks at the rows without loading them
    resource = source.resources.get(pipe.name)
    table: Any = None if resource is None else resource.table_name
    if isinstance(table, str):
        table = source.schema.naming.normalize_table_identifier(table)
    else:
        table = None  # a function of the rows
    state = cast("dict[str, Any]", package.state)
    known = state.setdefault(_STATE, {})
    known[pipe.name] = {"table": table, "partial": next(_partial(pipe), None)}


def _partial(pipe: Any) -> Iterator[str]:
    while pipe is not None:
        for step in pipe.steps:
            if isinstance(step, PartialRead):
                yield step.reason
            elif isinstance(step, LimitItem):
                yield f"resource {pipe.name!r} has a limit"
            elif _is_incremental(step):
                yield f"resource {pipe.name!r} is incremental"
        pipe = pipe.parent


def _is_incremental(step: object) -> bool:
    if isinstance(step, IncrementalResourceWrapper):
        return step.incremental is not None
    return isinstance(step, Incremental)


def refuse_partial(schema: Schema, tables: Sequence[PreparedTableSchema]) -> None:
    """Refuse tables that are declared whole, of which the load package may hold a part only.

    Raises ConfigurationError.
    """
    for table in tables:
        reason = why_partial(schema, table)
        if reason is not None:
            raise ConfigurationError(
                f"segments_whole is set for table {table['name']!r}, but {reason}: whoever is "
                "absent may only not have been read.",
                remedy="Read the whole source with bunce_adapter() or flush_and_run(), or do not "
                "declare it whole: segments_whole = false, or --no-segments-whole on the command "
                "line.",
            )


def is_partial(schema: Schema, table: PreparedTableSchema) -> bool:
    """Return whether the load package is known to hold only a part of a table's source."""
    return why_partial(schema, table) not in {None, _NOT_SEEN}


def why_partial(schema: Schema, table: PreparedTableSchema) -> str | None:
    """Return why the load package may hold only a part of a table's source, if so."""
    state = cast("Mapping[str, Any]", Container()[LoadPackageStateInjectableContext].state)
    reads: Mapping[str, Mapping[str, str | None]] = state.get(_STATE, {})
    if LETTER_ID in table["columns"]:
        return f"its column {LETTER_ID} shows that its rows are corrected dead letters"
    contract: Any = schema.resolve_contract_settings_for_table(table["name"] or "")
    if _DISCARDING & {contract["columns"], contract["data_type"]}:
        return "its schema contract discards rows or values"
    own = [
        read
        for name, read in reads.items()
        if read["table"] in {None, table["name"]} or name == table.get("resource")
    ]
    if not own:
        return _NOT_SEEN
    return next((read["partial"] for read in own if read["partial"]), None)
