"""Which columns of a table feed which attributes and segments, as its mapping and settings say."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from dlt_bunce.destination.mapped_rows import SHOWN_HINT
from dlt_bunce.errors import MappingError
from dlt_bunce.records.cells import LETTER_ID
from dlt_bunce.records.paths import column_of_path
from dlt_bunce.records.schema import VARIANT
from dlt_bunce.records.targets import KINDS, Kind

if TYPE_CHECKING:
    from dlt.common.destination.typing import PreparedTableSchema

    from dlt_bunce.destination.configuration import BunceConfiguration

ALL: Literal["*"] = "*"


class Given(NamedTuple):
    """Column to attribute's name, or "*", and boolean column to segment's name, as given."""

    attributes: Mapping[str, str] | Literal["*"]
    segments: Mapping[str, str]


@dataclass(frozen=True)
class Wanted:
    """Column to attribute's name, and boolean column to segment's name.

    `hinted` are the kinds that the table's own mapping hint gives, not the configuration.
    """

    attributes: Mapping[str, str]
    segments: Mapping[str, str]
    hinted: Collection[Kind] = ()

    def __bool__(self) -> bool:
        return bool(self.attributes or self.segments)

    @property
    def by_kind(self) -> dict[Kind, Mapping[str, str]]:
        """The kinds that the table feeds."""
        both: dict[Kind, Mapping[str, str]] = {
            "attributes": self.attributes,
            "segments": self.segments,
        }
        return {kind: given for kind, given in both.items() if given}


def given_for(hint: Mapping[str, Any], config: BunceConfiguration) -> Given:
    """Return what is given for a table: by its mapping hint, or else by the configuration, whose
    attributes and segments are those of customers.
    """
    values_only = hint.get("values_only", False)
    attributes = hint.get("attributes", {} if values_only else config.attributes or {})
    segments = hint.get("segments", {} if values_only else config.segments or {})
    return Given(decoded_attributes(attributes), segments)


def wanted_of(
    table: PreparedTableSchema,
    hint: Mapping[str, Any],
    config: BunceConfiguration,
    mapped: Collection[str],
) -> Wanted:
    """Return what a table feeds: by its mapping hint, or else by the configuration.

    `mapped` are the columns of the customer's own fields. Raises MappingError for a column that
    does not exist, and for two columns of one attribute or segment.
    """
    columns = [name for name in table["columns"] if not name.startswith("_dlt_")]
    attributes, segments = given_for(hint, config)
    if attributes == ALL:
        attributes = unmapped(columns, mapped, segments)
    for given in (attributes, segments):
        _refuse_absent(given, columns, table)
        _refuse_shared(given)
    return Wanted(attributes, segments, [kind for kind in KINDS if kind in hint])


def wanted_in(attributes: Any, segments: Any) -> Wanted:
    """Return what the settings name: of "*" nothing, since columns are known by a load only.

    Raises MappingError.
    """
    named = decoded_attributes(attributes)
    return Wanted({} if isinstance(named, str) else named, segments or {})


def unmapped(
    columns: Sequence[str], mapped: Collection[str], segments: Collection[str]
) -> dict[str, str]:
    """Return each column that feeds nothing else, under its own name."""
    taken = {column.split(".")[0] for column in mapped} | {LETTER_ID, *segments}
    found = (c for c in columns if c not in taken and VARIANT not in c)
    return {column: column for column in found if not column.startswith("_dlt_")}


def decoded_attributes(given: Any) -> Mapping[str, str] | Literal["*"]:
    """Return column to attribute's name, or "*": an environment variable holds JSON.

    Raises MappingError for text that is neither.
    """
    if given == ALL or not isinstance(given, str):
        return given or {}
    try:
        found = json.loads(given)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise MappingError(
            'The setting attributes is neither a table nor "*".',
            remedy='For example: attributes = { plan = "Plan" }',
        )
    return found


def _refuse_absent(
    given: Mapping[str, str], columns: Sequence[str], table: PreparedTableSchema
) -> None:
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
