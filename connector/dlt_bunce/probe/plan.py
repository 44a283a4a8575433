"""The questions in their order: each builds on what the ones before have found."""

from __future__ import annotations

from dlt_bunce.probe import creating, looking_up, repeating
from dlt_bunce.probe.inquiry import Inquiry
from dlt_bunce.probe.steps import Asking


MAX_REQUESTS = 150
"""Requests that a probe sends at most, with its retries."""


def max_requests(_max_batch: int) -> int:
    """Return how many requests a probe sends at most."""
    return MAX_REQUESTS


def max_customers(max_batch: int) -> int:
    """Return how many test customers a probe creates at most."""
    return 100


def ask_everything(inquiry: Inquiry) -> Asking[None]:
    """Ask all questions. Raises NoCustomerError when no test customer is accepted."""
    yield from creating.create_base(inquiry)
    yield from creating.send_nobody(inquiry)
    yield from looking_up.try_look_ups(inquiry)
    yield from repeating.repeat_id(inquiry)
    yield from repeating.repeat_email(inquiry)
    yield from repeating.repeat_id_in_batch(inquiry)
    yield from repeating.repeat_email_in_batch(inquiry)
    yield from looking_up.try_pages(inquiry)
