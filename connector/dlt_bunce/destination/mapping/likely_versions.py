"""Columns that may show which of several rows with one id is newest, if no version is mapped."""

from __future__ import annotations

import re
from collections.abc import Iterable
from shlex import quote
from typing import TYPE_CHECKING

from dlt_bunce.destination.mapping.adapter import TABLE_HINT, mapping_hint
from dlt_bunce.records.mapping.mapping import VERSION

if TYPE_CHECKING:
    from dlt.common.schema import Schema

    from dlt_bunce.destination.settings.configuration import BunceConfiguration

_GROWS = re.compile(
    r"updat|modif|chang|version|revision|timestamp|sync|load(ed)?_?(at|on|time)|valid_?from|"
    r"effective|_(at|ts|on)$|_?(seq|lsn)$"
)
_STAYS = re.compile(r"creat|insert|delet|birth|born|sign|regist|archiv|expir")


def likely_versions(schema: Schema, config: BunceConfiguration) -> dict[str, list[str]]:
    """Return a sentence for each table that has such columns and no version, under the code of the
    warning; an empty dict if there are none.
    """
    found = []
    for name, table in schema.tables.items():
        if name not in config.customers_tables and not table.get(TABLE_HINT):
            continue
        if VERSION in {**(config.mapping or {}), **mapping_hint(table)}:
            continue
        columns = _likely(table["columns"])
        if columns:
            named = ", ".join(repr(column) for column in columns)
            first = columns[0]
            found.append(
                f"Columns of {name!r} that may show which row of an id is newest: {named}. To use "
                f"one: --version-column {quote(first)}, or bunce_adapter(…, version={first!r})."
            )
    return {"ids_repeated": found} if found else {}


def _likely(columns: Iterable[str]) -> list[str]:
    """Return the columns whose names suggest a time of change, not of creation or deletion."""
    return [
        name
        for name in columns
        if not name.startswith("_dlt_")
        and _GROWS.search(name.lower())
        and not _STAYS.search(name.lower())
    ]
