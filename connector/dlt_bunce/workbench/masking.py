"""One dead letter as a page shows it, with its values masked unless the user asked for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MASK = "••••••"
_ALWAYS = (
    "id", "status", "code", "field", "stage", "http_status", "attempts", "first_seen_at",
    "last_seen_at", "resolved_at", "pipeline_name", "table_name", "run_id",
)  # fmt: skip


def shown(letter: Mapping[str, Any], *, values: bool) -> dict[str, Any]:
    """Return the dead letter with its row as pairs of column and value.

    Without `values`, everything that may contain customer data is masked here, out of reach of the
    templates: the customer id, the values of the row and of the payload, and Bunce's message.
    """
    quotes = letter["stage"] == "api"
    return {name: letter[name] for name in _ALWAYS} | {
        "values": values,
        "customer_id": _masked(letter["customer_id"], values=values),
        "message": _masked(letter["message"], values=values or not quotes),
        "row": _pairs(letter["source_row"], values=values),
        "payload": _pairs(letter["payload"], values=values),
    }


def shown_link(link: Mapping[str, Any], *, values: bool) -> dict[str, Any]:
    """Return the link with its ids; without `values` they are masked."""
    names = ("customer_id", "bunce_id")
    return {**link, **{name: _masked(link[name], values=values) for name in names}}


def _masked(value: Any, *, values: bool) -> Any:
    return value if values or value is None else MASK


def _pairs(text: str | None, *, values: bool) -> list[tuple[str, str]] | None:
    if text is None:
        return None
    row: Any = json.loads(text)
    pairs = row.items() if isinstance(row, dict) else [("", row)]
    return [(str(name), _as_text(value) if values else MASK) for name, value in pairs]


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
