"""What is written: tables of the store and events of the log."""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import dlt_bunce
from dlt_bunce.load.progress import Progress
from dlt_bunce.logs import EVENTS
from dlt_bunce.store.database import Database
from dlt_bunce.store.descriptions import TABLES
from docs.generate.markdown import code, page, table

_FATES = ["counts by fate"]
# what events spread that are not counts
_SPREAD = {
    "load.progress": [field.name for field in fields(Progress)],
    "run.over_threshold": ["what is exceeded, by setting"],
}


def store_columns() -> Mapping[str, list[tuple[str, str, bool]]]:
    """Tables of a store that has just been made: columns with type and whether null is allowed."""
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    with (
        tempfile.TemporaryDirectory() as folder,
        Database(f"sqlite:///{folder}/bunce.sqlite") as db,
    ):
        return {
            row["name"]: [
                (column["name"], column["type"], not column["notnull"])
                for column in db.rows(f"SELECT * FROM pragma_table_info('{row['name']}')")  # noqa: S608
            ]
            for row in db.rows(tables)
        }


def store() -> str:
    """The tables of the store."""
    found = store_columns()
    parts = []
    for name, described in TABLES.items():
        rows = [
            [code(column), code(kind), "yes" if null else "", described.columns[column]]
            for column, kind, null in found[name]
        ]
        parts += [
            f"## {name}",
            described.meaning,
            table(("column", "type", "may be null", "meaning"), rows),
        ]
    return page(
        "Store",
        "The database that `store_url` names, SQLite or Postgres, has these tables. Times are "
        "ISO-8601 text in UTC unless a column says otherwise. Read them as you like; only "
        "`dlt-bunce` writes to them. Tables and columns are added by later versions, and none is "
        "renamed without a line in the changelog. Which of them hold values of customers, for how "
        "long, and how they go: [where customers' rows are](../explanation/rows-at-rest.md).",
        "## Rights in Postgres",
        "The role needs `USAGE` and `CREATE` on the schema (or `CREATE` on the database) for the "
        "first run and for upgrades; for all others `USAGE` on the schema, `SELECT`, `INSERT`, "
        "`UPDATE`, `DELETE` on its tables, and `TEMPORARY` on the database. `erase` and `purge` "
        "overwrite what they delete only where the role owns the tables, or is a member of the one "
        "that does.",
        *parts,
    )


def logged() -> Mapping[str, tuple[str, list[str]]]:
    """Level and fields of each event, as the code logs it."""
    found: dict[str, tuple[str, list[str]]] = {}
    for path in sorted(Path(dlt_bunce.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("debug", "info", "warning", "error")
                and node.args
                and isinstance(node.args[0], ast.Constant)
                and node.args[0].value in EVENTS
            ):
                event = str(node.args[0].value)
                level, known = found.get(event, (node.func.attr, []))
                given = [[k.arg] if k.arg else _SPREAD.get(event, _FATES) for k in node.keywords]
                more = [name for names in given for name in names if name not in known]
                found[event] = (level, known + more)
    return found


def log_events() -> str:
    """Every event of the log."""
    found = logged()
    rows = [
        [
            code(event),
            code(found[event][0].upper()),
            ", ".join(name if " " in name else code(name) for name in found[event][1]),
            meaning,
        ]
        for event, meaning in sorted(EVENTS.items())
    ]
    return page(
        "Log events",
        "Events go to stderr at dlt's log level (`RUNTIME__LOG_LEVEL=INFO`), as text on a terminal "
        "and as JSON elsewhere: one object a line, with `event`, `level`, `timestamp`, and the "
        "fields named here. Events of a load also carry `table`, `job`, and `run` where they are "
        "about one file. No value of a customer and no key is ever in them.",
        table(("event", "level", "fields", "meaning"), rows),
    )
