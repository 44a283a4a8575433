"""What a program passes as the values of a filter."""

from __future__ import annotations

from collections.abc import Iterable

from dlt_bunce.errors import UsageError


def check_choice(name: str, values: Iterable[str] | None) -> tuple[str, ...] | None:
    """Return the values of the filter `name` as a tuple; None, which is no filter, unchanged.

    Raises UsageError for a plain string, whose characters would be taken for values, and for values
    that are no text.
    """
    if values is None:
        return None
    found = None if isinstance(values, (str, bytes)) else tuple(values)
    if found is None or not all(isinstance(value, str) for value in found):
        kind = type(values).__name__ if found is None else "list of other things"
        raise UsageError(
            f"{name} is a {kind}, where a list of texts is expected.",
            remedy=f'Write a list, such as {name}=["42"].',
        )
    return found
