"""Which columns of a table feed which attributes and segments, as its mapping and settings say."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from dlt_bunce.destination.mapping.mapped_rows import SHOWN_HINT
from dlt_bunce.errors import MappingError
from dlt_bunce.records.cells import LETTER_ID
from dlt_bunce.records.mapping.matching import as_spelled
from dlt_bunce.records.mapping.schema import VARIANT
from dlt_bunce.records.unreadable import UNREADABLE
from dlt_bunce.records.values.targets import KINDS, SECTION, Kind

if TYPE_CHECKING:
    from dlt.common.destination.typing import PreparedTableSchema

    from dlt_bunce.destination.settings.configuration import BunceConfiguration

ALL: Literal["*"] = "*"
_COMBINE = "Feed each attribute and segment from one table, or combine the tables into one."


class Given(NamedTuple):
    """Column to attribute's name, or "*", and boolean column to segment's name, as given."""

    attributes: Mapping[str, str] | Literal["*"]
    segments: Mapping[str, str]


@dataclass(frozen=True)
class Wanted:
    """Column to attribute's name, and boolean column to segment's name.

    `hinted` are the kinds that the table's own mapping hint gives, not the configuration. `whole`:
    a member of the segments whom the table does not have as true is removed; `values_only`: rows
    hold values of customers whom others bring; `section` is that of the settings for the table.
    """

    attributes: Mapping[str, str]
    segments: Mapping[str, str]
    hinted: Collection[Kind] = ()
    whole: bool = False
    values_only: bool = False
    section: str = SECTION

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
    attributes, segments = (_spelled(given, columns, table) for given in (attributes, segments))
    for given in (attributes, segments):
        _refuse_shared(given)
    values_only = bool(hint.get("values_only"))
    whole = hint.get("segments_whole", False if values_only else config.segments_whole)
    if hint.get("segments_whole") and not segments:
        raise MappingError(
            f"Table {table['name']!r} is declared whole by segments_whole, but feeds no segment.",
            columns=columns,
            remedy='For example: segments={"is_vip": "VIP customers"} in bunce_adapter, or '
            '--segment is_vip="VIP customers" on the command line.',
        )
    hinted = [kind for kind in KINDS if kind in hint]
    section = values_section(table["name"] or "") if values_only else SECTION
    return Wanted(attributes, segments, hinted, bool(whole and segments), values_only, section)


def values_section(table_name: str) -> str:
    """Return the section of the settings for a table that holds values alone."""
    return f"{SECTION}.values_tables.{table_name}"


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
    taken = {column.split(".")[0] for column in mapped} | {LETTER_ID, UNREADABLE, *segments}
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


def refuse_written_twice(feeding: Sequence[tuple[PreparedTableSchema, Wanted]]) -> None:
    """Refuse tables of which one undoes what another one writes. Raises MappingError."""
    taken: dict[tuple[Kind, str], tuple[PreparedTableSchema, Wanted]] = {}
    for table, wanted in feeding:
        for kind, names in wanted.by_kind.items():
            for name in names.values():
                other, before = taken.setdefault((kind, name), (table, wanted))
                if other is table:
                    continue
                if wanted.values_only or before.values_only:
                    raise MappingError(
                        f"Tables {other['name']!r} and {table['name']!r} both feed {name!r}: of a "
                        "customer in both, it would be chance whose value stays.",
                        remedy=_COMBINE,
                    )
                if kind == "segments" and (wanted.whole or before.whole):
                    raise MappingError(
                        f"Tables {other['name']!r} and {table['name']!r} both feed {name!r}, and "
                        "one of them is declared whole by segments_whole: it would remove the "
                        "members of the other.",
                        remedy=_COMBINE,
                    )


def _spelled(
    given: Mapping[str, str], columns: Sequence[str], table: PreparedTableSchema
) -> dict[str, str]:
    """Return what is given, by columns as the table spells them. Raises MappingError."""
    hint: Any = table.get(SHOWN_HINT) or {}
    known = list(dict.fromkeys([*columns, *hint.get("columns", [])]))
    found: dict[str, str] = {}
    for column, name in given.items():
        spelled = as_spelled(column, known)
        if spelled is None:
            raise MappingError(
                f"Column {column!r}, for {name!r}, does not exist.",
                columns=columns,
                remedy="Use one of these columns, or remove it from the attributes or segments.",
            )
        if spelled in found:
            raise MappingError(
                f"Column {spelled!r} is given twice, for {found[spelled]!r} and {name!r}.",
                columns=columns,
                remedy="Use one column for each attribute and segment.",
            )
        found[spelled] = name
    return found


def _refuse_shared(given: Mapping[str, str]) -> None:
    for name in given.values():
        columns = [column for column, other in given.items() if other == name]
        if len(columns) > 1:
            raise MappingError(
                f"Columns {', '.join(map(repr, columns))} are all given for {name!r}.",
                remedy="Use one column for each attribute and segment.",
            )
