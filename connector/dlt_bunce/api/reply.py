"""One answer of the API, or the lack of one, with no opinion on what it means."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

Arrival = Literal["answered", "not_sent", "lost"]
"""answered: a status came back. not_sent: the request never left (refused connection, DNS).
lost: it may have been carried out, but no answer came (time-out, dropped connection)."""

_FIRST_ERROR = 400
REDIRECTS = frozenset({301, 302, 307, 308})
"""Statuses of a request that was not carried out: another address would do it."""


@dataclass(frozen=True)
class Reply:
    """`seconds` is how long the answer took; `reason` names the fault without any content; `date`
    is when the server says that it answered.
    """

    arrival: Arrival
    status: int = 0
    body: bytes = field(default=b"", repr=False)
    retry_after: str | None = None
    seconds: float = 0.0
    reason: str = ""
    date: str | None = None

    @cached_property
    def document(self) -> dict[str, Any] | None:
        """The body as a JSON object, or None when it is not one (HTML, cut off, empty).

        A list for the whole body of a rejection is that of its `errors`.
        """
        try:
            with _no_collection():
                document = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        if isinstance(document, list) and self.status >= _FIRST_ERROR:
            return {"errors": document}
        return document if isinstance(document, dict) else None

    @property
    def flag(self) -> bool | None:
        """The body's own word: `success` or `status`, whichever is a boolean."""
        for name in ("success", "status"):
            value = (self.document or {}).get(name)
            if isinstance(value, bool):
                return value
        return None

    @property
    def is_well(self) -> bool:
        """Whether the status is one of success; the body may still say otherwise."""
        return self.arrival == "answered" and 200 <= self.status < 300

    @property
    def is_final(self) -> bool:
        """Whether the server has answered for good: asking again would change nothing."""
        return self.arrival == "answered" and (
            (self.status != 429 and self.status < 500) or self.status == 501
        )

    @property
    def is_cut_off(self) -> bool:
        """Whether the end of a success is missing: it begins as a JSON object, and is none."""
        return self.is_well and self.document is None and self.body.lstrip()[:1] == b"{"

    @property
    def is_redirect(self) -> bool:
        """Whether the host answered only that another address is meant."""
        return self.status in REDIRECTS

    def describe(self) -> str:
        """For logs and errors: the status or the fault, never the body."""
        return f"HTTP {self.status}" if self.arrival == "answered" else self.reason


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector from starting while a body is parsed, which makes no garbage.

    It would start three times per thousand rows, and each time take what is parsed so far for
    objects that live long; many of these make it look through all objects of the process.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
