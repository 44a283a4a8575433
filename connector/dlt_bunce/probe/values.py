"""Attribute values and segment members of test customers: what a request with them gets."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import pyarrow as pa

from dlt_bunce.api.batch import ValueRows
from dlt_bunce.api.reply import Reply
from dlt_bunce.probe.inquiry import Inquiry, RefusedAccountError
from dlt_bunce.probe.sizes import sizes
from dlt_bunce.probe.steps import Asking, Value, Write
from dlt_bunce.settlement import bodies, replies, value_replies
from dlt_bunce.settlement.capabilities import is_about_the_account
from dlt_bunce.settlement.messages import Accepted, Blocked, Misfit, Rejected, TooLarge

TEXT = "probe"
_AROUND = 3
"""Values in the request with a bad one: one before it and one after it."""


def write_values(inquiry: Inquiry, attribute: str, ids: Sequence[str]) -> Asking[None]:
    """Write values of an attribute, by its id; `ids` are customers that exist."""
    reply, read = yield from _write([Value(ids[0], attribute, TEXT)])
    if isinstance(read, Rejected | Misfit | Blocked):
        inquiry.note("value_write", "refused", reply)
        return
    if not isinstance(read, Accepted):
        return
    inquiry.note("value_write", "accepted", reply)
    shown = "the value" if read.matches else "an empty list" if read.is_empty else "nothing"
    inquiry.note("value_shows", shown, reply)
    yield from _unknown_customer(inquiry, attribute)
    yield from _bad_value(inquiry, attribute, ids)
    yield from _grow(inquiry, attribute, ids)


def change_members(inquiry: Inquiry, segment: str) -> Asking[None]:
    """Add a customer to a segment, by its id, and remove it again."""
    customer = str(inquiry.base[0]["customer_id"])
    for question, method in (("segment_add", "POST"), ("segment_remove", "DELETE")):
        rows = [{"customer_id": customer}] if method == "POST" else [customer]
        reply = yield Write(f"/segments/{segment}/customers", "customers", rows, method)
        document = replies.judged(reply)
        accepted = isinstance(document, dict) and bodies.is_success(reply, document)
        if accepted or isinstance(document, dict | Blocked):
            inquiry.note(question, "accepted" if accepted else "refused", reply)
        if not accepted:
            return


def _unknown_customer(inquiry: Inquiry, attribute: str) -> Asking[None]:
    nobody = str(inquiry.customers.one()["customer_id"])
    reply, read = yield from _write([Value(nobody, attribute, TEXT)])
    if isinstance(read, Rejected):
        inquiry.note("value_unknown_customer", "refused", reply)
    elif isinstance(read, Accepted):
        found = yield from inquiry.find([nobody])
        if nobody in found:
            answer = "ignored" if found[nobody] is None else "created"
            inquiry.note("value_unknown_customer", answer, reply)


def _bad_value(inquiry: Inquiry, attribute: str, ids: Sequence[str]) -> Asking[None]:
    """Put a value of an attribute that does not exist between good ones."""
    if len(ids) < _AROUND:
        return
    good = [Value(customer, attribute, TEXT) for customer in ids[:_AROUND]]
    bad = Value(ids[1], str(uuid.uuid4()), TEXT)
    reply, read = yield from _write([good[0], bad, good[2]])
    if isinstance(read, Rejected):
        named = "customer" if read.reasons else "position" if read.positions else "nothing"
        inquiry.note("value_errors_name", named, reply)


def _grow(inquiry: Inquiry, attribute: str, ids: Sequence[str]) -> Asking[None]:
    """Write more and more values at once, one for each customer, until a request is refused."""
    for size in [size for size in sizes(inquiry.max_batch) if size <= len(ids)] or [len(ids)]:
        rows = [Value(customer, attribute, TEXT) for customer in ids[:size]]
        reply, read = yield from _write(rows)
        if not isinstance(read, Accepted):
            if isinstance(read, TooLarge | Rejected):
                inquiry.note("larger_values", f"HTTP {reply.status} at {size}", reply)
            return
        inquiry.note("largest_values", str(size), f"{size} in {reply.seconds:.2f} s")
        inquiry.figures["largest_values"] = size
    inquiry.note("larger_values", "not tried", f"up to {inquiry.figures['largest_values']} were")


def _write(rows: Sequence[Value]) -> Asking[tuple[Reply, replies.Reading]]:
    """Write values; return the reply, and how a load would read it. Raises RefusedAccountError."""
    request = Write("/attributes/customers", "attributes", [row.as_json() for row in rows])
    reply = yield request
    table = pa.table(
        {
            "sent_id": [row.customer_id for row in rows],
            "target_id": [row.attribute for row in rows],
            "payload": ["{}"] * len(rows),
        }
    )
    sent = ValueRows(table, "attributes")
    read = value_replies.read(reply, sent, range(len(rows)), "update")
    if isinstance(read, Rejected) and is_about_the_account(read.words):
        raise RefusedAccountError(reply)
    return reply, read
