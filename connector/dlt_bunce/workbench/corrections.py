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
        text = str(value).replace("\r\n", "\n")
        if name.startswith(_NEW) and text != str(form.get(_OLD + column, "")).replace("\r\n", "\n"):
            changes[column] = text or None
    return changes
