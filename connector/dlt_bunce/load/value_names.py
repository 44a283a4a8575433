"""What an attribute and its value are called in a request: Bunce documents two names for each."""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

_OLDER = {"id": "attribute_id", "value": "attribute_value"}


@dataclass
class ValueNames:
    """The older names that Bunce has asked for so far; values have the newer ones otherwise."""

    asked: frozenset[str] = frozenset()

    def learn(self, required: AbstractSet[str], sent: AbstractSet[str]) -> bool:
        """Note the names that a rejection asks for, of a request with the older names `sent`;
        return whether it is to be sent again, with other names.
        """
        self.asked |= required & frozenset(_OLDER.values())
        return bool(self.asked - sent)


def renamed(body: bytes, asked: AbstractSet[str]) -> bytes:
    """Return the JSON of a request with these of the older names instead of the newer ones."""
    if not asked:
        return body
    names = {newer: older for newer, older in _OLDER.items() if older in asked}
    rows = json.loads(body)["attributes"]
    renamed_rows = [{names.get(key, key): value for key, value in row.items()} for row in rows]
    return json.dumps({"attributes": renamed_rows}, ensure_ascii=False).encode()
