"""The questions in their order: each builds on what the ones before have found."""

from __future__ import annotations

from dlt_bunce.probe import (
    creating,
    failing,
    forms,
    looking_up,
    repeating,
    sizes,
    updating,
    values,
)
from dlt_bunce.probe.inquiry import ROWS, Inquiry
from dlt_bunce.probe.steps import Asking

_REQUESTS = 140
"""Requests that all questions but the sizes of batches take at most, retries included."""
_CUSTOMERS = 8 * ROWS + 80
"""Customers that they create at most."""


_VALUE_REQUESTS = 20
"""Requests that questions about values take at most besides, but for the sizes of requests."""


def max_requests(max_batch: int, *, values: bool = False) -> int:
    """Return how many requests a probe sends at most; `values`: of attributes or segments, too."""
    tried = len(sizes.sizes(max_batch))
    return _REQUESTS + tried + (_VALUE_REQUESTS + tried if values else 0)


def max_customers(max_batch: int) -> int:
    """Return how many test customers a probe creates at most."""
    return _CUSTOMERS + sum(sizes.sizes(max_batch))


def ask_everything(
    inquiry: Inquiry, attribute: str | None = None, segment: str | None = None
) -> Asking[None]:
    """Ask all questions; those about values only of an attribute and a segment, by their ids.

    Raises NoCustomerError when no test customer is accepted.
    """
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
    if attribute is not None:
        yield from values.write_values(inquiry, attribute, ids)
    if segment is not None:
        yield from values.change_members(inquiry, segment)
