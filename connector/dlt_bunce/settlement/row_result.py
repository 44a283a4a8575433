"""What comes out of a settlement, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Confirmation = Literal["response", "count", "lookup", "conflict"]


@dataclass(frozen=True)
class RowResult:
    """What became of one row.

    `code` makes it a dead letter, also beside `updated` where Bunce took all but the email;
    `message` and `http_status` are Bunce's own, where there are any. `indeterminate` matters for
    deferred rows only: Bunce may have them. `content_matches` is False when Bunce has the customer
    with other content than the row's.

    A deferred row is for the caller to decide about when `holder_id` is set (Bunce's id of the only
    customer with the row's email, who has another id than the row) or `link_lost` (the customer
    that the row is linked to does not exist).
    """

    fate: Literal["created", "updated", "adopted", "rejected", "deferred"]
    confirmation: Confirmation | None = None
    code: str | None = None
    field: str | None = None
    message: str = ""
    http_status: int | None = None
    indeterminate: bool = False
    content_matches: bool = True
    holder_id: str | None = None
    link_lost: bool = False
