"""What a run learns of the API on its way."""

from __future__ import annotations

from dataclasses import dataclass

_MOST = 0.75
"""This share of a refused batch is absent: none of it was created."""


@dataclass
class Traits:
    """What this run has learned of the API, shared by all batches.

    `partial`: a refused batch creates its good rows (True), none (False), or not known yet. False
    is a hint: it saves look-ups, and a wrong one costs requests only.

    `proven`: a refusal's own count ("k of n failed") is believed without a look-up for up to so
    many failures, for a wrong belief loses rows. Proof is a counted refusal whose other rows, each
    looked up and absent before it was ever sent, are all there afterwards. One failure proves
    nothing: an API that names only the first failure, or stops at it, looks the same. Once there is
    a proof, counts below the `highest` are believed as well, for none of them is the most that the
    API names. `probe` asks the next batch to be looked up beforehand, for the sake of a refusal of
    so many; once there is a proof, a new highest count asks for it only when it comes again.
    `counts_lie` rules belief out for good, once a count and a look-up contradict each other.
    """

    partial: bool | None = None
    proven: int = 0
    highest: int = 0
    repeated: bool = False
    """Whether the highest count was met more than once."""
    probe: int = 0
    counts_lie: bool = False
    echoes: bool = False
    """Whether a success has ever shown a row that was sent."""

    def learn(self, *, absent: int, of: int, named: int, counted: bool, fresh: bool) -> None:
        """Learns from looking up the `of` rows that a refusal did not name, `absent` of them.

        `counted`: the refusal's count says that they are created. `fresh`: before that request
        none of them was there.
        """
        if absent:
            self.counts_lie = self.counts_lie or counted
            # those that are there may have been there before
            if absent >= _MOST * of and self.partial is None:
                self.partial = False
        elif fresh:
            self.partial = True
            if counted and named > 1:
                self.proven = max(self.proven, named)
        elif counted and named > 1 and (not self.proven or self.repeated):
            self.probe = named

    @property
    def seeks_proof(self) -> bool:
        """Whether the next batch is the one to be looked up before it is sent."""
        return self.probe > 0 and not self.counts_lie and not self.believes(self.probe)

    def take_probe(self) -> bool:
        """Whether this batch is that one."""
        taken = self.seeks_proof
        self.probe = 0
        return taken

    def met(self, named: int) -> None:
        """Takes note of a counted refusal of `named` rows."""
        if named >= self.highest:
            self.repeated = named == self.highest
            self.highest = named

    def believes(self, named: int) -> bool:
        """Whether the rows that a counted refusal of `named` rows leaves over are created."""
        known = named <= self.proven or (self.proven > 0 and named < self.highest)
        return not self.counts_lie and named > 0 and known
