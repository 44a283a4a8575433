"""What goes into a settlement, and what comes out of it, row by row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dlt_bunce.api.attribution import Sent

Confirmation = Literal["response", "count", "lookup", "conflict"]


@dataclass(frozen=True)
class Row(Sent):
    """A row to be settled; `payload` is its JSON as it is sent."""

    payload: str = field(repr=False, default="")
    in_doubt: bool = False

    @property
    def content(self) -> Mapping[str, Any]:
        """What the payload says, to compare with what Bunce shows."""
        content: dict[str, Any] = json.loads(self.payload)
        return content


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
