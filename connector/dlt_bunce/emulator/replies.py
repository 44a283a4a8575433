"""How an answer is written down: envelope, flags, texts."""

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
    from dlt_bunce.emulator.rules import Customer, Refusal
    from dlt_bunce.emulator.workspace import Outcome

HTML = "text/html"
JSON = "application/json"


@dataclass(frozen=True)
class Reply:
    """An HTTP answer before it is sent."""

    status: int
    content: bytes
    media_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


def plain(status: int, body: Any, headers: dict[str, str] | None = None) -> Reply:
    """Write any JSON value."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    # a lone surrogate can come in as an escape and has no UTF-8
    return Reply(status, content.encode("utf-8", "replace"), JSON, headers or {})


def html(status: int, title: str) -> Reply:
    """Write the kind of page a gateway writes."""
    page = f"<html>\n<head><title>{status} {title}</title></head>\n<body>{title}</body>\n</html>\n"
    return Reply(status, page.encode(), HTML)


def success(
    behavior: Behavior, message: str, data: Any, *, status: int = 200, **beside: Any
) -> Reply:
    """Write the success envelope."""
    body = {"data": data, **beside, "message": message, **_flag(behavior, "success", value=True)}
    if behavior.unknown_fields:
        body["trace"] = {"region": "local"}
    return plain(status, body)


def failure(behavior: Behavior, status: int, message: str) -> Reply:
    """Write the general error."""
    return plain(status, {**_flag(behavior, "success", value=False), "message": message})


def too_many(behavior: Behavior, seconds: float) -> Reply:
    """Write the answer past the rate limit."""
    body = {
        **_flag(behavior, "success", value=False),
        "message": "You have reached maximum request limit.",
    }
    wait = math.ceil(seconds)
    if behavior.retry_after == "seconds":
        return plain(429, body, {"Retry-After": str(wait)})
    if behavior.retry_after == "date":
        # rounded up, or a date would name a moment that is still inside the block
        due = math.ceil(time.time() + seconds)
        return plain(429, body, {"Retry-After": formatdate(due, usegmt=True)})
    return plain(429, body)


def batch(behavior: Behavior, outcome: Outcome, verb: str) -> Reply:
    """Write the answer to a bulk request; `verb` is `creat` or `updat`."""
    if not outcome.refusals:
        status = behavior.created_status if verb == "creat" else 200
        message = f"Customers {verb}ed successfully"
        return success(behavior, message, echo(behavior, outcome.saved), status=status)
    shape = next((refusal for refusal in outcome.refusals if refusal.shape), None)
    if behavior.shape_errors == "request" and shape is not None:
        return failure(behavior, behavior.failure_status, shape.anonymous)
    message = f"Errors encountered while {verb}ing."
    if behavior.failure_count:
        failed = max(0, len(outcome.refusals) + behavior.count_offset)
        message += f" {failed} out of {outcome.total} customers failed"
    body: dict[str, Any] = {
        "errors": _texts(behavior, outcome.refusals),
        "message": message,
        **_flag(behavior, "status", value=False),
    }
    if behavior.data_on_failure:
        body["data"] = echo(behavior, outcome.saved)
    return plain(behavior.failure_status, body)


def echo(behavior: Behavior, customers: Sequence[Customer]) -> list[Customer]:
    """List saved customers the way the switches want."""
    rows = list(customers)
    every = behavior.drop_echo_every
    if every:
        rows = [row for place, row in enumerate(rows, start=1) if place % every]
    if behavior.reorder_echo:
        rows.reverse()
    if behavior.unknown_fields:
        rows = [{"segments": [], **row, "channel_state": {"email": "ok"}} for row in rows]
    return rows


def _flag(behavior: Behavior, documented: str, *, value: bool) -> dict[str, bool]:
    if behavior.flag == "absent":
        return {}
    return {documented if behavior.flag == "documented" else behavior.flag: value}


def _texts(behavior: Behavior, refusals: Sequence[Refusal]) -> list[str]:
    if behavior.errors == "first":
        return [refusals[0].text]
    if behavior.errors == "anonymous":
        return [refusal.anonymous for refusal in refusals]
    if behavior.errors == "twice":
        pairs = ((r.text, f"{r.subject} was not saved".strip()) for r in refusals)
        return [text for pair in pairs for text in pair]
    return [refusal.text for refusal in refusals]
