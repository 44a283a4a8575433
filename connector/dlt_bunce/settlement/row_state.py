"""The state of each row of a batch: what is known of it, and what has become of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from dlt_bunce.model import Verb
from dlt_bunce.settlement.capabilities import ApiCapabilities
from dlt_bunce.settlement.messages import Match, Reason
from dlt_bunce.settlement.row_result import Confirmation, RowResult
from dlt_bunce.settlement.work_item import WorkItem

_NO_REASON: Mapping[int, Reason] = MappingProxyType({})


class RowStates:
    """The rows 0 to `count` - 1. Methods return the work that follows, if any."""

    def __init__(
        self,
        count: int,
        capabilities: ApiCapabilities,
        *,
        overwrite: bool,
        indeterminate: Iterable[int] = (),
        lagging: Iterable[int] = (),
        linked: Iterable[int] = (),
        reasons: Mapping[int, Reason] = _NO_REASON,
    ) -> None:
        self._count = count
        self._capabilities = capabilities
        self._overwrite = overwrite
        self._results: dict[int, RowResult] = {}
        self.reasons = dict(reasons)
        """What Bunce said last of each row."""
        self.indeterminate = {*indeterminate, *lagging}
        """Rows that some request may have delivered without saying so."""
        self.indeterminate_before = frozenset(self.indeterminate.difference(lagging))
        """Rows that an earlier run may have delivered."""
        self.likely_delivered = set(self.indeterminate_before)
        """Rows that, if they are called taken next, were most likely delivered by this run."""
        self.absent_before: set[int] = set()
        """Rows that did not exist before any request of this run."""
        self.switched: set[int] = set()
        """Rows that have changed to the other operation."""
        self.unknown: set[int] = set()
        """Rows to be updated whose customer does not exist."""
        self._linked = frozenset(linked)

    @property
    def results(self) -> list[RowResult]:
        """One result a row; rows that are not settled are deferred."""
        return [
            self._results.get(i) or RowResult("deferred", indeterminate=i in self.indeterminate)
            for i in range(self._count)
        ]

    def is_rejected(self, i: int) -> bool:
        """Whether the row is settled, as rejected."""
        result = self._results.get(i)
        return result is not None and result.fate == "rejected"

    def unsettled(self, rows: Iterable[int]) -> tuple[int, ...]:
        """Those of the rows that have no result yet."""
        return tuple(i for i in rows if i not in self._results)

    def settle(self, rows: Iterable[int], result: RowResult) -> None:
        """Give the same result to some rows, each with what Bunce said of it."""
        if result.code is None:
            self._results |= dict.fromkeys(rows, result)
            return
        for i in rows:
            reason = self.reasons.get(i)
            self._results[i] = (
                result
                if reason is None
                else replace(result, message=reason.text, http_status=reason.status)
            )

    def reject(self, rows: Iterable[int], code: str) -> None:
        """Make each of the rows a dead letter."""
        self.settle(rows, RowResult("rejected", code=code))

    def updated(self, i: int, match: Match, confirmation: Confirmation) -> None:
        """Settle a row that is shown after an update, perhaps with the email it had before."""
        code = None if match.email else "email_not_updated"
        self.settle([i], RowResult("updated", confirmation, code=code))

    def mark_found(self, i: int, match: Match) -> list[WorkItem]:
        """Settle a row to be created that a look-up found: with our content it is delivered."""
        if not same(match) or not (match.devices or i in self.indeterminate):
            return self.mark_conflict(i)
        self.settle([i], RowResult("created" if i in self.indeterminate else "adopted", "lookup"))
        if i in self.indeterminate and self._capabilities.partial_success is False:
            # an earlier rejection did create it, so the hint was wrong
            self._capabilities.partial_success = None
        return []

    def mark_conflict(self, i: int) -> list[WorkItem]:
        """Handle a customer that exists with other content."""
        if self._overwrite:
            return self.switch([i], "create")
        self.settle([i], RowResult("adopted", "lookup", content_matches=False))
        return []

    def mark_missing(self, rows: list[int]) -> list[WorkItem]:
        """Handle updates of customers that do not exist: no request has delivered them."""
        self.unknown.update(rows)
        self.indeterminate.difference_update(rows)
        self.settle(self._linked.intersection(rows), RowResult("deferred", link_lost=True))
        return self.switch([i for i in rows if i not in self._linked], "update")

    def switch(self, rows: list[int], verb: Verb) -> list[WorkItem]:
        """Change rows to the other operation, once; a row that neither takes is refused.

        A linked row is refused at once: it would create a customer under an id that Bunce made.
        """
        final = self.switched | self._linked
        self.reject([i for i in rows if i in final], "refused")
        fresh = tuple(i for i in rows if i not in final)
        self.switched.update(fresh)
        return [WorkItem(fresh, "update" if verb == "create" else "create")] if fresh else []


def not_linked(reason: Reason | None, why: str) -> Reason:
    """Return what Bunce said of a row, and why the row is not linked to who has its email."""
    last = reason or Reason("taken")
    return last._replace(text=f"{last.text}; not linked: {why}".removeprefix("; "))


def why_unknown(holders: Mapping[str | None, Match] | None) -> str:
    """Return why it is not known who has an email, of those whom a look-up by it shows."""
    if holders is None:
        return "customers cannot be looked up by this email"
    if not holders:
        return "a look-up shows no customer with this email"
    if len(holders) > 1:
        return "several customers in Bunce have this email"
    return "the customer in Bunce has no id"


def is_sure(match: Match) -> bool:
    """Whether nothing of what is shown could be what the customer was before."""
    return match.devices and match.exact


def same(match: Match | None) -> bool:
    """Whether what Bunce shows of a customer is what was sent."""
    return match is not None and match.email and match.rest
