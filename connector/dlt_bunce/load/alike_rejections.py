"""Whole requests of values that are rejected alike: then it is about none of the values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dlt_bunce.errors import AccountRefusedError
from dlt_bunce.settlement.row_result import RowResult

_MAX_BATCHES = 3
"""Batches in a row, of two values or more, that may be rejected alike before the load stops."""
_MAX_SHOWN = 200
_KEPT = "then run again: nothing is lost, and no value stays rejected for it."


@dataclass
class AlikeRejections:
    """Batches of one operation of which every value was rejected in the same words, since the last
    one that had a value accepted.
    """

    batches: int = 0
    _last: tuple[str | None, str | None] | None = None

    def note(self, results: Sequence[RowResult]) -> AccountRefusedError | None:
        """Take note of a batch; return what stops the load once too many were rejected alike."""
        if any(result.fate not in {"rejected", "deferred"} for result in results):
            self.batches = 0
            return None
        seen = {(result.code, result.message) for result in results}
        if len(results) == 1 or len(seen) > 1 or results[0].fate == "deferred":
            return None
        ((code, words),) = seen
        self.batches = self.batches + 1 if self._last == (code, words) else 1
        self._last = (code, words)
        if self.batches < _MAX_BATCHES:
            return None
        return _refused(code, words or "", results[0].http_status)


def _refused(code: str | None, words: str, status: int | None) -> AccountRefusedError:
    if code == "unconfirmed":
        error = AccountRefusedError(
            "Bunce accepts requests with values, but its answers show none of the values: either "
            "it has lost their customers, or it never shows any.",
            remedy="Look in Bunce's dashboard whether the customers are there. If they are, let "
            f"loads know what the answers show: dlt-bunce probe --attribute NAME; {_KEPT}",
        )
    else:
        error = AccountRefusedError(
            "Bunce rejects every value of every request for the same reason (HTTP "
            f'{status}): "{words[:_MAX_SHOWN]}"',
            remedy=f"Correct this at the source, or settle it with Bunce; {_KEPT}",
        )
    error.words = words
    return error
