"""What a run learns of the API on its way."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

_MOST = 0.75
"""This share of a refused batch is absent: none of it was created."""


@dataclass
class Counts:
    """What is known of refusals of one sort that count their failures: of `bad` rows, of `taken`
    ones, or of both. An API may look for either at another time, and create the rest or not.

    `proven` failures were counted well by one of them, `highest` is the most that one has named,
    and `repeated` whether it was met more than once. `probe` failures want a proof.
    """

    proven: int = 0
    highest: int = 0
    repeated: bool = False
    probe: int = 0

    def met(self, named: int) -> None:
        """Takes note of a refusal."""
        if named >= self.highest:
            self.repeated = named == self.highest
            self.highest = named

    def knows(self, named: int) -> bool:
        """Whether a refusal of so many can be believed."""
        return 0 < named <= self.proven or (self.proven > 0 and 0 < named < self.highest)


@dataclass
class Traits:
    """What this run has learned of the API, shared by all batches.

    `partial`: a refused batch creates its good rows (True), none (False), or not known yet. False
    is a hint: it saves look-ups, and a wrong one costs requests only.

    `counts`, by sort: a refusal's own count ("k of n failed") is believed without a look-up for up
    to as many failures as are proven, for a wrong belief loses rows. Proof is a counted refusal
    whose other rows, each looked up and absent before it was ever sent, are all there afterwards.
    One failure proves nothing: an API that names only the first failure, or stops at it, looks the
    same. Once there is a proof, counts below the highest are believed as well, for none of them is
    the most that the API names. A probe asks the next batch to be looked up beforehand; once there
    is a proof, a new highest count asks for it only when it comes again. `counts_lie` rules belief
    out for good, once a count and a look-up contradict each other.
    """

    partial: bool | None = None
    counts: dict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))
    counts_lie: bool = False
    echoes: bool = False
    """Whether a success has ever shown a row that was sent."""
    _proving: threading.Lock = field(default_factory=threading.Lock)

    def learn(
        self, *, absent: int, of: int, named: int, sort: str, counted: bool, fresh: bool
    ) -> None:
        """Learns from looking up the `of` rows that a refusal did not name, `absent` of them.

        `counted`: the refusal's count says that they are created. `fresh`: before that request
        none of them was there.
        """
        counts = self.counts[sort]
        if absent:
            self.counts_lie = self.counts_lie or counted
            # those that are there may have been there before
            if absent >= _MOST * of and self.partial is None:
                self.partial = False
        elif fresh:
            self.partial = True
            if counted and named > 1:
                counts.proven = max(counts.proven, named)
        elif counted and named > 1 and (not counts.proven or counts.repeated):
            counts.probe = named

    @property
    def seeks_proof(self) -> bool:
        """Whether the next batch is the one to be looked up before it is sent."""
        # other threads add sorts meanwhile
        return not self.counts_lie and any(
            one.probe > 0 and not one.knows(one.probe) for one in list(self.counts.values())
        )

    def take_probe(self) -> bool:
        """Whether this batch is that one."""
        taken = self.seeks_proof
        for one in list(self.counts.values()):
            one.probe = 0
        return taken

    @contextmanager
    def turn(self, *, proves: bool) -> Iterator[None]:
        """While a batch proves what refusals mean, others wait: they would all be looked up."""
        with ExitStack() as turn:
            if proves:
                turn.enter_context(self._proving)
                if not self.seeks_proof:
                    turn.close()
            yield

    def met(self, named: int, sort: str) -> None:
        """Takes note of a counted refusal of `named` rows."""
        self.counts[sort].met(named)

    def believes(self, named: int, sort: str) -> bool:
        """Whether the rows that a counted refusal of `named` rows leaves over are created."""
        return not self.counts_lie and self.counts[sort].knows(named)
