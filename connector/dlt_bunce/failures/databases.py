"""What a database said, as far as it cannot hold a value of a row.

A message is shown where its kind is known to name only tables, columns, hosts, and pieces of the
query, with quoted text hidden where it is known to quote values, and not at all otherwise: what a
function or a view raises may hold anything.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from dlt_bunce.failures.masking import masked
from dlt_bunce.model import Failure

_DRIVERS = frozenset(
    {"MySQLdb", "_duckdb", "adbc_driver_manager", "databricks", "duckdb", "google", "oracledb"}
    | {"psycopg", "psycopg2", "pymssql", "pymysql", "pyodbc", "snowflake", "sqlite3"}
)
_BASES = frozenset({"DatabaseError", "Error", "InterfaceError"})
_SQLSTATE = re.compile("[0-9A-Z]{5}")
_PLAIN = ("08", "0A", "25", "26", "28", "3D", "3F", "40", "42", "53", "54", "55", "57", "58")
"""SQLSTATE classes whose messages hold no values: connections, names, syntax, resources."""
_QUOTES_VALUES = ("22", "23", "HV")
"""SQLSTATE classes whose messages quote values: data, integrity, foreign data."""
_MISTAKES = ("0A", "22", "26", "3D", "3F", "42", "45", "P0")
"""Classes that another try cannot mend."""
_FORBIDDEN = "42501"
_GENERAL = "HY000"
_RAISED = re.compile(r"\(([5-9]\d{4}|[1-9]\d{5,})\)")
"""The number of an error that a procedure of SQL Server raised, whatever its SQLSTATE."""
# MySQL's server has SQLSTATEs, but its driver shows only error numbers; from 2000, they are its own
_MYSQL_QUOTES = frozenset({1062, 1264, 1265, 1292, 1366, 1367, 1406, 1411, 1525})
_MYSQL_MISTAKES = frozenset({1052, 1054, 1055, 1064, 1140, 1146, 1149, 1305, 1365})
_MYSQL_PLAIN = (
    _MYSQL_MISTAKES
    | {1021, 1040, 1044, 1045, 1049, 1053, 1129, 1130, 1142, 1143}
    | {
        *(
            1158,
            1159,
            1160,
            1161,
            1203,
            1205,
            1213,
            1226,
            1317,
            1927,
            1969,
            *range(2000, 3000),
            3024,
        )
    }
)
_DUCKDB_QUOTES = frozenset(
    {"ConversionException", "ConstraintException", "OutOfRangeException", "TypeMismatchException"}
)
_DUCKDB_MISTAKES = frozenset(
    {"BinderException", "CatalogException", "ParserException", "SyntaxException"}
)
_DUCKDB_PLAIN = _DUCKDB_MISTAKES | {
    *("ConnectionException", "IOException", "InterruptException", "NotImplementedException"),
    *("OutOfMemoryException", "PermissionException"),
}
_SQLITE_MISTAKES = re.compile("syntax error|no such|ambiguous|misuse|incomplete input|wrong number")
_SQLITE_PLAIN = re.compile(
    f"{_SQLITE_MISTAKES.pattern}|locked|unable to open|readonly|disk|not a database|malformed|"
    "integer overflow|out of memory|interrupted"
)
_ORACLE_MISTAKES = re.compile("ORA-009[0-9]{2}:")
_ORACLE_PLAIN = re.compile("(ORA-(009[0-9]{2}|01017|12[0-9]{3}|28[0-9]{3})|DPY-[46][0-9]{3}):")


class _Judged(NamedTuple):
    """What may be shown of a message, and whether it quotes values and must be mended first."""

    text: str | None
    quotes: bool
    is_mistake: bool


def database_failure(error: BaseException) -> Failure | None:
    """Return what a database driver's exception says; None for any other exception."""
    name, module = type(error).__name__, type(error).__module__.partition(".")[0]
    kinds = {base.__name__ for base in type(error).__mro__}
    if module not in _DRIVERS or not kinds & _BASES:
        return None
    judged = _judged(error, module, kinds)
    if judged.text is None:
        code = _code(error)
        return Failure(
            name,
            f"The source database reports {name}{f' ({code})' if code else ''}; its message is not "
            "shown, since it may hold values of rows.",
            "To see it, run the query in the database.",
            is_usage=judged.is_mistake,
        )
    return Failure(
        name,
        f"The source database reports: {_sentence(judged.text) or name + '.'}",
        _remedy(kinds, is_mistake=judged.is_mistake, quotes=judged.quotes),
        is_usage=judged.is_mistake,
    )


def _judged(error: Any, module: str, kinds: set[str]) -> _Judged:
    text, code = str(error).strip(), error.args[0] if error.args else None
    # where MySQL has no state for an error, its number still tells
    if (state := _sqlstate(error)) and not (state == _GENERAL and isinstance(code, int)):
        if code == state:
            text = str(error.args[-1])
        is_raised = _is_raised(error, module, text)
        plain = not is_raised and state.startswith(_PLAIN)
        quotes = not is_raised and state.startswith(_QUOTES_VALUES)
        is_mistake = is_raised or (state.startswith(_MISTAKES) and state != _FORBIDDEN)
        return _shown(text, plain=plain, quotes=quotes, is_mistake=is_mistake)
    if module in {"pymysql", "MySQLdb"} and isinstance(code, int):
        quotes = code in _MYSQL_QUOTES
        is_mistake = quotes or code in _MYSQL_MISTAKES or code not in _MYSQL_PLAIN
        plain = code in _MYSQL_PLAIN
        return _shown(str(error.args[-1]), plain=plain, quotes=quotes, is_mistake=is_mistake)
    if "duckdb" in module:
        quotes, plain = bool(kinds & _DUCKDB_QUOTES), bool(kinds & _DUCKDB_PLAIN)
        is_mistake = quotes or not plain or bool(kinds & _DUCKDB_MISTAKES)
        return _shown(text, plain=plain, quotes=quotes, is_mistake=is_mistake)
    if module == "sqlite3":
        plain, is_mistake = (bool(r.search(text)) for r in (_SQLITE_PLAIN, _SQLITE_MISTAKES))
        return _shown(text, plain=plain, quotes=False, is_mistake=is_mistake)
    operational = bool(kinds & {"OperationalError", "InterfaceError"})
    if module in {"psycopg", "psycopg2"}:
        # the driver's own: it could not connect, or cannot read a value, which it quotes
        return _shown(text, plain=operational, quotes=not operational, is_mistake=not operational)
    if module == "oracledb":
        plain, is_mistake = (bool(r.match(text)) for r in (_ORACLE_PLAIN, _ORACLE_MISTAKES))
        return _shown(text, plain=plain, quotes=False, is_mistake=is_mistake)
    return _Judged(None, quotes=False, is_mistake=not operational)


def _shown(text: str, *, plain: bool, quotes: bool, is_mistake: bool) -> _Judged:
    """Return a message whole if it is plain, masked if it quotes values, or not at all."""
    if plain or quotes:
        return _Judged(masked(text) if quotes else _first(text), quotes, is_mistake)
    return _Judged(None, quotes, is_mistake)


def _sqlstate(error: Any) -> str | None:
    code = error.args[0] if error.args else None
    for state in (getattr(error, "sqlstate", None), getattr(error, "pgcode", None), code):
        if isinstance(state, str) and _SQLSTATE.fullmatch(state):
            return state
    return None


def _is_raised(error: Any, module: str, text: str) -> bool:
    """Return whether somebody's function raised this, with an SQLSTATE and words of its choice."""
    function = getattr(getattr(error, "diag", None), "source_function", None)
    return function == "exec_stmt_raise" or (module == "pyodbc" and bool(_RAISED.search(text)))


def _code(error: Any) -> str | None:
    state, code = _sqlstate(error), error.args[0] if error.args else None
    if isinstance(code, int):
        return f"{code}, {state}" if state else str(code)
    if state:
        return state
    found = re.match("[0-9A-Z]{5}$|[A-Z]{3}-[0-9]{4,5}(?=:)", str(code))
    return found[0] if found else None


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
