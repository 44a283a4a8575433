"""What a probe asks to be done: requests and waits, each answered before the next one is made."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dlt_bunce.api.reply import Reply
from dlt_bunce.model import Verb

Customer = dict[str, Any]


@dataclass(frozen=True)
class Bulk:
    """A bulk request with these customers."""

    verb: Verb
    customers: Sequence[Mapping[str, Any]]

    @property
    def body(self) -> bytes:
        """The body to send."""
        return json.dumps({"customers": list(self.customers)}).encode()


@dataclass(frozen=True)
class Get:
    """A request that lists customers, or reads the one with this id."""

    query: Mapping[str, str] = field(default_factory=dict)
    customer_id: str | None = None


@dataclass(frozen=True)
class Value:
    """A value of an attribute, by its id."""

    customer_id: str
    attribute: str
    text: str

    def as_json(self) -> dict[str, str]:
        """Return the value as it is sent."""
        return {"id": self.attribute, "customer_id": self.customer_id, "value": self.text}


@dataclass(frozen=True)
class Write:
    """A request that writes attribute values, or that changes the members of a segment."""

    path: str
    key: str
    rows: Sequence[Any]
    method: str = "POST"

    @property
    def body(self) -> bytes:
        """The body to send."""
        return json.dumps({self.key: list(self.rows)}).encode()


@dataclass(frozen=True)
class Wait:
    """A wait of so many seconds before the next request."""

    seconds: float


Step = Bulk | Get | Write | Wait
_T = TypeVar("_T")
Asking = Generator[Step, Reply, _T]
"""Yields steps, is sent the reply to each (for a wait, one that was not sent), returns a result."""
