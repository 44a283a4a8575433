"""What Arrow, Python, clients of HTTP, and the operating system said, without data or secrets."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from dlt_bunce.failures.masking import masked
from dlt_bunce.model import Failure

_CAST = (
    "Correct the value at the source, or read the column as text: "
    "CAST(… AS VARCHAR) in a --query, or a string column in the file."
)
_ONE_SCHEMA = (
    "Yield all of them with the same columns, or let dlt write each kind of table to a file of its "
    "own: DATA_WRITER__ARROW_CONCAT_PROMOTE_OPTIONS=default."
)
_COLUMN = re.compile("(?m)^(.+?): (.+)$")
_NULL = re.compile("Column '(.+)' is declared non-nullable but contains nulls")
_NULLABLE = 'Fill it in at the source, or declare it with columns={"COLUMN": {"nullable": True}}.'
_ENCODING = (
    "Save the file as UTF-8. For a database, set the connection's encoding, such as "
    "?charset=utf8mb4 for MySQL."
)
_HALF_CHARACTER = (
    "Text has half a character (a lone surrogate, such as \\ud83d), which dlt cannot write.",
    "Pass the rows as bunce_adapter(rows): then only the rows that have one are rejected.",
    True,
)
_AS_TEXT = (
    "Write it as text, with the name of its column: .add_map(lambda row: row | "
    '{"COLUMN": str(row["COLUMN"])})'
)
_WRITABLE = (
    "Pass the rows as bunce_adapter(rows), which writes times, addresses, and sets; other types as "
    'text: .add_map(lambda row: row | {"COLUMN": str(row["COLUMN"])})'
)
_NETWORK = "Check the location, the network, and the proxy, then run the same command again."
_CREDENTIALS = "Check the credentials of the source, then run the same command again."
_LATER = "Run the same command again later."
_REQUEST = "Check the address and the parameters of the source, then run the same command again."
_SPACE = "Free up disk space, then run the same command again; nothing is lost."


def data_failure(error: BaseException) -> Failure | None:
    """Return what a known exception about data or files says; None for any other exception."""
    names = [base.__name__ for base in type(error).__mro__]
    for name in names:
        if name in _TOLD:
            failure = _TOLD[name](error)
            return Failure(type(error).__name__, *failure)
    # a class of its own has no name: only its text tells it from other TypeErrors
    if isinstance(error, TypeError):
        return _not_written(error)
    return None


def _not_written(error: TypeError) -> Failure | None:
    """Tell what dlt cannot write as JSON, of which the text has the type or the value."""
    text, name = str(error), type(error).__name__
    if text.endswith("surrogates not allowed"):
        return Failure(name, *_HALF_CHARACTER)
    if text.endswith("exceeds 64-bit range"):
        found = "A row has a whole number of more than 64 bits, which dlt cannot write."
        return Failure(name, found, _AS_TEXT, is_usage=True)
    if text.startswith("Type is not JSON serializable: "):
        found = f"A row has a value of type {text.rpartition(' ')[2]}, which dlt cannot write."
        return Failure(name, found, _WRITABLE, is_usage=True)
    return None


def _arrow(error: Any) -> tuple[str, str, bool]:
    if str(error).startswith("Schema at index"):
        return _schemas(str(error))
    if null := _NULL.match(str(error)):
        return (
            f"Column {null[1]!r} is declared not to be null, and rows have none.",
            _NULLABLE,
            True,
        )
    return f"The rows cannot be converted: {masked(str(error)).rstrip('.')}.", _CAST, True


def _schemas(text: str) -> tuple[str, str, bool]:
    """Tell which column differs between two tables, of which Arrow lists all columns."""
    one, _, other = text.partition("\nvs\n")
    kinds, others = dict(_COLUMN.findall(one)), dict(_COLUMN.findall(other))
    differing = [name for name in kinds if kinds[name] != others.get(name)]
    where = ", ".join(
        f"column {name!r}: {kinds[name]} and {others.get(name, 'none')}" for name in differing[:1]
    )
    return f"Tables of one resource differ in {where or 'their columns'}.", _ONE_SCHEMA, True


def _unicode(error: Any) -> tuple[str, str, bool]:
    where = f"the byte at position {error.start} of a value is not {error.encoding}"
    return f"Text cannot be decoded: {where}.", _ENCODING, True


def _number(error: Any) -> tuple[str, str, bool]:
    return f"A number or date is out of range: {masked(str(error)).rstrip('.')}.", _CAST, True


def _memory(_error: Any) -> tuple[str, str, bool]:
    return (
        "There is not enough memory.",
        "Free some, or lower [data_writer] buffer_max_items in config.toml.",
        False,
    )


def _file(error: Any) -> tuple[str, str, bool]:
    reason = error.strerror or masked(str(error)) or type(error).__name__
    file = f" ({os.fsdecode(error.filename)})" if isinstance(error.filename, (str, bytes)) else ""
    remedy = _SPACE if error.errno == errno.ENOSPC else "Check that it exists and may be used."
    return f"A file cannot be used: {reason}{file}.", remedy, False


def _connection(error: Any) -> tuple[str, str, bool]:
    # its text holds the URL, and so perhaps a password
    status = getattr(error, "code", None) or _status_of(getattr(error, "response", None))
    if isinstance(status, int):
        remedy = _CREDENTIALS if status in {401, 403} else _LATER if status >= 500 else _REQUEST
        return f"A request of the source was answered with HTTP {status}.", remedy, False
    # the operating system's own words
    reason = getattr(error, "strerror", None)
    reason = reason if isinstance(reason, str) else type(error).__name__
    return f"A connection failed: {reason}.", _NETWORK, False


def _status_of(response: Any) -> Any:
    return getattr(response, "status_code", None)


def _encoding(error: Any) -> tuple[str, str, bool]:
    return f"Text contains a character that does not exist in {error.encoding}.", _ENCODING, True


_TOLD: Mapping[str, Callable[[Any], tuple[str, str, bool]]] = MappingProxyType(
    {
        "ArrowInvalid": _arrow,
        "ArrowTypeError": _arrow,
        "ArrowNotImplementedError": _arrow,
        "ArrowKeyError": _arrow,
        "ArrowIndexError": _arrow,
        "ArrowCapacityError": _arrow,
        "ArrowSerializationError": _arrow,
        "UnicodeDecodeError": _unicode,
        "UnicodeEncodeError": _encoding,
        "OverflowError": _number,
        "DecimalException": _number,
        "MemoryError": _memory,
        "RequestException": _connection,
        "HTTPStatusError": _connection,
        "TransportError": _connection,
        "URLError": _connection,
        "ConnectionError": _connection,
        "TimeoutError": _connection,
        "SSLError": _connection,
        "gaierror": _connection,
        "OSError": _file,
    }
)
"""By the name of an exception class or of a base of it: the message, the remedy, is a mistake."""
