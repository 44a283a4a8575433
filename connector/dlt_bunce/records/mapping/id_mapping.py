"""Mapping of rows that hold values of customers whom another table brings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from dlt_bunce.errors import MappingError
from dlt_bunce.records.mapping.mapping import VERSION, FieldMapping, existing_columns
from dlt_bunce.records.mapping.schema import ColumnNames, names_of

_ID = "customer_id"


def resolve_id_mapping(
    columns: Sequence[str], hints: Mapping[str, ColumnNames], earlier: Sequence[str] = ()
) -> FieldMapping:
    """Map the customer's id by hint, or to a column of that name, and the version by hint, which
    may be a column that only earlier loads had.

    Other names are not taken for the id: a wrong one would write the values of other customers.
    Raises MappingError for a column that does not exist, for no column of the id, and for a hint of
    any other field.
    """
    own = tuple(column for column in columns if not column.startswith("_dlt_"))
    others = [name for name in hints if name not in {_ID, VERSION}]
    if others:
        raise MappingError(
            f"{', '.join(others)} cannot be mapped: rows with values_only hold values of customers "
            "whom another table brings.",
            remedy="Map customer_id alone, or load the rows as customers, without values_only.",
        )
    chosen = {
        name: existing_columns(name, names_of(wanted), own, "hint", earlier)
        for name, wanted in hints.items()
    }
    how = dict.fromkeys(chosen, "hint")
    if _ID not in chosen:
        if _ID not in own:
            raise MappingError(
                "No column is named for customer_id, which tells whose values a row holds.",
                columns=own,
                remedy='Name it: bunce_adapter(data, customer_id="…", values_only=True), or '
                "--map customer_id=… on the command line.",
            )
        chosen[_ID], how[_ID] = (_ID,), "name"
    first, *fallbacks = chosen[_ID]
    return FieldMapping(
        columns=MappingProxyType({_ID: first}),
        how=MappingProxyType(how),
        version=chosen[VERSION][0] if VERSION in chosen else None,
        fallbacks=MappingProxyType({_ID: tuple(fallbacks)} if fallbacks else {}),
        values_only=True,
    )
