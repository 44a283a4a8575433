"""Pages about output: the tables of the store and the events of the log."""

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
from dlt_bunce.store.schema.descriptions import TABLES
from docs.generate.markdown import code, page, table

_FATES = ["counts by fate"]
# keyword expansions in log calls that are not counts by fate
_SPREAD = {
    "load.progress": [field.name for field in fields(Progress)],
    "run.finished": ["reject_codes", "dead_letters", "rejected_values"],
    "run.over_threshold": ["what was exceeded, by setting"],
}


def store_columns() -> Mapping[str, list[tuple[str, str, bool]]]:
    """Return each table of a new store with its columns: name, type, and whether it is nullable."""
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
    """Return the page of the store's tables."""
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
            table(("column", "type", "nullable", "meaning"), rows),
        ]
    return page(
        "Store",
        "The database in `store_url`, SQLite or Postgres, has these tables. Times are ISO 8601 "
        "text in UTC unless a column says otherwise. You can query the tables freely, but only "
        "`dlt-bunce` may write to them. Later versions may add tables and columns; any renaming is "
        "listed in the changelog. For which of them hold customer values, how long these are kept, "
        "and how to remove them, see "
        "[Where customer data is stored](../explanation/rows-at-rest.md).",
        "## Postgres privileges",
        "For the first run and for upgrades, the role needs `USAGE` and `CREATE` on the schema (or "
        "`CREATE` on the database). For all other runs, it needs `USAGE` on the schema, `SELECT`, "
        "`INSERT`, `UPDATE`, and `DELETE` on its tables, and `TEMPORARY` on the database. `erase` "
        "and `purge` overwrite what they delete only if the role owns the tables, or is a member "
        "of the role that does.",
        "Each connection sets its isolation to `read committed`, and turns off limits on the time "
        "of statements, transactions, and idle sessions, whatever the role, the database, or the "
        "server sets. Waits for locks are limited to a minute.",
        *parts,
    )


def logged() -> Mapping[str, tuple[str, list[str]]]:
    """Return the level and fields of each event, as found in the code's log calls."""
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
                named = [[k.arg] if k.arg else _SPREAD.get(event, _FATES) for k in node.keywords]
                new = [name for names in named for name in names if name not in known]
                found[event] = (level, known + new)
    return found


def log_events() -> str:
    """Return the page of log events."""
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
        "Events are written to stderr at dlt's log level (`RUNTIME__LOG_LEVEL=INFO`), as text on a "
        "terminal and as JSON elsewhere: one object per line, with `event`, `level`, `timestamp`, "
        "and the fields listed here. Events about a single file of a load also have `table`, "
        "`job`, and `run`. They never contain a customer value or an API key.",
        table(("event", "level", "fields", "meaning"), rows),
    )
