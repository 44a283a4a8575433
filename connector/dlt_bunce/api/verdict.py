"""What goes into a settlement, and what comes out of it, row by row."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Confirmation = Literal["response", "count", "lookup", "conflict"]


class Row(NamedTuple):
    """A row to be settled: its fields, `devices` as JSON, and all of them as the JSON to send."""

    customer_id: str
    email: str
    first_name: str
    last_name: str
    phone_no: str
    devices: str | None
    payload: str
    in_doubt: bool = False

    @property
    def content(self) -> dict[str, Any]:
        """What the payload says, to compare with what Bunce shows."""
        content: dict[str, Any] = dict(zip(self._fields[:5], self, strict=False))
        if self.devices is not None:
            content["devices"] = json.loads(self.devices)
        return content

    def __repr__(self) -> str:
        """Nothing of a customer: it may end up in a message."""
        return "Row(…)"


@dataclass(frozen=True)
class Verdict:
    """What became of one row.

    `code` makes it a dead letter, also beside `updated` where Bunce took all but the email.
    `in_doubt` matters for deferred rows only: Bunce may have them. `ours` is False when Bunce has
    the customer with other content than the row's.
    """

    fate: Literal["created", "updated", "adopted", "rejected", "deferred"]
    confirmation: Confirmation | None = None
    code: str | None = None
    field: str | None = None
    message: str = ""
    http_status: int | None = None
    in_doubt: bool = False
    ours: bool = True
