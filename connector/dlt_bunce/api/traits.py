"""What a run learns of the API on its way."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Traits:
    """What this run has learned of the API, shared by all batches.

    `partial`: a refused batch creates its good rows (True), none (False), or not known yet.

    False is a hint: it saves look-ups, and a wrong one costs requests only. True makes us believe
    a refusal's own count without a look-up, so a wrong one would lose rows; it needs proof. That
    the other rows of a refused batch are there proves nothing, for they may have been there
    before. Proof is a counted refusal whose other rows, each looked up and absent before it was
    ever sent, are all there afterwards. `probe` asks the next batch to be looked up beforehand;
    `counts_lie` rules the proof out for good, once a count and a look-up contradict each other.
    """

    partial: bool | None = None
    probe: bool = False
    counts_lie: bool = False

    def learn(self, *, absent: int, of: int, counted: bool, fresh: bool) -> None:
        """Learns from looking up the rows that a refusal did not name.

        `counted`: the refusal's count says that they are created. `fresh`: before that request
        none of them was there.
        """
        if 0 < absent < of:
            self.counts_lie = self.counts_lie or counted
        elif absent and self.partial is None:
            self.partial = False
        elif not absent and counted and not self.counts_lie and self.partial is not True:
            self.partial = True if fresh else None
            self.probe = not fresh

    def take_probe(self) -> bool:
        """Whether this batch is the one to be looked up before it is sent."""
        probe, self.probe = self.probe, False
        return probe

    @property
    def counts_are_believed(self) -> bool:
        """Whether rows that a refusal's count leaves over are created."""
        return self.partial is True and not self.counts_lie
