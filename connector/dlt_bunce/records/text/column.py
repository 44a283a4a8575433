"""The values of one field for every row, with the validation result of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

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
    `blanked`: boolean without nulls, or None: values that are missing because they were
    placeholders.
    """

    values: pa.Array
    invalid: pa.Array
    reason: pa.Array
    raw: pa.Array
    noted: pa.Array | None = None
    blanked: pa.Array | None = None

    @property
    def notes(self) -> int:
        """Number of noted values."""
        return 0 if self.noted is None else int(self.noted.true_count)

    @property
    def missing(self) -> pa.Array:
        """Rows without a value that is at fault."""
        return pc.and_(pc.is_null(self.values), pc.invert(self.invalid))

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
        return replace(
            self,
            values=pc.if_else(mask, pa.scalar(None, pa.string()), self.values),
            invalid=pc.or_(self.invalid, mask),
            reason=pc.if_else(mask, reasons, self.reason),
        )

    def with_values(self, values: pa.Array) -> Column:
        """Return a column with the same validation results and more nearly canonical values."""
        return replace(self, values=values)

    def filter(self, mask: pa.Array) -> Column:
        """Return only the rows of `mask`."""
        parts = (self.values, self.invalid, self.reason, self.raw, self.noted, self.blanked)
        return Column(*(None if part is None else part.filter(mask) for part in parts))

    def or_else(self, other: Column) -> Column:
        """Fill missing values, with their validation results, from another column."""
        missing = self.missing
        if not any_true(missing):
            return self
        noted = None if other.noted is None else pc.and_(missing, other.noted)
        return Column(
            values=pc.if_else(missing, other.values, self.values),
            invalid=pc.if_else(missing, other.invalid, self.invalid),
            reason=pc.if_else(missing, other.reason, self.reason),
            raw=pc.if_else(missing, pc.coalesce(other.raw, self.raw), self.raw),
            noted=_either(self.noted, noted),
            blanked=_either(self.blanked, other.blanked),
        )

    def or_default(self, default: str | None) -> Column:
        """Fill missing values with a default; invalid values stay invalid."""
        if default is None or not self.values.null_count:
            return self
        return self.with_values(pc.if_else(self.missing, pa.scalar(default), self.values))

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
        return replace(
            self,
            values=pc.replace_with_mask(self.values, rest, canonical),
            invalid=refused,
            reason=pc.replace_with_mask(self.reason, rest, reasons),
        )


def none_of(length: int) -> pa.Array:
    """Return an array of `length` false values."""
    return pa.repeat(pa.scalar(False), length)


def any_true(mask: pa.Array) -> bool:
    """Return whether a boolean array contains at least one true."""
    return bool(mask.true_count)


def _either(mask: pa.Array | None, other: pa.Array | None) -> pa.Array | None:
    if mask is None or other is None:
        return other if mask is None else mask
    return pc.or_(mask, other)
