"""What goes into a settlement, and what comes out of it, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dlt_bunce.api.attribution import Sent

Confirmation = Literal["response", "count", "lookup", "conflict"]


@dataclass(frozen=True)
class Row(Sent):
    """A row to be settled: `content` are the fields to compare with what a look-up finds."""

    payload: str = field(repr=False, default="")
    content: Mapping[str, str] = field(repr=False, default_factory=dict)
    in_doubt: bool = False


@dataclass(frozen=True)
class Verdict:
    """What became of one row.

    `in_doubt` matters for deferred rows only: Bunce may have them. `ours` is False when Bunce has
    the customer with other content than the row's.
    """

    fate: Literal["created", "adopted", "skipped", "rejected", "deferred"]
    confirmation: Confirmation | None = None
    code: str | None = None
    field: str | None = None
    message: str = ""
    http_status: int | None = None
    in_doubt: bool = False
    ours: bool = True
