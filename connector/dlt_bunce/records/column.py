"""The values of one field for every row, with the validation result of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Column:
    """Arrays of equal length with one entry per row.

    `values`: string, the canonical value, null if missing or invalid.
    `invalid`: boolean without nulls.
    `reason`: string, null unless invalid; describes the shape of a value, never the value itself.
    `raw`: string, the value as the source has it; used for digests only, never in a message.
    `noted`: boolean without nulls, or None: values worth a warning, though they are not invalid.
    """

    values: pa.Array
    invalid: pa.Array
    reason: pa.Array
    raw: pa.Array
    noted: pa.Array | None = None

    @property
    def notes(self) -> int:
        """Number of noted values."""
        return 0 if self.noted is None else int(self.noted.true_count)

    @classmethod
    def of(cls, values: pa.Array) -> Column:
        """Return a column in which no value is invalid."""
        return cls(values, none_of(len(values)), pa.nulls(len(values), pa.string()), values)

    @classmethod
    def refused(cls, raw: pa.Array, present: pa.Array, reason: str) -> Column:
        """Return a column of a type the field does not accept: every present value is invalid."""
        return cls(
            values=pa.nulls(len(raw), pa.string()),
            invalid=present,
            reason=pc.if_else(present, pa.scalar(reason), pa.scalar(None, pa.string())),
            raw=raw,
        )

    def refuse(self, mask: pa.Array, reasons: pa.Array) -> Column:
        """Mark the rows of `mask` (nulls count as false) invalid; `reasons` has one per row."""
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
        """Return a column with the same validation results and more nearly canonical values."""
        return Column(values, self.invalid, self.reason, self.raw)

    def filter(self, mask: pa.Array) -> Column:
        """Return only the rows of `mask`."""
        return Column(*(part.filter(mask) for part in self._parts()))

    def or_default(self, default: str | None) -> Column:
        """Fill missing values with a default; invalid values stay invalid."""
        if default is None or not self.values.null_count:
            return self
        missing = pc.and_(pc.is_null(self.values), pc.invert(self.invalid))
        return self.with_values(pc.if_else(missing, pa.scalar(default), self.values))

    def judge(
        self, passes: pa.Array, judgment: Callable[[str], tuple[str | None, str | None]]
    ) -> Column:
        """Run a Python function on the values that did not pass a vectorized pattern.

        The function gets each distinct value once and returns its canonical form (None if there is
        none) and the reason why it is invalid (None if it is valid).
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
    """Return an array of `length` false values."""
    return pa.repeat(pa.scalar(False), length)


def any_true(mask: pa.Array) -> bool:
    """Return whether a boolean array contains at least one true."""
    return bool(mask.true_count)
