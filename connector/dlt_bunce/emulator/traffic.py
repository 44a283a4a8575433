"""What reached the emulator: a record of every request, and counts."""

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
    """Which kind of request it was."""
    rows: int
    """Customers in the body; 0 when the request was refused before its body was read."""
    customer_ids: tuple[str, ...]
    """Their ids, in order; of a look-up, the ids asked for."""
    status: int | None
    """Status answered; 0 when the connection was closed instead, None while there is no answer."""
    size: int = 0
    """Bytes of the body."""
    at: float = field(default_factory=time.monotonic)
    """When it came, in seconds by a clock that only goes forward."""
    fault: str = ""
    """The scheduled fault that happened to it, if any."""


class Traffic:
    """Requests so far; every method may be called from any thread."""

    def __init__(self) -> None:
        """Start with none."""
        self._lock = threading.Lock()
        self._records: list[RequestRecord] = []
        self._times_sent: Counter[str] = Counter()

    @property
    def records(self) -> list[RequestRecord]:
        """All records in the order in which they came, as a copy."""
        with self._lock:
            return list(self._records)

    @property
    def times_sent(self) -> dict[str, int]:
        """How often each customer_id came in the body of a bulk create that was read."""
        with self._lock:
            return dict(self._times_sent)

    def received(self, record: RequestRecord) -> int:
        """Write a request down as soon as it is read; gives the number to answer it by."""
        with self._lock:
            if record.call == "create":
                self._times_sent.update(record.customer_ids)
            self._records.append(record)
            return len(self._records) - 1

    def answered(self, number: int, status: int, fault: str = "") -> None:
        """Add to a request what became of it."""
        with self._lock:
            self._records[number] = replace(self._records[number], status=status, fault=fault)

    def stats(self) -> dict[str, Any]:
        """Give the counts as plain JSON values."""
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
