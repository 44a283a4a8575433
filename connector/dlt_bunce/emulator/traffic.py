"""Requests that reached the emulator: a record of each, and counts."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlt_bunce.emulator.behavior import Call


@dataclass(frozen=True)
class RequestRecord:
    """One request under /v1."""

    method: str
    """HTTP method."""
    path: str
    """Path without its query."""
    call: Call
    """Kind of request."""
    rows: int
    """Customers in the body; 0 if the request was refused before its body was read."""
    customer_ids: tuple[str, ...]
    """Their ids, in order; for a lookup, the requested ids."""
    status: int | None
    """Response status; 0 if the connection was closed instead, None until there is a response."""
    size: int = 0
    """Size of the body in bytes."""
    at: float = field(default_factory=time.monotonic)
    """Time of arrival in seconds, by a monotonic clock."""
    fault: str = ""
    """Kind of the scheduled fault that happened to it, if any."""


class Traffic:
    """Requests so far; every method is thread-safe."""

    def __init__(self) -> None:
        """Start without requests."""
        self._lock = threading.Lock()
        self._records: list[RequestRecord] = []
        self._times_sent: Counter[str] = Counter()

    @property
    def records(self) -> list[RequestRecord]:
        """All records in order of arrival, as a copy."""
        with self._lock:
            return list(self._records)

    @property
    def times_sent(self) -> dict[str, int]:
        """How often each customer_id was received in a bulk create."""
        with self._lock:
            return dict(self._times_sent)

    def received(self, record: RequestRecord) -> int:
        """Record a request once it is read; return its number for `answered`."""
        with self._lock:
            if record.call == "create":
                self._times_sent.update(record.customer_ids)
            self._records.append(record)
            return len(self._records) - 1

    def answered(self, number: int, status: int, fault: str = "") -> None:
        """Record the response to a request."""
        with self._lock:
            self._records[number] = replace(self._records[number], status=status, fault=fault)

    def stats(self) -> dict[str, Any]:
        """Return the counts as plain JSON values."""
        with self._lock:
            records = list(self._records)
            repeats = Counter(self._times_sent.values())
        statuses = Counter(r.status for r in records if r.status is not None)
        return {
            "requests": dict(sorted(Counter(record.call for record in records).items())),
            "statuses": {str(status): count for status, count in sorted(statuses.items())},
            "rate_limited": statuses[429],
            "unauthorized": statuses[401],
            "dropped": statuses[0],
            "faults": dict(sorted(Counter(r.fault for r in records if r.fault).items())),
            "bytes_received": sum(record.size for record in records),
            "rows_received": sum(r.rows for r in records if r.call in {"create", "update"}),
            "ids_by_times_sent": {str(times): ids for times, ids in sorted(repeats.items())},
            "rows_sent_twice": sum(ids for times, ids in repeats.items() if times > 1),
        }
