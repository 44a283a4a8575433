"""What a database said, as far as it cannot hold a value of a row.

Decided by the class of the SQLSTATE, where the driver has one: data exceptions quote the value at
fault, everything else names tables, columns, hosts, and pieces of the query.
"""

from __future__ import annotations

import re
from typing import Any

from dlt_bunce.failures.masking import masked
from dlt_bunce.model import Failure

_DRIVERS = frozenset(
    {"MySQLdb", "_duckdb", "adbc_driver_manager", "databricks", "duckdb", "google", "oracledb"}
    | {"psycopg", "psycopg2", "pymssql", "pymysql", "pyodbc", "snowflake", "sqlite3"}
)
_BASES = frozenset({"DatabaseError", "Error", "InterfaceError"})
_SQLSTATE = re.compile("[0-9A-Z]{5}")
_QUOTES_VALUES = ("22", "23", "HV")
"""SQLSTATE classes whose messages may quote values: data, integrity, foreign data."""
_MISTAKES = ("0A", "22", "26", "3D", "3F", "42")
"""Classes that another try cannot mend."""
_FORBIDDEN = "42501"
# MySQL's server has SQLSTATEs, but its driver shows only error numbers
_MYSQL_QUOTES = frozenset({1062, 1264, 1265, 1292, 1366, 1367, 1406, 1411, 1525})
_MYSQL_MISTAKES = frozenset({1052, 1054, 1055, 1064, 1140, 1146, 1149, 1305, 1365})
_DUCKDB_QUOTES = frozenset(
    {"ConversionException", "ConstraintException", "DataError", "InvalidInputException"}
    | {"OutOfRangeException", "TypeMismatchException"}
)
_DUCKDB_MISTAKES = frozenset(
    {"BinderException", "CatalogException", "ParserException", "SyntaxException"}
) | (_DUCKDB_QUOTES)
_SQLITE_MISTAKES = re.compile("syntax error|no such|ambiguous|misuse|incomplete input|wrong number")


def database_failure(error: BaseException) -> Failure | None:
    """Return what a database driver's exception says; None for any other exception."""
    name, module = type(error).__name__, type(error).__module__.partition(".")[0]
    kinds = {base.__name__ for base in type(error).__mro__}
    if module not in _DRIVERS or not kinds & _BASES:
        return None
    text, quotes, is_mistake = _judged(error, module, kinds)
    if quotes:
        text = masked(text)
    return Failure(
        name,
        f"The source database reports: {_sentence(text) or name + '.'}",
        _remedy(kinds, is_mistake=is_mistake, quotes=quotes),
        is_usage=is_mistake,
    )


def _judged(error: Any, module: str, kinds: set[str]) -> tuple[str, bool, bool]:
    """Return the message's first line, whether it may quote values, and whether to mend first."""
    text = str(error).strip()
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    code = error.args[0] if error.args else None
    if state is None and isinstance(code, str) and _SQLSTATE.fullmatch(code):
        state, text = code, str(error.args[-1])
    if isinstance(state, str):
        quotes = state.startswith(_QUOTES_VALUES)
        return _first(text), quotes, state.startswith(_MISTAKES) and state != _FORBIDDEN
    if module in {"pymysql", "MySQLdb"} and isinstance(code, int):
        text = str(error.args[-1])
        quotes = code in _MYSQL_QUOTES or "DataError" in kinds
        return _first(text), quotes, quotes or code in _MYSQL_MISTAKES
    if "duckdb" in module:
        return _first(text), bool(kinds & _DUCKDB_QUOTES), bool(kinds & _DUCKDB_MISTAKES)
    if module == "sqlite3":
        quotes = bool(kinds & {"DataError", "IntegrityError"})
        return _first(text), quotes, bool(_SQLITE_MISTAKES.search(text))
    operational = bool(kinds & {"OperationalError", "InterfaceError"})
    return _first(text), not operational, not operational


def _first(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _sentence(text: str) -> str:
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def _remedy(kinds: set[str], *, is_mistake: bool, quotes: bool) -> str:
    if quotes:
        return "Correct the value at the source, or cast the column to text in a --query."
    if is_mistake:
        return "Correct --table or --query."
    if kinds & {"OperationalError", "InterfaceError", "IOException", "ConnectionException"}:
        return "Check the URL and the server, then run the same command again."
    return "Run the same command again; if it repeats, ask whoever runs the database."
