"""What a run learns of the API on its way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from dlt_bunce.settlement.work_item import BatchRejection

_MOST = 0.75
"""This share of a refused batch is absent: none of it was created."""
_MAX_PROBES = 8
"""Batches that are to bring a proof, after which none is expected of that sort."""


@dataclass
class Counts:
    """What is known of refusals of one sort that count their failures: of `bad` rows, of `taken`
    ones, or of both. An API may look for either at another time, and create the rest or not.

    `verified`: one of them is a proof. `checked`: how many each of those has named, and of how many
    rows, whose other rows were all found. `probe`: the next batch is to bring a proof, after
    `probes` that were to.
    """

    verified: bool = False
    checked: frozenset[tuple[int, int]] = frozenset()
    probe: bool = False
    probes: int = 0


@dataclass
class ApiCapabilities:
    """What this run has learned of the API, shared by all batches.

    `partial_success`: a refused batch creates its good rows (True), none (False), or not
    known yet. False is a hint: it saves look-ups, and a wrong one costs requests only.

    `counts`, by sort: a refusal's own count ("k of n failed") is believed without a look-up, for a
    wrong belief loses rows, only when two things are known. One is a proof: a counted refusal whose
    other rows, each looked up and absent before it was ever sent, are all there afterwards. One
    failure proves nothing: an API that names only the first failure, or stops at it, looks the
    same. The other is a refusal that has named more, and no smaller share, and whose other rows are
    there as well: an API may name no more than so many, or create nothing where too many fail. A
    probe asks the next batch to be looked up beforehand. `counts_unreliable` rules belief out for
    good, once a count and a look-up contradict each other, or a customer was there with other content,
    which a count may pass over.

    `lookup_supported`: customers can be looked up (True), cannot (False), or it is not known yet.
    `creates_rest`: what a refusal left over was there when it was looked up last. Both are hints.
    """

    partial_success: bool | None = None
    counts: dict[str, Counts] = field(default_factory=dict)
    counts_unreliable: bool = False
    lookup_supported: bool | None = None
    creates_rest: bool = False
    echoes_rows: bool = False
    """Whether a success has ever shown a row that was sent."""
    _verifying: threading.Lock = field(default_factory=threading.Lock)

    def learn(self, refusal: BatchRejection, absent: int, other: int, *, looked_up: int) -> None:
        """Learns from looking up the rows that a refusal left over: so many are absent, and so many
        there with other content.
        """
        counts, named, counted = self._of(refusal), refusal.named, refusal.counted
        self.creates_rest = not absent
        if counted and (absent or other):
            self.counts_unreliable = True
        elif counted:
            counts.checked |= {(named, refusal.of)}
        if absent:
            # those that are there may have been there before
            if absent >= _MOST * looked_up and self.partial_success is None:
                self.partial_success = False
        elif refusal.fresh:
            self.partial_success = True
            if counted and named > 1:
                counts.verified, counts.probe = True, False
        elif counted and named > 1:
            self.request_verification(refusal)

    @property
    def verification_requested(self) -> bool:
        """Whether the next batch is the one to be looked up before it is sent."""
        # other threads add sorts meanwhile
        return not self.counts_unreliable and any(
            one.probe and not one.verified for one in list(self.counts.values())
        )

    def take_verification(self) -> bool:
        """Whether this batch is that one."""
        taken = self.verification_requested
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
                turn.enter_context(self._verifying)
                probes = self.take_verification()
                if not probes:
                    turn.close()
            yield probes

    def believes(self, refusal: BatchRejection) -> bool:
        """Whether the rows that a refusal leaves over are created, since it counts its failures."""
        counts = self._of(refusal)
        if self.counts_unreliable or not (refusal.counted and counts.verified):
            return False
        return refusal.named > 0 and any(
            refusal.named < named and refusal.named * of <= named * refusal.of
            for named, of in counts.checked
        )

    def may_believe(self, refusal: BatchRejection) -> bool:
        """Whether a refusal is not believed yet, but may be once more is known."""
        hopeless = (
            self.counts_unreliable
            or self.lookup_supported is False
            or self.partial_success is False
        )
        if hopeless or not refusal.counted or self.believes(refusal):
            return False
        counts = self._of(refusal)
        if counts.verified:
            return refusal.named > 0
        return refusal.named > 1 and counts.probes < _MAX_PROBES

    def is_verified(self, refusal: BatchRejection) -> bool:
        """Whether one of its sort is a proof."""
        return self._of(refusal).verified

    def request_verification(self, refusal: BatchRejection) -> None:
        """Asks the next batch for a proof, unless there is one, or none to be had."""
        counts = self._of(refusal)
        counts.probe = not counts.verified and counts.probes < _MAX_PROBES

    def _of(self, refusal: BatchRejection) -> Counts:
        # several threads may ask for a new one at once
        return self.counts.setdefault(refusal.sort, Counts())
