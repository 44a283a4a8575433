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
    nothing: an API that names only the first failure, or stops at it, looks the same. `probe` asks
    the next batch to be looked up beforehand; `counts_lie` rules belief out for good, once a count
    and a look-up contradict each other.
    """

    partial: bool | None = None
    proven: int = 0
    probe: bool = False
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
        elif counted and named > max(1, self.proven) and not self.counts_lie:
            self.probe = True

    def take_probe(self) -> bool:
        """Whether this batch is the one to be looked up before it is sent."""
        probe, self.probe = self.probe, False
        return probe

    def believes(self, named: int) -> bool:
        """Whether the rows that a counted refusal of `named` rows leaves over are created."""
        return not self.counts_lie and 0 < named <= self.proven
