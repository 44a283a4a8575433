"""What a run learns of the API on its way."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from dlt_bunce.api.parcel import Refusal

_MOST = 0.75
"""This share of a refused batch is absent: none of it was created."""


@dataclass
class Counts:
    """What is known of refusals of one sort that count their failures: of `bad` rows, of `taken`
    ones, or of both. An API may look for either at another time, and create the rest or not.

    `proven`: one of them is a proof. `checked` is the most failures that one has named of which
    all other rows were found. `probe`: the next batch is to bring a proof.
    """

    proven: bool = False
    checked: int = 0
    probe: bool = False


@dataclass
class Traits:
    """What this run has learned of the API, shared by all batches.

    `partial`: a refused batch creates its good rows (True), none (False), or not known yet. False
    is a hint: it saves look-ups, and a wrong one costs requests only.

    `counts`, by sort: a refusal's own count ("k of n failed") is believed without a look-up, for a
    wrong belief loses rows, only when two things are known. One is a proof: a counted refusal whose
    other rows, each looked up and absent before it was ever sent, are all there afterwards. One
    failure proves nothing: an API that names only the first failure, or stops at it, looks the
    same. The other is a refusal that has named more, and whose other rows are there as well: an API
    may name no more than so many. A probe asks the next batch to be looked up beforehand.
    `counts_lie` rules belief out for good, once a count and a look-up contradict each other, or a
    customer was there with other content, which a count may pass over. `blind`: the last look-up
    was none.
    """

    partial: bool | None = None
    counts: dict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))
    counts_lie: bool = False
    blind: bool = False
    echoes: bool = False
    """Whether a success has ever shown a row that was sent."""
    _proving: threading.Lock = field(default_factory=threading.Lock)

    def learn(self, refusal: Refusal, *, absent: int, other: int, of: int) -> None:
        """Learns from looking up the `of` rows that a refusal left over: so many are absent, and so
        many there with other content.
        """
        counts, named, counted = self.counts[refusal.sort], refusal.named, refusal.counted
        if counted and (absent or other):
            self.counts_lie = True
        elif counted:
            counts.checked = max(counts.checked, named)
        if absent:
            # those that are there may have been there before
            if absent >= _MOST * of and self.partial is None:
                self.partial = False
        elif refusal.fresh:
            self.partial = True
            if counted and named > 1:
                counts.proven, counts.probe = True, False
        elif counted and named > 1:
            self.seek_proof(refusal.sort)

    @property
    def seeks_proof(self) -> bool:
        """Whether the next batch is the one to be looked up before it is sent."""
        # other threads add sorts meanwhile
        return not self.counts_lie and any(
            one.probe and not one.proven for one in list(self.counts.values())
        )

    def take_probe(self) -> bool:
        """Whether this batch is that one."""
        taken = self.seeks_proof
        for one in list(self.counts.values()):
            one.probe = False
        return taken

    @contextmanager
    def turn(self, *, proves: bool) -> Iterator[bool]:
        """Gives whether this batch is to be looked up before it is sent. While it is, others that
        could prove what refusals mean wait: they would all be looked up.
        """
        with ExitStack() as turn:
            probes = False
            if proves:
                turn.enter_context(self._proving)
                probes = self.take_probe()
                if not probes:
                    turn.close()
            yield probes

    def believes(self, refusal: Refusal) -> bool:
        """Whether the rows that a refusal leaves over are created, since it counts its failures."""
        counts = self.counts[refusal.sort]
        well = refusal.counted and counts.proven and not self.counts_lie
        return well and 0 < refusal.named < counts.checked

    def may_believe(self, refusal: Refusal) -> bool:
        """Whether a refusal is not believed yet, but may be once more is known."""
        hopeless = self.counts_lie or self.blind or self.partial is False
        if hopeless or not refusal.counted or self.believes(refusal):
            return False
        return refusal.named >= (1 if self.counts[refusal.sort].proven else 2)

    def seek_proof(self, sort: str) -> None:
        """Asks the next batch for a proof, unless there is one."""
        counts = self.counts[sort]
        counts.probe = not counts.proven
