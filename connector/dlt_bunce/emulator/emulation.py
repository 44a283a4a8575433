"""State of one running emulator."""

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
    """Switches, customers, rate limit, and records, shared by the app and its controller."""

    def __init__(self, behavior: Behavior | None = None) -> None:
        """Start empty with these switches, which `reset` restores."""
        self._initial = behavior or Behavior()
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Delete customers, requests, and blocks, and restore the initial switches."""
        self.workspace = Workspace(self._initial.seed)
        self.limit = RateLimit()
        self.traffic = Traffic()
        self.behavior = self._initial

    @property
    def behavior(self) -> Behavior:
        """The switches; setting them restarts the counting for faults."""
        return self._behavior

    @behavior.setter
    def behavior(self, behavior: Behavior) -> None:
        with self._lock:
            self._behavior = behavior
            self._counts = [0] * len(behavior.faults)

    def next_fault(self, call: Call) -> tuple[Behavior, Fault | None]:
        """Count a request; return the switches in force and the fault that happens to it."""
        with self._lock:
            behavior = self._behavior
            matched: Fault | None = None
            for position, fault in enumerate(behavior.faults):
                if not fault.counts(call):
                    continue
                self._counts[position] += 1
                seed = f"{behavior.seed}/{position}"
                if matched is None and fault.strikes(self._counts[position], seed):
                    matched = fault
            return behavior, matched

    def seed(self, customers: Iterable[Row]) -> None:
        """Store customers as they are, with no rule applied; one without an id is given one."""
        self.workspace.seed(customers)

    def stats(self) -> dict[str, Any]:
        """Return all counts as plain JSON values."""
        return {**self.traffic.stats(), "customers": len(self.workspace)}
