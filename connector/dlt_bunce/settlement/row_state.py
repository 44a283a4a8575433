"""How each row of a batch stands: what is known of it, and what has become of it."""

from __future__ import annotations

from collections.abc import Iterable

from dlt_bunce.model import Verb
from dlt_bunce.settlement.capabilities import ApiCapabilities
from dlt_bunce.settlement.messages import Match
from dlt_bunce.settlement.row_result import Confirmation, RowResult
from dlt_bunce.settlement.work_item import WorkItem


class RowStates:
    """The rows 0 to `count` - 1. What a method returns is what has to go on."""

    def __init__(
        self,
        count: int,
        capabilities: ApiCapabilities,
        *,
        overwrite: bool,
        indeterminate: Iterable[int],
    ) -> None:
        self._count = count
        self._capabilities = capabilities
        self._overwrite = overwrite
        self._results: dict[int, RowResult] = {}
        self.indeterminate = set(indeterminate)
        """Rows that some request may have delivered without saying so."""
        self.absent_before: set[int] = set()
        """Rows that were not there before any request of content_matches."""
        self.switched: set[int] = set()
        """Rows that have changed to the other lane."""
        self.unknown: set[int] = set()
        """Rows to be updated of which there is no such customer."""

    @property
    def results(self) -> list[RowResult]:
        """What is known by now; what is not settled is deferred."""
        return [
            self._results.get(i) or RowResult("deferred", indeterminate=i in self.indeterminate)
            for i in range(self._count)
        ]

    def settle(self, rows: Iterable[int], result: RowResult) -> None:
        """The same result for some rows."""
        self._results |= dict.fromkeys(rows, result)

    def reject(self, rows: Iterable[int], code: str) -> None:
        """Each of the rows is for a dead letter."""
        self.settle(rows, RowResult("rejected", code=code))

    def updated(self, i: int, match: Match, confirmation: Confirmation) -> None:
        """The customer is shown after an update, perhaps with the email it had."""
        code = None if match.email else "email_not_updated"
        self.settle([i], RowResult("updated", confirmation, code=code))

    def mark_found(self, i: int, match: Match) -> list[WorkItem]:
        """A row to be created that a look-up has found: with our content it is delivered."""
        if not same(match):
            return self.mark_conflict(i)
        self.settle([i], RowResult("created" if i in self.indeterminate else "adopted", "lookup"))
        if i in self.indeterminate and self._capabilities.partial_success is False:
            # an earlier refusal did create it, the hint was wrong
            self._capabilities.partial_success = None
        return []

    def mark_conflict(self, i: int) -> list[WorkItem]:
        """The customer is there with other content."""
        if self._overwrite:
            return self.switch([i], "create")
        self.settle([i], RowResult("adopted", "lookup", content_matches=False))
        return []

    def mark_missing(self, rows: list[int]) -> list[WorkItem]:
        """Updates of customers that do not exist: no request so far has delivered them."""
        self.unknown.update(rows)
        self.indeterminate.difference_update(rows)
        return self.switch(rows, "update")

    def switch(self, rows: list[int], verb: Verb) -> list[WorkItem]:
        """To the other lane, once; a row that neither lane takes is refused."""
        self.reject([i for i in rows if i in self.switched], "refused")
        fresh = tuple(i for i in rows if i not in self.switched)
        self.switched.update(fresh)
        return [WorkItem(fresh, "update" if verb == "create" else "create")] if fresh else []


def same(match: Match | None) -> bool:
    """Whether what Bunce shows of a customer is what was sent."""
    return match is not None and match.email and match.rest
