"""What must hold of a job's counts when its file is at an end."""

from __future__ import annotations

from collections.abc import Mapping

from dlt_bunce.errors import BunceError, ConservationError, RowsDeferredError, StoppedError
from dlt_bunce.records.values.targets import KINDS, Targets

_DEFECT = "This is a defect of dlt-bunce, please report it; the rows are kept."


def check_counts(
    counts: Mapping[str, int], expected: int | None, *, stopped: bool, fault: BunceError | None
) -> None:
    """Raise what kept rows from being settled: StoppedError where somebody `stopped` the load,
    `fault`, or RowsDeferredError; ConservationError where not each of the file's `expected` rows
    is counted once.
    """
    read, deferred = counts["read"], counts["deferred"]
    _refuse_overcount(counts, "rows")
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
        raise _miscounted(expected, read, "rows")


def check_value_rows(counts: Mapping[str, int], expected: int | None) -> None:
    """Raise ConservationError where not each of a file's `expected` rows of values is counted once,
    although all of their values are settled.
    """
    read, deferred = counts["read"], counts["deferred"]
    _refuse_overcount(counts, "rows of values")
    if deferred or (expected is not None and expected != read):
        raise _miscounted(read if expected is None else expected, read - deferred, "rows of values")


def check_values(
    found: Mapping[str, Mapping[str, int]], rows: int, targets: Targets, *, stopped: bool
) -> None:
    """Raise what kept values of a file's `rows` from being settled, as `check_counts` does."""
    for kind in KINDS:
        expected = rows * len(targets.of(kind))
        counts = found.get(kind, {"read": 0, "deferred": 0})
        deferred = counts["deferred"]
        _refuse_overcount(counts, f"values of {kind}")
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
            raise _miscounted(expected, counts["read"], f"values of {kind}")


def _refuse_overcount(counts: Mapping[str, int], things: str) -> None:
    """Raise ConservationError where more fates than things are counted."""
    read, deferred = counts["read"], counts["deferred"]
    if deferred < 0:
        raise ConservationError(
            f"{read} {things} were read, but {read - deferred} fates are counted for them.",
            remedy=_DEFECT,
        )


def _miscounted(expected: int, counted: int, things: str) -> ConservationError:
    return ConservationError(
        f"The file holds {expected} {things}, but {counted} are accounted for.", remedy=_DEFECT
    )
