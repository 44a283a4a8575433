"""What a run learns of the API on its way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from dlt_bunce.settlement.work_item import Refusal

_MOST = 0.75
"""This share of a refused batch is absent: none of it was created."""
_MOST_PROBES = 8
"""Batches that are to bring a proof, after which none is expected of that sort."""


@dataclass
class Counts:
    """What is known of refusals of one sort that count their failures: of `bad` rows, of `taken`
    ones, or of both. An API may look for either at another time, and create the rest or not.

    `proven`: one of them is a proof. `checked`: how many each of those has named, and of how many
    rows, whose other rows were all found. `probe`: the next batch is to bring a proof, after
    `probes` that were to.
    """

    proven: bool = False
    checked: frozenset[tuple[int, int]] = frozenset()
    probe: bool = False
    probes: int = 0


@dataclass
class Traits:
    """What this run has learned of the API, shared by all batches.

    `partial`: a refused batch creates its good rows (True), none (False), or not known yet. False
    is a hint: it saves look-ups, and a wrong one costs requests only.

    `counts`, by sort: a refusal's own count ("k of n failed") is believed without a look-up, for a
    wrong belief loses rows, only when two things are known. One is a proof: a counted refusal whose
    other rows, each looked up and absent before it was ever sent, are all there afterwards. One
    failure proves nothing: an API that names only the first failure, or stops at it, looks the
    same. The other is a refusal that has named more, and no smaller share, and whose other rows are
    there as well: an API may name no more than so many, or create nothing where too many fail. A
    probe asks the next batch to be looked up beforehand. `counts_lie` rules belief out for good,
    once a count and a look-up contradict each other, or a customer was there with other content,
    which a count may pass over.

    `sees`: customers can be looked up (True), cannot (False), or it is not known yet.
    `creates_rest`: what a refusal left over was there when it was looked up last. Both are hints.
    """

    partial: bool | None = None
    counts: dict[str, Counts] = field(default_factory=dict)
    counts_lie: bool = False
    sees: bool | None = None
    creates_rest: bool = False
    echoes: bool = False
    """Whether a success has ever shown a row that was sent."""
    _proving: threading.Lock = field(default_factory=threading.Lock)

    def learn(self, refusal: Refusal, absent: int, other: int, *, looked_up: int) -> None:
        """Learns from looking up the rows that a refusal left over: so many are absent, and so many
        there with other content.
        """
        counts, named, counted = self._of(refusal), refusal.named, refusal.counted
        self.creates_rest = not absent
        if counted and (absent or other):
            self.counts_lie = True
        elif counted:
            counts.checked |= {(named, refusal.of)}
        if absent:
            # those that are there may have been there before
            if absent >= _MOST * looked_up and self.partial is None:
                self.partial = False
        elif refusal.fresh:
            self.partial = True
            if counted and named > 1:
                counts.proven, counts.probe = True, False
        elif counted and named > 1:
            self.seek_proof(refusal)

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
            one.probes += taken and one.probe
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
        counts = self._of(refusal)
        if self.counts_lie or not (refusal.counted and counts.proven):
            return False
        return refusal.named > 0 and any(
            refusal.named < named and refusal.named * of <= named * refusal.of
            for named, of in counts.checked
        )

    def may_believe(self, refusal: Refusal) -> bool:
        """Whether a refusal is not believed yet, but may be once more is known."""
        hopeless = self.counts_lie or self.sees is False or self.partial is False
        if hopeless or not refusal.counted or self.believes(refusal):
            return False
        counts = self._of(refusal)
        if counts.proven:
            return refusal.named > 0
        return refusal.named > 1 and counts.probes < _MOST_PROBES

    def is_proven(self, refusal: Refusal) -> bool:
        """Whether one of its sort is a proof."""
        return self._of(refusal).proven

    def seek_proof(self, refusal: Refusal) -> None:
        """Asks the next batch for a proof, unless there is one, or none to be had."""
        counts = self._of(refusal)
        counts.probe = not counts.proven and counts.probes < _MOST_PROBES

    def _of(self, refusal: Refusal) -> Counts:
        # several threads may ask for a new one at once
        return self.counts.setdefault(refusal.sort, Counts())
