"""Format of responses: envelope, flags, messages."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlt_bunce.emulator.behavior import Behavior
    from dlt_bunce.emulator.rules import Customer, RowError
    from dlt_bunce.emulator.workspace import Outcome

HTML = "text/html"
JSON = "application/json"


@dataclass(frozen=True)
class Reply:
    """An HTTP response before it is sent."""

    status: int
    content: bytes
    media_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


def plain(status: int, body: Any, headers: dict[str, str] | None = None) -> Reply:
    """Build a response from any JSON value."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    # a lone surrogate can arrive as an escape and has no UTF-8 encoding
    return Reply(status, content.encode("utf-8", "replace"), JSON, headers or {})


def html(status: int, title: str) -> Reply:
    """Build an error page like a gateway's."""
    page = f"<html>\n<head><title>{status} {title}</title></head>\n<body>{title}</body>\n</html>\n"
    return Reply(status, page.encode(), HTML)


def success(
    behavior: Behavior, message: str, data: Any, *, status: int = 200, **beside: Any
) -> Reply:
    """Build a success response."""
    body = {"data": data, **beside, "message": message, **_flag(behavior, "success", value=True)}
    if behavior.unknown_fields:
        body["trace"] = {"region": "local"}
    return plain(status, body)


def failure(behavior: Behavior, status: int, message: str) -> Reply:
    """Build an error response."""
    return plain(status, {**_flag(behavior, "success", value=False), "message": message})


def too_many(behavior: Behavior, seconds: float) -> Reply:
    """Build the response over the rate limit."""
    body = {
        **_flag(behavior, "success", value=False),
        "message": "You have reached maximum request limit.",
    }
    wait = math.ceil(seconds)
    if behavior.retry_after == "seconds":
        return plain(429, body, {"Retry-After": str(wait)})
    if behavior.retry_after == "date":
        # rounded up, or the date could lie within the block
        due = math.ceil(time.time() + seconds)
        return plain(429, body, {"Retry-After": formatdate(due, usegmt=True)})
    return plain(429, body)


def batch(behavior: Behavior, outcome: Outcome, verb: str) -> Reply:
    """Build the response to a bulk request; `verb` is `creat` or `updat`."""
    if not outcome.errors:
        status = behavior.created_status if verb == "creat" else 200
        message = f"Customers {verb}ed successfully"
        saved = outcome.saved if verb == "creat" else shown(behavior, outcome.saved)
        return success(behavior, message, echo(behavior, saved), status=status)
    shape = next((error for error in outcome.errors if error.shape), None)
    if behavior.shape_errors == "request" and shape is not None:
        return failure(behavior, behavior.failure_status, shape.anonymous)
    message = f"Errors encountered while {verb}ing."
    if behavior.failure_count:
        failed = max(0, len(outcome.errors) + behavior.count_offset)
        message += f" {failed} out of {outcome.total} customers failed"
    body: dict[str, Any] = {
        "errors": _errors(behavior, outcome),
        "message": message,
        **_flag(behavior, "status", value=False),
    }
    if behavior.data_on_failure:
        body["data"] = echo(behavior, outcome.saved)
    return plain(behavior.failure_status, body)


def echo(behavior: Behavior, customers: Sequence[Customer]) -> list[Customer]:
    """List saved customers as the switches specify."""
    rows = list(customers)
    every = behavior.drop_echo_every
    if every:
        rows = [row for number, row in enumerate(rows, start=1) if number % every]
    if behavior.reorder_echo:
        rows.reverse()
    if behavior.unknown_fields:
        rows = [{"segments": [], **row, "channel_state": {"email": "ok"}} for row in rows]
    return rows


def shown(behavior: Behavior, customers: Sequence[Customer]) -> list[Customer]:
    """Return customers as look-ups and updates show them."""
    if behavior.shown_devices == "sent":
        return list(customers)
    return [_with_devices(behavior, customer) for customer in customers]


def _with_devices(behavior: Behavior, customer: Customer) -> Customer:
    form, devices = behavior.shown_devices, customer.get("devices") or []
    if form == "missing":
        return {name: value for name, value in customer.items() if name != "devices"}
    if form == "empty":
        return {**customer, "devices": []}
    named = [
        {
            "device_id": device.get("device_id"),
            "device_type": device.get("device_type"),
            "token": "****" if form == "masked" else device.get("device_token"),
            "created_at": customer.get("customer_created_at"),
        }
        for device in devices
    ]
    return {**customer, "devices": named}


def _errors(behavior: Behavior, outcome: Outcome) -> Any:
    if behavior.error_words:
        return [behavior.error_words]
    errors = list(zip(outcome.places, outcome.errors, strict=True))
    if behavior.error_form == "texts":
        return _texts(behavior, outcome.errors)
    if behavior.errors == "first":
        errors = errors[:1]
    if behavior.error_form == "dotted":
        return {f"customers.{at}.email": [error.anonymous] for at, error in errors}
    if behavior.error_form == "bracketed":
        return [f"customers[{at}]: {error.anonymous}" for at, error in errors]
    if behavior.error_form == "index":
        return [{"index": at, "message": error.anonymous} for at, error in errors]
    return [f"Row {at + 1}: {error.anonymous}" for at, error in errors]


def _flag(behavior: Behavior, documented: str, *, value: bool) -> dict[str, bool]:
    if behavior.flag == "absent":
        return {}
    return {documented if behavior.flag == "documented" else behavior.flag: value}


def _texts(behavior: Behavior, errors: Sequence[RowError]) -> list[str]:
    if behavior.errors == "first":
        return [errors[0].text]
    if behavior.errors == "anonymous":
        return [error.anonymous for error in errors]
    if behavior.errors == "twice":
        pairs = ((error.text, f"{error.subject} was not saved".strip()) for error in errors)
        return [text for pair in pairs for text in pair]
    return [error.text for error in errors]
