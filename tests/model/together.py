"""Plays the batches of loads together: some rows wait for what later batches show."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from dlt_bunce.settlement.capabilities import ApiCapabilities
from dlt_bunce.settlement.resolver import BatchResolver
from dlt_bunce.settlement.work_item import BatchRejection

from .explorer import Choose, History, drive, note
from .server import ApiVariant, CrashError, Customer, Server


@dataclass
class Loads:
    """Loads of the same batches, one after the other, until every row has its result.

    `choose` decides about an accident at every request; the last load has none.
    """

    reading: ApiVariant
    crowds: Sequence[Sequence[Customer]]
    chance: random.Random
    choose: Choose = lambda: "none"
    most: int = 4
    late: float = 0.1
    """How likely rows have waited long enough, after each batch."""
    waited: int = 0
    """Rows that were left over and waited."""
    capabilities: ApiCapabilities = field(default_factory=ApiCapabilities)

    def __post_init__(self) -> None:
        self.histories = [History(Server(self.reading, one)) for one in self.crowds]
        self._doubted: list[set[int]] = [set() for _ in self.crowds]

    def run(self) -> list[History]:
        """Runs the loads and returns what happened to each batch."""
        for number in range(self.most):
            if number == self.most - 1:
                self.choose = lambda: "none"
            self._begun = 0
            self._waiting: list[tuple[int, list[int], BatchRejection]] = []
            self._taken: list[tuple[int, list[int]]] = []
            try:
                self._load()
            except CrashError:
                # all that was on its way may have arrived
                for batch in range(self._begun):
                    self._doubted[batch] = set(self._todo(batch))
            self.capabilities = ApiCapabilities()
        return self.histories

    def _todo(self, batch: int) -> list[int]:
        return [i for i in range(len(self.crowds[batch])) if i not in self.histories[batch].results]

    def _load(self) -> None:
        for batch in range(len(self.crowds)):
            todo = self._todo(batch)
            self._begun = batch + 1
            if todo:
                self._first(batch, todo)
            self._decided()
            if self.chance.random() < self.late:
                self._check()
            if self.chance.random() < 0.3:
                self._all_taken()
        self._all_taken()
        self._check()
        for batch, rows, refusal in self._waiting:
            self._settle(batch, rows, indeterminate=range(len(rows)), caused_by=refusal)

    def _first(self, batch: int, todo: list[int]) -> None:
        indeterminate = [n for n, i in enumerate(todo) if i in self._doubted[batch]]
        probe = self.capabilities.take_verification()
        machine = self._settle(batch, todo, indeterminate=indeterminate, probe=probe, hold=True)
        for rows, refusal in machine.unverified:
            self.waited += len(rows)
            self._waiting.append((batch, [todo[n] for n in rows], refusal))
        if machine.held:
            self._taken.append((batch, [todo[n] for n in sorted(machine.held)]))

    def _settle(self, batch: int, todo: list[int], **how: object) -> BatchResolver:
        machine = BatchResolver(len(todo), "create", self.capabilities, overwrite=True, **how)  # type: ignore[arg-type]
        # whoever is in doubt at a crash is found out by the caller
        drive(machine, self.histories[batch], todo, self.choose)
        held = {todo[n] for n in machine.held.union(*(rows for rows, _ in machine.unverified))}
        left = note(machine, self.histories[batch], todo, held)
        self._doubted[batch] = self._doubted[batch].difference(todo) | left
        return machine

    def _decided(self) -> None:
        waiting, self._waiting = self._waiting, []
        for batch, rows, refusal in waiting:
            if self.capabilities.may_believe(refusal):
                self._waiting.append((batch, rows, refusal))
            else:
                self._settle(batch, rows, indeterminate=range(len(rows)), caused_by=refusal)

    def _check(self) -> None:
        if self._waiting:
            most = max(self._waiting, key=lambda one: one[2].named)
            self._waiting.remove(most)
            batch, rows, refusal = most
            self._settle(batch, rows, indeterminate=range(len(rows)), caused_by=refusal)

    def _all_taken(self) -> None:
        taken, self._taken = self._taken, []
        for batch, rows in taken:
            self._settle(batch, rows, taken=range(len(rows)))
