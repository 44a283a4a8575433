"""What a run learns about the API as it goes, shared by all of its batches."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from dlt_bunce.model import Verb
from dlt_bunce.settlement.work_item import BatchRejection

_MOSTLY = 0.75
"""When this share of a rejected batch is absent, none of it was created."""
_MAX_PROBES = 8
"""Batches that may be looked up beforehand, after which no proof is expected for their sort."""
SAME_WORDS = 3
"""Unrelated rows rejected alone in the same words, none accepted since: it is the account."""
SAME_UNKNOWN_WORDS = 10
"""The same, where the words do not speak of an account, and others were accepted before."""
SAME_BATCHES = 4
"""Batches of such rows, where the words do not speak of an account: one may hold bad rows alone."""
SAME_FIELD = 1_000
"""Rows rejected alone in the same words about a field, none ever accepted: it is the source."""
FEW_ROWS = 3
"""A batch of so few rows has none to compare them with."""
MAX_LONE_ROWS = 10
"""Rows a run may give up with no other row to compare them with."""
_DIGITS = re.compile(r"\d+")
_ACCOUNT = re.compile(
    r"\byour\s+(?:plan|account|subscription|workspace|organi[sz]ation)\b|\bsuspended\b|\bquota\b|"
    r"\binsufficient\s+(?:balance|funds|credit|permission|privilege)|\bmaintenance\b|\bbilling\b|"
    r"\bread.?only\b|\bupgrade\b|\bmaximum\s+number\s+of\s+customers\b|\bnot\s+(?:allowed|permitted)\b|"
    r"\bpayment\s+required\b|\btry\s+again\s+later\b|\b(?:verify|activate|confirm)\s+your\b|"
    r"\blimit\b.{0,40}\b(?:reached|exceeded)\b|\b(?:reached|exceed\w*)\b.{0,40}\blimit\b",
    re.IGNORECASE,
)


def is_about_the_account(words: str) -> bool:
    """Whether words that name no row and no field speak of a plan, a limit, or an account."""
    return _ACCOUNT.search(words) is not None


def _count(alike: Counter[tuple[Verb, str]], verb: Verb, words: str) -> int:
    key = verb, _DIGITS.sub("#", words)
    alike[key] += 1
    return alike[key]


@dataclass
class Counts:
    """What is known of rejections of one sort that count their failures.

    Their sort is the reasons that they name: `bad` rows, `taken` ones, or both. An API may check
    for either at another time, and create the rest or not. `verified`: one of them is a proof.
    `checked`: how many rows each named, and of how many, where all other rows were found.
    `probe`: the next batch is to bring a proof, after `probes` that were to.
    """

    verified: bool = False
    checked: frozenset[tuple[int, int]] = frozenset()
    probe: bool = False
    probes: int = 0


@dataclass
class ApiCapabilities:
    """What is known of the API, by all batches of a run.

    `partial_success`: a rejected batch creates its good rows (True), none (False), or it is not
    known yet. False is a hint: it saves look-ups, and a wrong one only costs requests.

    `counts`, by sort: a rejection's own count ("k of n failed") is believed without a look-up only
    when two things are known, since a wrong belief loses rows. One is a proof: a counted rejection
    whose other rows, each looked up and absent before it was ever sent, all exist afterwards. One
    failure proves nothing: an API that names only the first failure, or stops at it, looks the
    same. The other is a rejection that named more rows, and no smaller share, whose other rows
    exist as well: an API may name only so many, or create nothing where too many fail.
    `counts_unreliable` rules belief out for good, once a count and a look-up contradict each
    other, or a customer existed with other content, which a count may pass over.

    `lookup_supported`: customers can be looked up (True), cannot (False), or it is not known yet.
    `creates_rest`: what a rejection left over existed when it was looked up last. Both are hints.
    `first_index` is what the first row of a request is called in errors: 0, 1, or not known yet.

    `answered` and `accepted` count, by operation, the requests that were answered about their
    rows, and those that were accepted: what others get tells a bad row from a bad day.
    """

    partial_success: bool | None = None
    counts: dict[str, Counts] = field(default_factory=dict)
    counts_unreliable: bool = False
    lookup_supported: bool | None = None
    creates_rest: bool = False
    echoes_rows: bool = False
    """Whether a success has ever shown a row that was sent, or that it took none."""
    empty_echo: bool = False
    """Whether a success has an empty list for what it shows, whatever it took."""
    first_index: int | None = None
    answered: Counter[Verb] = field(default_factory=Counter)
    accepted: Counter[Verb] = field(default_factory=Counter)
    lone_rows: int = 0
    """Rows given up with no other row to compare them with."""
    _unexplained: Counter[tuple[Verb, str]] = field(default_factory=Counter)
    _set_aside: Counter[tuple[Verb, str]] = field(default_factory=Counter)
    _about_fields: Counter[tuple[Verb, str]] = field(default_factory=Counter)
    _alone: threading.Lock = field(default_factory=threading.Lock)

    def note_answer(self, verb: Verb, *, accepted: bool) -> None:
        """Count a request that was answered about its rows."""
        self.answered[verb] += 1
        if accepted:
            self.note_created(verb)

    def note_created(self, verb: Verb) -> None:
        """Count a request that delivered rows, even if it was rejected for others."""
        self.accepted[verb] += 1
        for counter in (self._unexplained, self._set_aside):
            for alike in [alike for alike in list(counter) if alike[0] == verb]:
                del counter[alike]

    def note_unexplained(self, verb: Verb, words: str) -> int:
        """Count a row rejected alone in words that name no field; return how many in a row were."""
        return _count(self._unexplained, verb, words)

    def note_field(self, verb: Verb, words: str) -> int:
        """Count a row rejected alone in words about a field; return how many were, if all were."""
        return 0 if self.accepted[verb] else _count(self._about_fields, verb, words)

    def note_set_aside(self, verb: Verb, words: str) -> int:
        """Count a batch in which so many rows were; return how many in a row this makes."""
        return _count(self._set_aside, verb, words)

    def learn(self, rejection: BatchRejection, absent: int, other: int, *, looked_up: int) -> None:
        """Learn from looking up the rows that a rejection left over: how many are absent, and how
        many exist with other content.
        """
        counts, named, counted = self._of(rejection), rejection.named, rejection.counted
        self.creates_rest = not absent
        if counted and (absent or other):
            self.counts_unreliable = True
        elif counted:
            counts.checked |= {(named, rejection.of)}
        if absent:
            # those that exist may have existed before
            if absent >= _MOSTLY * looked_up and self.partial_success is None:
                self.partial_success = False
        elif rejection.fresh:
            self.partial_success = True
            if counted and named > 1:
                counts.verified, counts.probe = True, False
        elif counted and named > 1:
            counts.probe = not counts.verified and counts.probes < _MAX_PROBES

    @contextmanager
    def turn(self, *, alone: bool) -> Iterator[bool]:
        """Give whether this batch is to be looked up before it is sent.

        `alone`: batches of creates go one at a time until one is answered, while one is to bring a
        proof, since each would have to be looked up, and while rows were rejected that may be bad
        or not, since each would have to find out.
        """
        with ExitStack() as turn:
            probes = False
            if alone:
                turn.enter_context(self._alone)
                probes = self.take_probe()
                if not probes and self.answered["create"] and not self._unexplained:
                    turn.close()
            yield probes

    def take_probe(self) -> bool:
        """Whether the batch that asks is the one to bring a proof."""
        # other threads add sorts meanwhile
        waiting = [counts for counts in list(self.counts.values()) if counts.probe]
        taken = not self.counts_unreliable and any(not counts.verified for counts in waiting)
        for counts in waiting:
            counts.probes += taken
            counts.probe = False
        return taken

    def believes(self, rejection: BatchRejection) -> bool:
        """Whether the rows that a rejection leaves over are created, since it counts failures."""
        counts = self._of(rejection)
        if self.counts_unreliable or not (rejection.counted and counts.verified):
            return False
        return rejection.named > 0 and any(
            rejection.named < named and rejection.named * of <= named * rejection.of
            for named, of in counts.checked
        )

    def _of(self, rejection: BatchRejection) -> Counts:
        # several threads may ask for a new one at once
        return self.counts.setdefault(rejection.sort, Counts())
