"""Ids and emails that are sent again, across requests and within one."""

from __future__ import annotations

from dlt_bunce.probe.customers import CHANGED_NAME, FIRST_NAME
from dlt_bunce.probe.inquiry import Inquiry, Outcome
from dlt_bunce.probe.steps import Asking, Customer


def repeat_id(inquiry: Inquiry) -> Asking[None]:
    """Create a customer of the base again, with another name."""
    customer = inquiry.base[0] | {"first_name": CHANGED_NAME}
    outcome = yield from inquiry.send("create", [customer])
    if outcome.is_refused:
        inquiry.note("repeated_id", "refused", outcome)
        return
    now = yield from _name_after(inquiry, outcome, customer)
    if now in {CHANGED_NAME, FIRST_NAME}:
        inquiry.note("repeated_id", "overwritten" if now == CHANGED_NAME else "ignored", outcome)


def repeat_email(inquiry: Inquiry) -> Asking[None]:
    """Create another customer with an email of the base."""
    customer = inquiry.customers.one(email=inquiry.base[0]["email"])
    outcome = yield from inquiry.send("create", [customer])
    if outcome.is_refused:
        inquiry.note("repeated_email", "refused", outcome)
        return
    if outcome.is_accepted and (yield from inquiry.content(outcome, customer["customer_id"])):
        inquiry.note("repeated_email", "shared", outcome)


def repeat_id_in_batch(inquiry: Inquiry) -> Asking[None]:
    """Create a customer twice in one request, with two names."""
    if inquiry.rows < 2:
        return
    first = inquiry.customers.one()
    second = first | {"first_name": CHANGED_NAME}
    outcome = yield from inquiry.send("create", [first, second])
    question = "repeated_id_in_batch"
    if outcome.is_refused:
        by_row = bool(outcome.document.get("errors"))
        inquiry.note(question, "second refused" if by_row else "refused", outcome)
        return
    now = yield from _name_after(inquiry, outcome, first)
    if now in {CHANGED_NAME, FIRST_NAME}:
        inquiry.note(question, "last wins" if now == CHANGED_NAME else "first wins", outcome)


def repeat_email_in_batch(inquiry: Inquiry) -> Asking[None]:
    """Create two customers with one new email in one request."""
    if inquiry.rows < 2:
        return
    first = inquiry.customers.one()
    second = inquiry.customers.one(email=first["email"])
    outcome = yield from inquiry.send("create", [first, second])
    question = "repeated_email_in_batch"
    if outcome.is_refused:
        by_row = bool(outcome.document.get("errors"))
        inquiry.note(question, "second refused" if by_row else "refused", outcome)
    elif outcome.is_accepted:
        found = yield from inquiry.content(outcome, second["customer_id"])
        if found:
            inquiry.note(question, "shared", outcome)


def _name_after(inquiry: Inquiry, outcome: Outcome, customer: Customer) -> Asking[str | None]:
    """Return the first name that a customer has after a request that was accepted."""
    if not outcome.is_accepted:
        return None
    content = yield from inquiry.content(outcome, customer["customer_id"])
    return None if content is None else str(content.get("first_name"))
