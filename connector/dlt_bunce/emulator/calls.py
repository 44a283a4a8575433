"""The API's calls, after authentication: payload in, reply out, no I/O."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dlt_bunce.emulator import replies
from dlt_bunce.emulator.replies import Reply

if TYPE_CHECKING:
    from dlt_bunce.emulator.behavior import Behavior
    from dlt_bunce.emulator.rules import Customer
    from dlt_bunce.emulator.workspace import Workspace


def bulk(workspace: Workspace, behavior: Behavior, payload: Any, verb: str) -> Reply:
    """Create or update a list of customers; `verb` is `creat` or `updat`."""
    rows = payload.get("customers") if isinstance(payload, dict) else None
    if not isinstance(rows, list) or not rows:
        return replies.failure(behavior, 422, "customers is required and must be present")
    if behavior.max_batch and len(rows) > behavior.max_batch:
        return too_large(behavior, f"customers must not have more than {behavior.max_batch} items")
    if behavior.twice_in_batch == "refused":
        ids = [row.get("customer_id") for row in rows if isinstance(row, dict)]
        if len({str(customer_id) for customer_id in ids}) < len(ids):
            return replies.failure(behavior, 422, "customers has a duplicate value")
    room = behavior.max_customers
    if behavior.suspended or (verb == "creat" and room and workspace.grows(rows) > room):
        return replies.failure(behavior, behavior.account_status, behavior.account_message)
    act = workspace.create if verb == "creat" else workspace.update
    return replies.batch(behavior, act(rows, behavior), verb)


def too_large(behavior: Behavior, message: str) -> Reply:
    """Refuse a batch or body over its limit."""
    if behavior.too_large_status == 413:
        return replies.html(413, "Request Entity Too Large")
    return replies.failure(behavior, behavior.too_large_status, message)


def update_one(workspace: Workspace, behavior: Behavior, customer_id: str, payload: Any) -> Reply:
    """Change the given fields of one customer."""
    if not isinstance(payload, dict):
        return replies.failure(behavior, 400, "The request body must be a JSON object")
    row = {**payload, "customer_id": customer_id}
    if behavior.unknown_update == "refused" and customer_id not in workspace:
        return replies.failure(behavior, 404, "Customer not found")
    outcome = workspace.update([row], behavior, guarded=False)
    if outcome.errors:
        return replies.failure(behavior, 422, outcome.errors[0].text)
    saved = replies.echo(behavior, outcome.saved[:1]) or [{}]
    return replies.success(behavior, "Customer updated successfully", saved[0])


def read_one(workspace: Workspace, behavior: Behavior, customer_id: str) -> Reply:
    """Return one customer."""
    found = [] if behavior.lookup == "absent" else workspace.read(behavior, ids=[customer_id])
    if not found:
        return replies.failure(behavior, 404, "Customer not found")
    shown = replies.shown(behavior, found)[0]
    return replies.success(behavior, "Customer retrieved successfully", shown)


def read_page(workspace: Workspace, behavior: Behavior, query: Mapping[str, str]) -> Reply:
    """Return a page of all customers or of those requested."""
    if behavior.lookup == "absent":
        return replies.failure(behavior, 404, "Not found")
    ids = _listed(query.get("customer_ids"))
    emails = _listed(query.get("emails")) or []
    limit = behavior.lookup_max_ids
    if limit and max(len(ids or []), len(emails)) > limit:
        if behavior.lookup_overflow == "refused":
            return replies.failure(behavior, 422, f"No more than {limit} values may be requested")
        ids, emails = (None if ids is None else ids[:limit]), emails[:limit]
    if emails and behavior.email_filter == "refused":
        return replies.failure(behavior, 422, "emails is not a valid filter")
    if behavior.lookup == "unfiltered":
        ids = None
    if behavior.lookup == "unfiltered" or behavior.email_filter == "ignored":
        emails = []
    try:
        wanted = int(query.get("per_page") or behavior.default_per_page)
        start = _offset(query.get("cursor"))
    except (ValueError, binascii.Error):
        return replies.failure(behavior, 422, "per_page or cursor is invalid")
    size = max(1, min(wanted, behavior.max_per_page))
    found = workspace.read(behavior, ids=ids, emails=emails, start=start, limit=size + 1)
    return _page(behavior, found, start, size)


def _page(behavior: Behavior, found: list[Customer], start: int, size: int) -> Reply:
    """Build a page of customers `found` from `start` on; one more than `size` means a next page."""
    rows, more = replies.shown(behavior, found[:size]), len(found) > size
    meta = {
        "has_next_page": more,
        "has_prev_page": start > 0,
        "next_page_cursor": _cursor(start + size) if more else None,
        "prev_page_cursor": _cursor(max(0, start - size)) if start else None,
        "per_page": size,
    }
    message = "Customers retrieved successfully"
    if behavior.lookup == "nested":
        return replies.success(behavior, message, {"data": rows, "meta": meta})
    return replies.success(behavior, message, rows, meta=meta)


def _listed(value: str | None) -> list[str] | None:
    return [part for part in value.split(",") if part] if value else None


def _cursor(offset: int) -> str:
    return base64.urlsafe_b64encode(f"offset:{offset}".encode()).decode()


def _offset(cursor: str | None) -> int:
    if not cursor:
        return 0
    name, _, offset = base64.urlsafe_b64decode(cursor).decode().partition(":")
    if name != "offset":
        raise ValueError("not a cursor of this emulator")
    return max(0, int(offset))
