"""The statements that bring a store of any version up to date."""

from __future__ import annotations

import re

from dlt_bunce.store.schema.migrations import MIGRATIONS

_CREATES = re.compile(r"CREATE (?:TABLE|INDEX|UNIQUE INDEX|VIEW) (\w+)")
_ADDS = re.compile(r"ALTER TABLE (\w+) ADD COLUMN (.+)")
_DROPS = re.compile(r"DROP INDEX (\w+)")
_END = re.compile(r"(,\s*PRIMARY KEY \([^()]*\))?\)$")
"""The end of a table's definition, after its last column."""


def statements_from(version: int) -> list[str]:
    """Return the statements of all migrations after the first `version`.

    A new store gets its tables with all of their columns, and only the indexes that it keeps: for
    each added column, a database would rewrite the definition of a table.
    """
    statements = [statement for step in MIGRATIONS[version:] for statement in step]
    if version:
        return statements
    created: dict[str, str] = {}
    for statement in statements:
        if found := _ADDS.fullmatch(statement):
            table, column = found.groups()
            created[table] = _END.sub(rf", {column}\g<0>", created[table])
        elif found := _DROPS.fullmatch(statement):
            del created[found[1]]
        else:
            found = _CREATES.match(statement)
            created[found[1] if found else statement] = statement
    return list(created.values())
