"""How each row of a batch stands: what is known of it, and what has become of it."""

from __future__ import annotations

from collections.abc import Iterable

from dlt_bunce.model import Verb
from dlt_bunce.settlement.capabilities import Traits
from dlt_bunce.settlement.steps import Match
from dlt_bunce.settlement.verdict import Confirmation, Verdict
from dlt_bunce.settlement.work_item import Parcel


class Standing:
    """The rows 0 to `count` - 1. What a method returns is what has to go on."""

    def __init__(
        self, count: int, traits: Traits, *, overwrite: bool, in_doubt: Iterable[int]
    ) -> None:
        self._count = count
        self._traits = traits
        self._overwrite = overwrite
        self._verdicts: dict[int, Verdict] = {}
        self.doubted = set(in_doubt)
        """Rows that some request may have delivered without saying so."""
        self.absent_before: set[int] = set()
        """Rows that were not there before any request of ours."""
        self.switched: set[int] = set()
        """Rows that have changed to the other lane."""
        self.unknown: set[int] = set()
        """Rows to be updated of which there is no such customer."""

    @property
    def verdicts(self) -> list[Verdict]:
        """What is known by now; what is not settled is deferred."""
        return [
            self._verdicts.get(i) or Verdict("deferred", in_doubt=i in self.doubted)
            for i in range(self._count)
        ]

    def settle(self, rows: Iterable[int], verdict: Verdict) -> None:
        """The same verdict for some rows."""
        self._verdicts |= dict.fromkeys(rows, verdict)

    def reject(self, rows: Iterable[int], code: str) -> None:
        """Each of the rows is for a dead letter."""
        self.settle(rows, Verdict("rejected", code=code))

    def updated(self, i: int, match: Match, confirmation: Confirmation) -> None:
        """The customer is shown after an update, perhaps with the email it had."""
        code = None if match.email else "email_not_updated"
        self.settle([i], Verdict("updated", confirmation, code=code))

    def present(self, i: int, match: Match) -> list[Parcel]:
        """A row to be created that a look-up has found: with our content it is delivered."""
        if not same(match):
            return self.exists(i)
        self.settle([i], Verdict("created" if i in self.doubted else "adopted", "lookup"))
        if i in self.doubted and self._traits.partial is False:
            # an earlier refusal did create it, the hint was wrong
            self._traits.partial = None
        return []

    def exists(self, i: int) -> list[Parcel]:
        """The customer is there with other content."""
        if self._overwrite:
            return self.switch([i], "create")
        self.settle([i], Verdict("adopted", "lookup", ours=False))
        return []

    def nobody(self, rows: list[int]) -> list[Parcel]:
        """Updates of customers that do not exist: no request so far has delivered them."""
        self.unknown.update(rows)
        self.doubted.difference_update(rows)
        return self.switch(rows, "update")

    def switch(self, rows: list[int], verb: Verb) -> list[Parcel]:
        """To the other lane, once; a row that neither lane takes is refused."""
        self.reject([i for i in rows if i in self.switched], "refused")
        fresh = tuple(i for i in rows if i not in self.switched)
        self.switched.update(fresh)
        return [Parcel(fresh, "update" if verb == "create" else "create")] if fresh else []


def same(match: Match | None) -> bool:
    """Whether what Bunce shows of a customer is what was sent."""
    return match is not None and match.email and match.rest
