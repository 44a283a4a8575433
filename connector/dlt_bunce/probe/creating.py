"""Creates of good customers: which form of them is accepted at all, and what the answer shows."""

from __future__ import annotations

from dlt_bunce.api.reply import Reply
from dlt_bunce.probe.customers import other_forms
from dlt_bunce.probe.inquiry import Inquiry, Outcome
from dlt_bunce.probe.steps import Asking, Bulk, Customer
from dlt_bunce.settlement.messages import Rejected, TooLarge

_DOCUMENTED = frozenset(
    {"customer_id", "email", "first_name", "last_name", "phone_no", "devices"}
    | {"customer_created_at"}
)
_ENVELOPE = frozenset({"data", "meta", "message", "success", "status", "errors"})


class NoCustomerError(Exception):
    """No test customer was accepted, in whatever form."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("no test customer was accepted")
        self.outcome = outcome


def create_base(inquiry: Inquiry) -> Asking[None]:
    """Create the customers that the other questions are about. Raises NoCustomerError."""
    first = yield from _first(inquiry)
    inquiry.base = list(first.sent)
    _note_success(inquiry, first)
    while inquiry.rows > 1:
        outcome = yield from inquiry.send("create", inquiry.customers.several(inquiry.rows))
        if not isinstance(outcome.read, TooLarge):
            break
        _too_large(inquiry, outcome)
    if inquiry.rows > 1 and outcome.is_accepted:
        inquiry.base += outcome.sent
        _note_success(inquiry, outcome)


def send_nobody(inquiry: Inquiry) -> Asking[None]:
    """Ask what a batch without customers gets."""
    reply = yield Bulk("create", [])
    if reply.arrival == "answered" and reply.status < 500:
        well = reply.is_well and reply.flag is not False
        inquiry.note("empty_batch", "accepted" if well else "refused", reply)


def note_size(inquiry: Inquiry, outcome: Outcome) -> None:
    """Note a batch that was accepted as the largest so far, and how long it took."""
    size, seconds = len(outcome.sent), outcome.reply.seconds
    told = f"{size} in {seconds:.2f} s"
    inquiry.note("largest_batch", str(size), told)
    inquiry.note("row_time", f"{1000 * seconds / size:.1f} ms", told)
    inquiry.figures |= {"largest_batch": size, "seconds_per_row": seconds / size}


def flag_of(reply: Reply) -> str:
    """Return the name of the flag in a reply, or `none`."""
    document = reply.document or {}
    return next((n for n in ("success", "status") if isinstance(document.get(n), bool)), "none")


def _first(inquiry: Inquiry) -> Asking[Outcome]:
    outcome: Outcome | None = None
    for customers in other_forms(inquiry.customers):
        outcome = yield from inquiry.send("create", [customers.one()])
        if not isinstance(outcome.read, Rejected):
            break
    assert outcome is not None  # noqa: S101, there are several forms
    if not outcome.is_accepted:
        raise NoCustomerError(outcome)
    return outcome


def _too_large(inquiry: Inquiry, outcome: Outcome) -> None:
    """Note a batch that was refused for its size, and go on with smaller ones."""
    inquiry.figures["refused_batch"] = inquiry.rows
    inquiry.note("larger_batch", f"HTTP {outcome.reply.status} at {inquiry.rows}", outcome)
    inquiry.rows //= 2


def _note_success(inquiry: Inquiry, outcome: Outcome) -> None:
    note_size(inquiry, outcome)
    inquiry.note("create_status", str(outcome.reply.status), outcome)
    inquiry.note("success_flag", flag_of(outcome.reply), outcome)
    sent = [customer["customer_id"] for customer in outcome.sent]
    shown = list(outcome.shown)
    rows = f"{len(shown)} of {len(sent)} shown"
    some = "some" if shown else "none"
    inquiry.note("create_shows", "all" if set(shown) >= set(sent) else some, rows)
    if len(shown) > 1:
        in_order = shown == [customer_id for customer_id in sent if customer_id in outcome.shown]
        inquiry.note("create_order", "as sent" if in_order else "other", rows)
    extra = outcome.document.keys() - _ENVELOPE
    extra |= {key for customer in outcome.shown.values() for key in _extra(customer)}
    inquiry.note("extra_fields", "some" if extra else "none", outcome)


def _extra(customer: Customer) -> set[str]:
    return customer.keys() - _DOCUMENTED
