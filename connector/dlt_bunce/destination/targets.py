"""Which columns of a table feed which attributes and segments of Bunce."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from dlt_bunce.api.observer import RequestInfo
from dlt_bunce.api.reply import Reply
from dlt_bunce.api.targets import create_attribute, list_all
from dlt_bunce.destination.adapter import targets_hint
from dlt_bunce.errors import MappingError
from dlt_bunce.logs import logger
from dlt_bunce.records.cells import LETTER_ID
from dlt_bunce.records.paths import column_of_path
from dlt_bunce.records.schema import VARIANT
from dlt_bunce.records.targets import Kind, Target, Targets
from dlt_bunce.store.targets import Known, slots_of

if TYPE_CHECKING:
    from dlt.common.destination.typing import PreparedTableSchema

    from dlt_bunce.api.client import Session
    from dlt_bunce.destination.client import BunceClient
    from dlt_bunce.destination.configuration import BunceConfiguration

ALL: Literal["*"] = "*"
_TYPES = {"bigint": "numeric", "double": "numeric", "decimal": "numeric"}
_TYPES |= {"timestamp": "timestamp", "date": "timestamp"}
_NO_MOMENTS = frozenset({"bigint", "double", "decimal", "bool", "time"})
_MISFITS: Mapping[str, Collection[str]] = {
    "numeric": frozenset({"timestamp", "date", "time", "bool"}),
    "timestamp": _NO_MOMENTS,
    "date": _NO_MOMENTS,
    "boolean": frozenset({"timestamp", "date", "time"}),
}
"""Types of columns, by the attribute's type, of which no value can ever fit."""
_MANUAL = "manual"


@dataclass(frozen=True)
class Wanted:
    """Column to attribute's name, and boolean column to segment's name."""

    attributes: Mapping[str, str]
    segments: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.attributes or self.segments)


def wanted_of(
    table: PreparedTableSchema, config: BunceConfiguration, mapped: Collection[str]
) -> Wanted:
    """Return what a table feeds: by its hint, or else by the configuration.

    `mapped` are the columns of the customer's own fields. Raises MappingError for a column that
    does not exist, and for two columns of one attribute or segment.
    """
    hint = targets_hint(table)
    columns = [name for name in table["columns"] if not name.startswith("_dlt_")]
    segments = hint.get("segments", config.segments or {})
    attributes = attributes_in(hint, config)
    if isinstance(attributes, str):
        attributes = unmapped(columns, mapped, segments)
    for given in (attributes, segments):
        _refuse_absent(given, columns, table)
        _refuse_shared(given)
    return Wanted(attributes, segments)


def attributes_in(
    hint: Mapping[str, Any], config: BunceConfiguration
) -> Mapping[str, str] | Literal["*"]:
    """Return column to attribute's name, or "*": by a table's hint, or else as configured."""
    found = hint.get("attributes", config.attributes or {})
    return decoded(found) if isinstance(found, str) and found != ALL else found


def unmapped(
    columns: Sequence[str], mapped: Collection[str], segments: Collection[str]
) -> dict[str, str]:
    """Return each column that feeds nothing else, under its own name."""
    taken = {column.split(".")[0] for column in mapped} | {LETTER_ID, *segments}
    found = (c for c in columns if c not in taken and VARIANT not in c)
    return {column: column for column in found if not column.startswith("_dlt_")}


def resolve_targets(client: BunceClient, tables: Sequence[PreparedTableSchema]) -> None:
    """Find the attributes and segments of tables in Bunce, and keep them for the tables' jobs.

    Raises MappingError for those that Bunce does not have, or that a column does not fit.
    """
    for table in tables:
        client.context.targets.pop(_key(client, table), None)
        targets_for(client, table)


def targets_for(client: BunceClient, table: PreparedTableSchema) -> Targets | None:
    """Return the attributes and segments that a table feeds, if any.

    They are found once: dlt does not verify a package again that it goes on with.
    """
    key, found = _key(client, table), client.context.targets
    if key not in found:
        found[key] = _resolved(client, table)
    return found[key]


def _key(client: BunceClient, table: PreparedTableSchema) -> tuple[str, str]:
    return client.pipeline_name, table["name"] or ""


def _resolved(client: BunceClient, table: PreparedTableSchema) -> Targets | None:
    if all(column.startswith("_dlt_") for column in table["columns"]):
        return None
    mapping = client.mapping(table, list(table["columns"]))
    mapped = {*mapping.columns.values(), *([mapping.version] if mapping.version else [])}
    wanted = wanted_of(table, client.config, mapped)
    return targets_in_bunce(client, table, wanted) if wanted else None


def targets_in_bunce(
    client: BunceClient, table: PreparedTableSchema, wanted: Wanted, *, create: bool | None = None
) -> Targets:
    """Return the targets as Bunce lists them; create attributes where `create` says so, or else
    the configuration.
    """
    if create is None:
        create = client.config.create_attributes
    with closing(client.session()) as session:
        found = _found(session, table, wanted, create=create)
        sent = client.context.preflights.setdefault(client.pipeline_name, [])
        sent.append(session.take_traffic())
    with client.database() as db:
        slots = slots_of(db, client.config.account, [known for _, known in found])
    items = tuple(
        Target(kind, column, known.name, known.id, known.data_type, slots[kind, known.id])
        for column, known in found
        for kind in (_kind(known),)
    )
    return Targets(tuple(sorted(items, key=lambda target: target.slot)), client.config.timezone)


def _found(
    session: Session, table: PreparedTableSchema, wanted: Wanted, *, create: bool
) -> list[tuple[str, Known]]:
    found: list[tuple[str, Known]] = []
    if wanted.attributes:
        listed = list_all(session.get, "/attributes")
        missing = _missing(wanted.attributes, listed)
        if missing and create:
            for column in missing:
                name, data_type = wanted.attributes[column], column_type(table, column)
                listed.append(create_attribute(_post(session), name, data_type))
                logger().info("attribute.created", name=name, data_type=data_type)
        elif missing:
            raise _unknown("attribute", wanted.attributes, missing, listed)
        for column, name in wanted.attributes.items():
            item = _only("attribute", name, listed)
            known = Known("attributes", str(item["id"]), name, str(item.get("data_type", "text")))
            _refuse_misfit(table, column, known)
            found.append((column, known))
    if wanted.segments:
        listed = list_all(session.get, "/segments")
        missing = _missing(wanted.segments, listed)
        if missing:
            raise _unknown("segment", wanted.segments, missing, listed)
        for column, name in wanted.segments.items():
            item = _only("segment", name, listed)
            if str(item.get("type", _MANUAL)) != _MANUAL:
                raise MappingError(
                    f"The segment {name!r} is automatic: Bunce decides who is a member.",
                    remedy="Use a manual segment, or remove it from the segments.",
                )
            known = Known("segments", str(item["id"]), name, "boolean")
            _refuse_misfit(table, column, known)
            found.append((column, known))
    return found


def column_type(table: PreparedTableSchema, column: str) -> str:
    """Return the type of the attribute that a column would make."""
    from dlt_bunce.destination.mapped_rows import VALUES_HINT

    values: Any = table.get(VALUES_HINT) or {}
    if column in values:
        return str(values[column])
    own: Any = table["columns"].get(column_of_path(column, list(table["columns"])) or column, {})
    return _TYPES.get(own.get("data_type") or "", "text") if own.get("name") == column else "text"


def _post(session: Session) -> Any:
    def post(path: str, body: bytes) -> Reply | None:
        question = RequestInfo("POST", path, "values")
        return session.deliver(question, path, body, lambda: False)

    return post


def _kind(known: Known) -> Kind:
    return "attributes" if known.kind == "attributes" else "segments"


def decoded(text: str) -> dict[str, str]:
    """Return the table that the setting attributes holds as JSON. Raises MappingError."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise MappingError(
            'The setting attributes is neither a table nor "*".',
            remedy='For example: attributes = { plan = "Plan" }',
        )
    return found


def _missing(wanted: Mapping[str, str], listed: Sequence[Mapping[str, Any]]) -> list[str]:
    names = {item["name"] for item in listed}
    return [column for column, name in wanted.items() if name not in names]


def _unknown(
    noun: str, wanted: Mapping[str, str], missing: Sequence[str], listed: Sequence[Any]
) -> MappingError:
    names = ", ".join(repr(wanted[column]) for column in missing)
    there = ", ".join(sorted(str(item["name"]) for item in listed)) or "none"
    create = " set create_attributes = true to have it created," if noun == "attribute" else ""
    return MappingError(
        f"Bunce has no {noun} {names}. It has: {there}. Nothing was sent.",
        remedy=f"Write the name as Bunce has it,{create} or create it in Bunce's dashboard.",
    )


def _only(noun: str, name: str, listed: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    found = [item for item in listed if item["name"] == name]
    if len(found) > 1:
        raise MappingError(
            f"Bunce has {len(found)} {noun}s called {name!r}, so it is unclear which is meant.",
            remedy="Rename or delete all but one in Bunce's dashboard.",
        )
    return found[0]


def _refuse_misfit(table: PreparedTableSchema, column: str, known: Known) -> None:
    """Raise MappingError for a column whose values can never be of the attribute's type."""
    own: Any = table["columns"].get(column, {})
    kind = own.get("data_type")
    if kind in _MISFITS.get(known.data_type, ()):
        raise MappingError(
            f"Column {column!r} is of type {kind}, but {known.name!r} takes {known.data_type} "
            "values.",
            remedy="Use another column, or convert it at the source.",
        )


def _refuse_absent(
    given: Mapping[str, str], columns: Sequence[str], table: PreparedTableSchema
) -> None:
    from dlt_bunce.destination.mapped_rows import SHOWN_HINT

    hint: Any = table.get(SHOWN_HINT) or {}
    known = [*columns, *hint.get("columns", [])]
    for column, name in given.items():
        if column_of_path(column, known) is None:
            raise MappingError(
                f"Column {column!r}, for {name!r}, does not exist.",
                columns=columns,
                remedy="Use one of these columns, or remove it from the attributes or segments.",
            )


def _refuse_shared(given: Mapping[str, str]) -> None:
    for name in given.values():
        columns = [column for column, other in given.items() if other == name]
        if len(columns) > 1:
            raise MappingError(
                f"Columns {', '.join(map(repr, columns))} are all given for {name!r}.",
                remedy="Use one column for each attribute and segment.",
            )
