"""What dlt says of a resource's hints that its rows, or Bunce, do not allow; without values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from dlt_bunce.model import Failure


def _not_comparable(error: Any) -> Failure:
    # its text has the value of a row
    remedy = (
        "Give initial_value and end_value the type of the column, such as datetime(2026, 1, 1), or "
        "convert the column."
    )
    if isinstance(error.cursor_value, str):
        remedy += (
            " If an earlier run has stored text, read everything again, once, with "
            'refresh="drop_resources": only customers that differ are sent.'
        )
    return _mistake(
        error,
        f"The cursor {error.cursor_path!r} of {error.pipe_name!r} has values of a type that cannot "
        "be compared with its initial_value, or with those of other rows or runs.",
        remedy,
    )


def _without_value(error: Any) -> Failure:
    cursor = error.json_path
    return _mistake(
        error,
        f"A row of {error.pipe_name!r} has no value in {cursor!r}, its cursor.",
        f"Choose what becomes of such rows: with dlt.sources.incremental({cursor!r}, "
        'on_cursor_value_missing="include"), every run reads them; with "exclude", none.',
    )


def _without_column(error: Any) -> Failure:
    cursor = error.json_path
    return _mistake(
        error,
        f"A row of {error.pipe_name!r} has no column {cursor!r}, its cursor.",
        f"Correct the name in dlt.sources.incremental({cursor!r}). If only some rows have the "
        'column, pass on_cursor_value_missing="include", or "exclude".',
    )


def _without_key(error: Any) -> Failure:
    key = error.primary_key_column
    return _mistake(
        error,
        f"A row of {error.pipe_name!r} has no column {key!r}, its primary key.",
        "Correct primary_key, or leave it out: the customer's id is the key.",
    )


def _strategy(error: Any) -> Failure:
    found = str(error).partition(". ")[0].replace("`", "'")
    return _mistake(
        error, f"{found}.", 'Use "merge" (create and update) or "append" (create only).'
    )


def _mistake(error: Any, found: str, remedy: str) -> Failure:
    return Failure(type(error).__name__, found, remedy, is_usage=True)


WRONG_HINTS: Mapping[str, Callable[[Any], Failure]] = MappingProxyType(
    {
        "IncrementalCursorInvalidCoercion": _not_comparable,
        "IncrementalCursorPathHasValueNone": _without_value,
        "IncrementalCursorPathMissing": _without_column,
        "IncrementalPrimaryKeyMissing": _without_key,
        "DestinationCapabilitiesException": _strategy,
    }
)
"""What to say, by the name of an exception class, whatever it was raised from."""
