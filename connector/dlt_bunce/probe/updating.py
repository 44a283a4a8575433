"""Updates: of one field, of an unknown id, of an email, with null; and how devices are shown."""

from __future__ import annotations

from typing import Any

from dlt_bunce.probe.customers import CHANGED_NAME, LAST_NAME
from dlt_bunce.probe.inquiry import Inquiry
from dlt_bunce.probe.steps import Asking, Customer


def update_one_field(inquiry: Inquiry) -> Asking[None]:
    """Update a customer by id and one field, and see what it has then."""
    customer = _of(inquiry, 1)
    change = {"customer_id": customer["customer_id"], "first_name": CHANGED_NAME}
    outcome = yield from inquiry.send("update", [change])
    if outcome.is_refused:
        inquiry.note("partial_update", "refused", outcome)
        return
    if not outcome.is_accepted:
        return
    inquiry.note("update_shows", "all" if outcome.shown else "none", outcome)
    content = yield from inquiry.content(outcome, customer["customer_id"])
    _note_devices(inquiry, customer, content)
    if content is None or "first_name" not in content:
        return
    kept = content.get("last_name") == customer["last_name"]
    changed = content["first_name"] == CHANGED_NAME
    answer = "ignored" if not changed else "updates" if kept else "clears others"
    inquiry.note("partial_update", answer, outcome)


def update_unknown(inquiry: Inquiry) -> Asking[None]:
    """Update a customer who does not exist, with all fields."""
    nobody = inquiry.customers.one()
    outcome = yield from inquiry.send("update", [nobody])
    if outcome.is_refused:
        inquiry.note("unknown_update", "refused", outcome)
        return
    if not outcome.is_accepted:
        return
    found = yield from inquiry.find([nobody["customer_id"]])
    if found or outcome.shown:
        exists = any(found.values()) if found else nobody["customer_id"] in outcome.shown
        inquiry.note("unknown_update", "created" if exists else "ignored", outcome)


def update_email(inquiry: Inquiry) -> Asking[None]:
    """Give a customer another email."""
    customer, other = _of(inquiry, 2), inquiry.customers.one()
    before = str(customer["email"]).casefold()
    after = str(other["email"]).casefold()
    change = {"customer_id": customer["customer_id"], "email": other["email"]}
    now = yield from _after(inquiry, "email_update", change, "email")
    if now is not None and str(now[0]).casefold() in {before, after}:
        applied = str(now[0]).casefold() == after
        inquiry.note("email_update", "applied" if applied else "ignored", now[1])


def update_null(inquiry: Inquiry) -> Asking[None]:
    """Set a field to null."""
    change = {"customer_id": _of(inquiry, 3)["customer_id"], "last_name": None}
    now = yield from _after(inquiry, "null_update", change, "last_name")
    if now is not None and now[0] in (None, "", LAST_NAME):
        inquiry.note("null_update", "ignored" if now[0] == LAST_NAME else "cleared", now[1])


def _after(
    inquiry: Inquiry, question: str, change: Customer, field: str
) -> Asking[tuple[Any, str] | None]:
    """Update a customer; return what it then has in a field, and the shape of the answer."""
    outcome = yield from inquiry.send("update", [change])
    if outcome.is_refused:
        inquiry.note(question, "refused", outcome)
    if not outcome.is_accepted:
        return None
    content = yield from inquiry.content(outcome, change["customer_id"])
    if content is None or field not in content:
        return None
    return content[field], inquiry.shapes.of(outcome.reply)


def _note_devices(inquiry: Inquiry, sent: Customer, content: Customer | None) -> None:
    if content is None:
        return
    shown, token = content.get("devices"), sent["devices"][0]["device_token"]
    if not shown:
        answer = "missing" if shown is None else "empty"
    elif not isinstance(shown, list) or not isinstance(shown[0], dict):
        return
    else:
        names = [name for name in ("token", "device_token") if shown[0].get(name) == token]
        answer = f"as {names[0]}" if names else "masked"
    fields = sorted(shown[0]) if shown and isinstance(shown, list) else []
    inquiry.note("shown_devices", answer, f"fields of a device: {', '.join(fields) or 'none'}")


def _of(inquiry: Inquiry, place: int) -> Customer:
    return inquiry.base[place % len(inquiry.base)]
