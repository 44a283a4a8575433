"""When a run that is loaded and recorded fails its caller all the same."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Thresholds:
    """The settings of the same names; what is None is not looked at."""

    max_reject_share: float | None = None
    max_reject_count: int | None = None
    min_rows_share_of_last: float | None = None
    min_rows: int | None = None

    def exceeded(self, *, read: int, rejected: int, last_read: int | None = None) -> dict[str, str]:
        """What a run of these figures is outside of: the setting's name, and a clause about it.

        `last_read` are the rows of the run to compare with, None where there is none.
        """
        found: dict[str, str] = {}
        share, count, least = (
            self.max_reject_share,
            self.max_reject_count,
            self.min_rows_share_of_last,
        )
        # divided, since 0.29 * 100 is a little less than 29
        if share is not None and rejected / max(read, 1) > share:
            found["max_reject_share"] = (
                f"{rejected} of {read} rows are rejected (threshold: {share:.2%})"
            )
        if count is not None and rejected > count:
            found["max_reject_count"] = (
                f"{rejected} of {read} rows are rejected (threshold: {count} rows)"
            )
        if self.min_rows is not None and read < self.min_rows:
            found["min_rows"] = f"{read} rows were read (threshold: {self.min_rows} rows)"
        if least is not None and last_read and read / last_read < least:
            found["min_rows_share_of_last"] = (
                f"{read} rows were read, and {last_read} in the run before "
                f"(threshold: {least:.2%} of those)"
            )
        return found
