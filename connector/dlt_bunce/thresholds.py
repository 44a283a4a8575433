"""Limits beyond which a run that is loaded and recorded still fails its caller."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Thresholds:
    """The settings of the same names; None means no limit."""

    max_reject_share: float | None = None
    max_reject_count: int | None = None
    min_rows_share_of_last: float | None = None
    min_rows: int | None = None

    def exceeded(self, *, read: int, rejected: int, last_read: int | None = None) -> dict[str, str]:
        """Return the thresholds that these counts violate, by setting name, with a clause on each.

        `last_read` is the number of rows read by the previous run, None if there was none.
        """
        found: dict[str, str] = {}
        share, count, least = (
            self.max_reject_share,
            self.max_reject_count,
            self.min_rows_share_of_last,
        )
        # divide rather than multiply: 0.29 * 100 is slightly less than 29
        if share is not None and rejected / max(read, 1) > share:
            found["max_reject_share"] = (
                f"{rejected} of {read} rows are rejected (threshold: {share:.2%})"
            )
        if count is not None and rejected > count:
            found["max_reject_count"] = (
                f"{rejected} of {read} rows are rejected (threshold: {_rows(count)})"
            )
        if least is not None and last_read and read / last_read < least:
            found["min_rows_share_of_last"] = (
                f"{_were_read(read)}, compared with {last_read} in the previous run "
                f"(threshold: {least:.2%} of that)"
            )
        if self.min_rows is not None and read < self.min_rows:
            found["min_rows"] = f"{_were_read(read)} (threshold: {_rows(self.min_rows)})"
        return found


def _rows(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"


def _were_read(count: int) -> str:
    return f"{_rows(count)} {'was' if count == 1 else 'were'} read"
