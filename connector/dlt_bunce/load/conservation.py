"""What must hold of a job's counts when its file is at an end."""

from __future__ import annotations

from collections.abc import Mapping

from dlt_bunce.errors import BunceError, ConservationError, RowsDeferredError, StoppedError
from dlt_bunce.records.targets import KINDS, Targets


def check_counts(
    counts: Mapping[str, int], expected: int | None, *, stopped: bool, fault: BunceError | None
) -> None:
    """Raise what kept rows from being settled: StoppedError where somebody `stopped` the load,
    `fault`, or RowsDeferredError; ConservationError where not all of the file's `expected` rows
    are counted.
    """
    read, deferred = counts["read"], counts["deferred"]
    if stopped:
        raise StoppedError(
            f"Stopped: {read - deferred:,} of {read if expected is None else expected:,} rows are "
            "settled.",
            remedy="The next run takes up the others; what is settled is not sent again.",
        )
    if fault is not None:
        raise fault
    if deferred:
        raise RowsDeferredError(
            f"{deferred} of {read} rows could not be settled: another "
            "run is sending them, or Bunce names no reason within the bound on requests.",
            remedy="Run again; what is settled is not sent again.",
        )
    if expected is not None and expected != read:
        raise ConservationError(
            f"The file holds {expected} rows, but {read} are accounted for.",
            remedy="This is a defect of dlt-bunce, please report it; the rows are kept.",
        )


def check_value_rows(counts: Mapping[str, int], expected: int | None) -> None:
    """Raise ConservationError where not all of a file's `expected` rows of values are counted."""
    read = counts.get("read", 0)
    if expected is not None and expected != read:
        raise ConservationError(
            f"The file holds {expected} rows of values, but {read} are accounted for.",
            remedy="This is a defect of dlt-bunce, please report it; the rows are kept.",
        )


def check_values(
    found: Mapping[str, Mapping[str, int]], rows: int, targets: Targets, *, stopped: bool
) -> None:
    """Raise what kept values of a file's `rows` from being settled, as `check_counts` does."""
    for kind in KINDS:
        expected = rows * len(targets.of(kind))
        counts = found.get(kind, {"read": 0, "deferred": 0})
        deferred = counts["deferred"]
        if deferred and stopped:
            raise StoppedError(
                f"Stopped: {deferred:,} of {expected:,} values of {kind} are not settled.",
                remedy="The next run takes up the others; what is settled is not sent again.",
            )
        if deferred:
            raise RowsDeferredError(
                f"{deferred} of {expected} values of {kind} could not be settled: Bunce names no "
                "reason within the bound on requests.",
                remedy="Run again; what is settled is not sent again.",
            )
        if counts["read"] != expected:
            raise ConservationError(
                f"The file holds {expected} values of {kind}, but {counts['read']} are accounted "
                "for.",
                remedy="This is a defect of dlt-bunce, please report it; the rows are kept.",
            )
