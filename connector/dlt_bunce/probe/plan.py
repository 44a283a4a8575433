"""The questions in their order: each builds on what the ones before have found."""

from __future__ import annotations

from dlt_bunce.probe import creating, failing, forms, looking_up, repeating, sizes, updating
from dlt_bunce.probe.inquiry import ROWS, Inquiry
from dlt_bunce.probe.steps import Asking

_REQUESTS = 140
"""Requests that all questions but the sizes of batches take at most, retries included."""
_CUSTOMERS = 8 * ROWS + 80
"""Customers that they create at most."""


def max_requests(max_batch: int) -> int:
    """Return how many requests a probe sends at most."""
    return _REQUESTS + len(sizes.sizes(max_batch))


def max_customers(max_batch: int) -> int:
    """Return how many test customers a probe creates at most."""
    return _CUSTOMERS + sum(sizes.sizes(max_batch))


def ask_everything(inquiry: Inquiry) -> Asking[None]:
    """Ask all questions. Raises NoCustomerError when no test customer is accepted."""
    yield from creating.create_base(inquiry)
    yield from creating.send_nobody(inquiry)
    yield from looking_up.try_look_ups(inquiry)
    yield from repeating.repeat_id(inquiry)
    yield from repeating.repeat_email(inquiry)
    yield from repeating.repeat_id_in_batch(inquiry)
    yield from repeating.repeat_email_in_batch(inquiry)
    yield from failing.fail_rows(inquiry)
    yield from updating.update_one_field(inquiry)
    yield from updating.update_unknown(inquiry)
    yield from updating.update_email(inquiry)
    yield from updating.update_null(inquiry)
    yield from forms.try_forms(inquiry)
    ids = yield from sizes.grow_batches(inquiry)
    yield from looking_up.widen(inquiry, ids)
    yield from looking_up.try_pages(inquiry)
