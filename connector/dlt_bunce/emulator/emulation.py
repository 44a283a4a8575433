"""Everything one running emulator remembers."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dlt_bunce.emulator.behavior import Behavior, Call, Fault
from dlt_bunce.emulator.limit import RateLimit
from dlt_bunce.emulator.traffic import Traffic
from dlt_bunce.emulator.workspace import Workspace

if TYPE_CHECKING:
    from dlt_bunce.emulator.rules import Row


class Emulation:
    """Switches, customers, rate limit, and records, shared by the app and whoever steers it."""

    def __init__(self, behavior: Behavior | None = None) -> None:
        """Start empty with these switches; `reset` comes back to them."""
        self._first = behavior or Behavior()
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget customers, requests, and blocks, and go back to the first switches."""
        self.workspace = Workspace(self._first.seed)
        self.limit = RateLimit()
        self.traffic = Traffic()
        self.behavior = self._first

    @property
    def behavior(self) -> Behavior:
        """The switches; setting them starts the counting of faults anew."""
        return self._behavior

    @behavior.setter
    def behavior(self, behavior: Behavior) -> None:
        with self._lock:
            self._behavior = behavior
            self._counts = [0] * len(behavior.faults)

    def next_fault(self, call: Call) -> tuple[Behavior, Fault | None]:
        """Count a request; give the switches it is under and the fault that strikes it."""
        with self._lock:
            behavior = self._behavior
            struck: Fault | None = None
            for place, fault in enumerate(behavior.faults):
                if not fault.counts(call):
                    continue
                self._counts[place] += 1
                seed = f"{behavior.seed}/{place}"
                if struck is None and fault.strikes(self._counts[place], seed):
                    struck = fault
            return behavior, struck

    def seed(self, customers: Iterable[Row]) -> None:
        """Store customers as they are, with no rule applied."""
        self.workspace.seed(customers)

    def stats(self) -> dict[str, Any]:
        """Give all counts as plain JSON values."""
        return {**self.traffic.stats(), "customers": len(self.workspace)}
