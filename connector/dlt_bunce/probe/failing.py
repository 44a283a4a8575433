"""Batches in which some rows must fail: what the answer says of them, and what becomes of others.

Rows at odd places fail: so a position that an error names tells whether it counts from 0 or from 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dlt_bunce.probe.creating import flag_of
from dlt_bunce.probe.inquiry import Inquiry, Outcome
from dlt_bunce.probe.steps import Asking, Customer
from dlt_bunce.settlement.messages import Rejected
from dlt_bunce.settlement.positions import texts_in

Sort = Literal["taken", "malformed", "missing", "mixed"]
_SORTS: tuple[Sort, ...] = ("taken", "malformed", "missing", "mixed")
_COUNT = re.compile(r"(\d+)\s+(?:out\s+)?of\s+(\d+)")
_QUESTIONS = 3
"""Good rows that are sent again, alone, where customers cannot be looked up."""


@dataclass(frozen=True)
class Failure:
    """A batch of which some rows had to fail: their places, and which of the others exist.

    `exist` has the good rows that could be looked up, by id.
    """

    sort: Sort
    outcome: Outcome
    bad: frozenset[int]
    exist: dict[str, bool]

    @property
    def rows(self) -> Sequence[Customer]:
        """The rows that were sent."""
        return self.outcome.sent

    @property
    def read(self) -> Rejected:
        """The answer as a load reads it."""
        assert isinstance(self.outcome.read, Rejected)  # noqa: S101, others are no failures
        return self.outcome.read

    @property
    def named(self) -> int:
        """How many rows the answer names."""
        return len(self.read.reasons or self.read.positions)

    @property
    def errors(self) -> Any:
        """The errors in the answer."""
        return self.outcome.document.get("errors")

    @property
    def is_by_row(self) -> bool:
        """Whether the answer speaks of rows, rather than of the request."""
        return bool(self.errors) or bool(self.named) or self.count is not None

    @property
    def count(self) -> tuple[int, int] | None:
        """What the message counts: failures, and rows."""
        found = _COUNT.search(str(self.outcome.document.get("message") or ""))
        return None if found is None else (int(found[1]), int(found[2]))


def fail_rows(inquiry: Inquiry) -> Asking[None]:
    """Send batches with rows that must fail, for one reason, for another, and for both."""
    if inquiry.rows < 2:
        return
    failures: dict[Sort, Failure] = {}
    for sort in _SORTS:
        # a mixed batch tells something only where both of its reasons are some
        if sort == "mixed" and not {"taken", "malformed"} <= failures.keys():
            continue
        failure = yield from _send(inquiry, sort)
        if failure is not None:
            failures[sort] = failure
    by_row = [failure for failure in failures.values() if failure.is_by_row]
    if by_row:
        _note_answer(inquiry, by_row[0])
        _note_errors(inquiry, by_row[0])
        _note_saved(inquiry, by_row)
        _note_counts(inquiry, by_row)
    _note_missing(inquiry, failures.get("missing"))


def _send(inquiry: Inquiry, sort: Sort) -> Asking[Failure | None]:
    rows = [
        _bad(inquiry, sort, at) if at % 2 else inquiry.customers.one() for at in _places(inquiry)
    ]
    outcome = yield from inquiry.send("create", rows)
    if sort == "missing" and outcome.is_accepted:
        inquiry.note("missing_field", "accepted", outcome)
    if sort == "malformed" and outcome.is_accepted:
        inquiry.note("email_malformed", "accepted", outcome)
    if not outcome.is_refused:
        return None
    if sort == "malformed":
        inquiry.note("email_malformed", "refused", outcome)
    bad = frozenset(at for at in _places(inquiry) if at % 2)
    exist = yield from _existing(inquiry, [row for at, row in enumerate(rows) if at not in bad])
    return Failure(sort, outcome, bad, exist)


def _places(inquiry: Inquiry) -> range:
    return range(inquiry.rows)


def _bad(inquiry: Inquiry, sort: Sort, at: int) -> Customer:
    """Return a row that must fail."""
    customers = inquiry.customers
    if sort == "mixed":
        sort = "taken" if at % 4 == 1 else "malformed"
    if sort == "missing":
        return customers.one(first_name=None)
    if sort == "malformed":
        customer = customers.one()
        return customer | {"email": str(customer["email"]).replace("@", ".")}
    holder = inquiry.base[at // 2 % len(inquiry.base)]
    return customers.one(email=holder["email"])


def _existing(inquiry: Inquiry, good: Sequence[Customer]) -> Asking[dict[str, bool]]:
    """Find out which good rows of a failed batch exist: by look-ups, or by creating them again."""
    ids = [row["customer_id"] for row in good]
    found = yield from inquiry.find(ids)
    exist = {customer_id: customer is not None for customer_id, customer in found.items()}
    if found or inquiry.answer("repeated_id") != "refused":
        return exist
    for row in good[:_QUESTIONS]:
        again = yield from inquiry.send("create", [row])
        if again.is_accepted or again.is_refused:
            exist[row["customer_id"]] = again.is_refused
    return exist


def _note_answer(inquiry: Inquiry, failure: Failure) -> None:
    outcome = failure.outcome
    inquiry.note("failure_status", str(outcome.reply.status), outcome)
    inquiry.note("failure_flag", flag_of(outcome.reply), outcome)
    if outcome.shown or "data" not in outcome.document:
        shown = "created" if outcome.shown else "none"
        inquiry.note("failure_shows", shown, f"{len(outcome.shown)} shown")
    right = (len(failure.bad), len(failure.rows))
    verdict = "none" if failure.count is None else "right" if failure.count == right else "wrong"
    message = inquiry.shapes.words(str(outcome.document.get("message") or ""))
    inquiry.note("failure_count", verdict, f'"{message}"')


def _note_errors(inquiry: Inquiry, failure: Failure) -> None:
    """Note how the errors are written, and how many rows they name in which way."""
    errors, outcome, bad = failure.errors, failure.outcome, len(failure.bad)
    texts = texts_in(errors)
    form = "objects" if isinstance(errors, list) and isinstance(errors[0], dict) else "texts"
    inquiry.note("errors_form", "object" if isinstance(errors, dict) else form, outcome)
    told = f"{len(texts)} texts for {bad} failed rows of {len(failure.rows)}, {failure.named} named"
    if not texts:
        listed = "none"
    elif len(texts) == 1:
        listed = "first" if failure.named else "one text"
    elif len(texts) == bad:
        listed = "all"
    else:
        listed = "several times" if len(texts) > bad else "some"
    inquiry.note("errors_list", listed, told)
    name = _name(failure, texts)
    if name is not None:
        inquiry.note("errors_name", name, f'"{inquiry.shapes.words(texts[0])}"' if texts else "")


def _name(failure: Failure, texts: Sequence[str]) -> str | None:
    """Return by what the errors name rows; None where that cannot be told."""
    read = failure.read
    if read.positions:
        parities = {position % 2 for position in read.positions}
        return None if len(parities) > 1 else f"position from {1 - parities.pop()}"
    if not read.reasons:
        # a row without a field is named by none of its values more often than others
        return None if failure.sort == "missing" else "nothing"
    if not failure.bad.issuperset(read.reasons):
        return None
    row = failure.rows[next(iter(read.reasons))]
    everything = " ".join(texts).casefold()
    for name, field in (("email", "email"), ("id", "customer_id")):
        if str(row[field]).casefold() in everything:
            return name
    return None


def _note_saved(inquiry: Inquiry, failures: Sequence[Failure]) -> None:
    found = [exists for failure in failures for exists in failure.exist.values()]
    if found:
        some = "some created" if any(found) else "not created"
        told = f"{sum(found)} of {len(found)} exist"
        inquiry.note("failure_saves", "created" if all(found) else some, told)


def _note_counts(inquiry: Inquiry, failures: Sequence[Failure]) -> None:
    """Note whether counts can be believed: all rows that they leave over must exist.

    What a load may believe is kept by the sort of the reasons, as it names them.
    """
    proven: dict[str, list[int]] = {}
    contradicted = False
    for failure in failures:
        count = failure.count
        good = len(failure.rows) - len(failure.bad)
        if count is None or not failure.exist:
            continue
        exists = sum(failure.exist.values())
        contradicted |= count[1] - count[0] > good - (len(failure.exist) - exists)
        whole = len(failure.exist) == good == exists
        if whole and count == (failure.named, len(failure.rows)) and failure.named > 1:
            reasons = (failure.read.reasons or failure.read.positions).values()
            proven[" ".join(sorted({reason.kind for reason in reasons}))] = list(count)
    if contradicted:
        inquiry.note("counts", "contradicted", "rows that a count left over do not exist")
    elif proven:
        inquiry.note("counts", "verified", f"all others exist, for: {', '.join(sorted(proven))}")
        inquiry.figures["counts"] = proven


def _note_missing(inquiry: Inquiry, failure: Failure | None) -> None:
    if failure is not None:
        by_row = failure.is_by_row
        outcome = failure.outcome
        inquiry.note("missing_field", "fails its row" if by_row else "fails the request", outcome)
