"""How large batches are and how many are in flight: learned from how the server answers."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

TARGET_S = 10.0
"""Answers that take longer make batches smaller: far enough below any time-out."""
_QUICK = 0.25
"""Below this share of the target, batches grow by four and not by two."""
_GAIN = 1.1
"""More in flight must bring so many times the rows a second, or they are not worth it."""
_SIMILAR = 0.9
"""Batches from this share of each other's size count as equal."""
_FULL = 0.7
"""A batch that begins with less of its level in flight says nothing of the level."""
_ENOUGH = 2
"""More in flight than bring so many times the budget's requests only wait for their turns."""
_FEWEST = 2
"""The budget alone makes it no fewer: look-ups may take longer than the batches do."""
_CHANGED = 1.5
"""A server whose answers take so many times longer, or shorter, than measured is another one."""


class BatchSize:
    """Rows a batch: grows while answers are quick, never past what was refused as too large."""

    def __init__(self, start: int, largest: int, *, target_s: float = TARGET_S) -> None:
        self._size = self._start = min(start, largest)
        self._largest = self._allowed = largest
        self._target_s = target_s
        self._cap: int | None = None
        self._is_single_too_large = False
        self._accepted = 0
        self._lock = threading.Lock()

    def __call__(self) -> int:
        """Rows to put into the next batch."""
        return self._size

    @property
    def cap(self) -> int | None:
        """The most rows to try, if a batch was rejected for their number: not where a single row
        was too large, and no less than what was accepted.
        """
        if self._cap is None or self._is_single_too_large:
            return None
        return max(self._cap, self._accepted)

    @property
    def accepted(self) -> int:
        """The most rows in a batch that was accepted."""
        return self._accepted

    def answered(self, rows: int, seconds: float) -> None:
        """Learn from a batch that was accepted; a quick small one tells nothing of large ones."""
        affordable = int(rows * self._target_s / max(seconds, 0.001))
        growth = 4 if seconds < _QUICK * self._target_s else 2
        with self._lock:
            self._accepted = max(self._accepted, rows)
            if rows >= self._size * _SIMILAR or seconds > self._target_s:
                self._size = max(1, min(self._largest, self._size * growth, affordable))

    def too_large(self, rows: int) -> None:
        """Learn from a batch that was rejected for its size.

        If one row alone is too large, the batches that it was in say nothing of others: these start
        again from what was accepted.
        """
        with self._lock:
            if rows == 1:
                self._is_single_too_large = True
                self._largest = self._allowed
                start = min(self._accepted or self._start, self._allowed)
                self._size = max(self._size, start)
                return
            half = rows // 2
            # as many as were accepted before, if these were fewer
            below = max(half, self._accepted) if self._accepted < rows else half
            self._cap = self._largest = max(1, min(self._largest, below))
            self._size = min(self._size, self._largest)

    def timed_out(self, rows: int) -> None:
        """Learn from a batch that got no answer in time; a single row has no size to blame."""
        with self._lock:
            if rows > 1:
                self._size = min(self._size, rows // 2)

    def took_many_calls(self, rows: int) -> None:
        """Learn from a batch that could not be settled within its bound on calls."""
        self.timed_out(rows)


class Concurrency:
    """Batches in flight: the smallest power of two times `start` that brings the most rows a
    second, up to `most`, or as many as `per_second`, the requests that may leave, has use for.

    A level is measured by as many answers as it has batches, all of one size and begun at that
    level. Its neighbors are tried until both bring less or nothing more. Then it stays, until
    answers take another time than measured, or batches get another size.
    """

    def __init__(self, start: int, most: int, *, per_second: float = math.inf) -> None:
        self._most = most
        self._enough = _ENOUGH * per_second
        self._level = min(start, most)
        self._smaller = 0
        self._in_flight = 0
        self._free = threading.Condition()
        self._forget(0)

    def __call__(self) -> int:
        """Batches that may be in flight now."""
        return self._level

    @property
    def most(self) -> int:
        """Batches that may ever be in flight."""
        return self._most

    @contextmanager
    def slot(self) -> Iterator[int]:
        """Block until a batch may be sent; yield the `level` that `answered` takes."""
        with self._free:
            self._free.wait_for(lambda: self._in_flight < self._level)
            self._in_flight += 1
            level = self._level if self._in_flight >= self._level * _FULL else 0
        try:
            yield level
        finally:
            with self._free:
                self._in_flight -= 1
                self._free.notify_all()

    def answered(self, rows: int, seconds: float, level: int) -> bool:
        """Learn from a batch that began at `level` (0: with fewer in flight). True where the
        level may be what made it slow: then its size is not to blame yet.
        """
        with self._free:
            trying = not self._is_settled or level > self._level
            self._learn(rows, seconds, level)
            return trying and TARGET_S < seconds < 2 * TARGET_S

    def timed_out(self, level: int) -> None:
        """Learn from a batch of `level` that got no answer in time; the others that began with it
        say the same and count once.
        """
        with self._free:
            if level == self._level:
                self._level = max(1, self._level // 2)
                self._forget(0)

    def _learn(self, rows: int, seconds: float, level: int) -> None:
        self._follow_size(rows)
        if level != self._level or rows < self._rows * _SIMILAR:
            return
        settled = self._means.get(level) if self._is_settled else None
        if settled and not 1 / _CHANGED < seconds / settled < _CHANGED:
            self._forget(rows)
        if not self._is_settled:
            self._seconds.append(seconds)
            if len(self._seconds) >= level:
                self._means[level] = sum(self._seconds) / len(self._seconds)
                self._move()

    def _follow_size(self, rows: int) -> None:
        """Forget the speeds of batches of another size; a few small ones are left-overs."""
        self._smaller = self._smaller + 1 if rows < self._rows * _SIMILAR else 0
        if rows * _SIMILAR > self._rows or self._smaller >= self._level:
            self._forget(rows)

    def _forget(self, rows: int) -> None:
        self._rows = rows
        self._smaller = 0
        self._seconds: list[float] = []
        # seconds an answer takes, by level
        self._means: dict[int, float] = {}
        self._is_settled = False

    def _move(self) -> None:
        """To the best level that is known, or to a neighbor of it that is not known yet."""
        self._seconds = []
        speeds = {level: min(level / mean, self._enough) for level, mean in self._means.items()}
        most = max(speeds.values())
        best = min(level for level, speed in speeds.items() if speed * _GAIN >= most)
        higher, lower = min(best * 2, self._most), best // 2
        wanted = most < self._enough
        if not wanted and lower < _FEWEST:
            best, lower = max(best, min(_FEWEST, self._most)), 0
        # where more may take too long, it is first seen whether fewer bring as much
        room = self._means.get(best, 0) <= TARGET_S / 2 or lower in self._means or not lower
        if best == max(self._means) and higher != best and room and wanted:
            self._level = higher
        elif best == min(self._means) and lower:
            self._level = lower
        else:
            # the fewest that the budget leaves may be a level that is not measured yet
            self._level = best
            self._is_settled = best in self._means
        self._free.notify_all()


class Learner(Protocol):
    """Is told the outcome of each batch."""

    def answered(self, rows: int, seconds: float) -> None:
        """Note that a batch was accepted."""

    def too_large(self, rows: int) -> None:
        """Note that a batch was rejected for its size."""

    def timed_out(self, rows: int) -> None:
        """Note that a batch got no answer in time."""

    def took_many_calls(self, rows: int) -> None:
        """Note that a batch could not be settled within its request limit."""


@dataclass(frozen=True)
class Throttle:
    """Size and number in flight of a load's batches."""

    size: BatchSize
    concurrency: Concurrency

    @contextmanager
    def slot(self) -> Iterator[Learner]:
        """Block until a batch may be sent; yield the learner that is told its outcome."""
        with self.concurrency.slot() as level:
            yield _Slot(self.size, self.concurrency, level)


@dataclass(frozen=True)
class _Slot:
    size: BatchSize
    concurrency: Concurrency
    level: int

    def answered(self, rows: int, seconds: float) -> None:
        if not self.concurrency.answered(rows, seconds, self.level):
            self.size.answered(rows, seconds)

    def too_large(self, rows: int) -> None:
        self.size.too_large(rows)

    def timed_out(self, rows: int) -> None:
        self.size.timed_out(rows)
        self.concurrency.timed_out(self.level)

    def took_many_calls(self, rows: int) -> None:
        self.size.took_many_calls(rows)
