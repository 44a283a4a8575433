"""The form in which an operator corrects the row of one dead letter."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import ImmutableMultiDict

_NEW, _OLD = "new:", "old:"


def changes_of(form: ImmutableMultiDict[str, Any]) -> dict[str, str | None]:
    """Return the values that the form changes, by column; None for one that was emptied.

    Columns that keep their text keep the type that the source gave them.
    """
    changes: dict[str, str | None] = {}
    for name, value in form.items():
        column = name.removeprefix(_NEW)
        text = _with_plain_breaks(value)
        if name.startswith(_NEW) and text != _with_plain_breaks(form.get(_OLD + column, "")):
            changes[column] = text or None
    return changes


def _with_plain_breaks(value: Any) -> str:
    """Return a text with one kind of line breaks: browsers change them."""
    return str(value).replace("\r\n", "\n").replace("\r", "\n")
