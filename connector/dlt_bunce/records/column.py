"""One field of every row, as read and as judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Column:
    """Arrays of one length, one entry a row.

    `values`: string, the canonical value, null where missing or invalid.
    `invalid`: boolean without nulls.
    `reason`: string, null unless invalid; tells the shape of a value, never the value.
    `raw`: string, the value as the source has it; it feeds digests only, and no message.
    `noted`: boolean without nulls, or None: what somebody should look at, though it is no fault.
    """

    values: pa.Array
    invalid: pa.Array
    reason: pa.Array
    raw: pa.Array
    noted: pa.Array | None = None

    @property
    def notes(self) -> int:
        """How many values are noted."""
        return 0 if self.noted is None else int(self.noted.true_count)

    @classmethod
    def of(cls, values: pa.Array) -> Column:
        """A column in which nothing is invalid yet."""
        return cls(values, none_of(len(values)), pa.nulls(len(values), pa.string()), values)

    @classmethod
    def refused(cls, raw: pa.Array, present: pa.Array, reason: str) -> Column:
        """A column of a type that the field cannot have: whatever is present is invalid."""
        return cls(
            values=pa.nulls(len(raw), pa.string()),
            invalid=present,
            reason=pc.if_else(present, pa.scalar(reason), pa.scalar(None, pa.string())),
            raw=raw,
        )

    def refuse(self, mask: pa.Array, reasons: pa.Array) -> Column:
        """Marks the rows of `mask` (nulls count as false) invalid, with `reasons` for every row."""
        mask = pc.fill_null(mask, False)
        if not any_true(mask):
            return self
        return Column(
            values=pc.if_else(mask, pa.scalar(None, pa.string()), self.values),
            invalid=pc.or_(self.invalid, mask),
            reason=pc.if_else(mask, reasons, self.reason),
            raw=self.raw,
        )

    def with_values(self, values: pa.Array) -> Column:
        """The same verdicts over values that were brought closer to their canonical form."""
        return Column(values, self.invalid, self.reason, self.raw)

    def filter(self, mask: pa.Array) -> Column:
        """The rows of `mask` only."""
        return Column(*(part.filter(mask) for part in self._parts()))

    def or_default(self, default: str | None) -> Column:
        """Fills what is missing, not what is invalid."""
        if default is None or not self.values.null_count:
            return self
        missing = pc.and_(pc.is_null(self.values), pc.invert(self.invalid))
        return self.with_values(pc.if_else(missing, pa.scalar(default), self.values))

    def judge(
        self, passes: pa.Array, judgment: Callable[[str], tuple[str | None, str | None]]
    ) -> Column:
        """Lets a Python function decide on the values that a vectorized pattern does not pass.

        The function gets each distinct value once and returns its canonical form (None when there
        is none) and the reason why it is invalid (None when it is not).
        """
        rest = pc.and_not(pc.is_valid(self.values), pc.fill_null(passes, False))
        if not any_true(rest):
            return self
        encoded = self.values.filter(rest).dictionary_encode()
        judged = [judgment(text) for text in encoded.dictionary.to_pylist()]
        canonical = pa.array([value for value, _ in judged], pa.string()).take(encoded.indices)
        reasons = pa.array([reason for _, reason in judged], pa.string()).take(encoded.indices)
        refused = pc.replace_with_mask(self.invalid, rest, pc.is_valid(reasons))
        return Column(
            values=pc.replace_with_mask(self.values, rest, canonical),
            invalid=refused,
            reason=pc.replace_with_mask(self.reason, rest, reasons),
            raw=self.raw,
        )

    def _parts(self) -> tuple[pa.Array, pa.Array, pa.Array, pa.Array]:
        return self.values, self.invalid, self.reason, self.raw


def none_of(length: int) -> pa.Array:
    """`length` times false."""
    return pa.repeat(pa.scalar(False), length)


def any_true(mask: pa.Array) -> bool:
    """Whether a boolean array holds a single true."""
    return bool(mask.true_count)
