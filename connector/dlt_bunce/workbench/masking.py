"""One dead letter as a page shows it, with its values masked unless the user asked for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dlt_bunce.reject_codes import VALUE_CODES
from dlt_bunce.store.database import Database
from dlt_bunce.store.values import rejected_values

MAX_VALUES = 1_000
"""Rejected values of one customer on a page: more than anybody has attributes."""
MASK = "••••••"
_ALWAYS = (
    "id", "status", "code", "field", "stage", "http_status", "attempts", "first_seen_at",
    "last_seen_at", "resolved_at", "pipeline_name", "table_name", "run_id", "source", "source_line",
)  # fmt: skip


LISTED = (
    "id, status, code, field, stage, customer_id, message, attempts, last_seen_at, pipeline_name, "
    "run_id"
)
"""Columns of a dead letter in a list."""


def listed(letter: Mapping[str, Any], *, values: bool) -> dict[str, Any]:
    """Return a dead letter for a list, masked like `shown`."""
    return dict(letter) | _described(letter, values=values)


def shown(letter: Mapping[str, Any], *, values: bool) -> dict[str, Any]:
    """Return the dead letter with its row as pairs of column and value.

    Without `values`, everything that may contain customer data is masked here, out of reach of the
    templates: the customer id, the values of the row and of the payload, and Bunce's message.
    """
    return {name: letter[name] for name in _ALWAYS} | {
        "values": values,
        # messages of this package contain no values
        "other_defects": json.loads(letter["other_defects"] or "[]"),
        **_described(letter, values=values),
        "row": _pairs(letter["source_row"], values=values),
        "payload": _pairs(letter["payload"], values=values),
    }


def _described(letter: Mapping[str, Any], *, values: bool) -> dict[str, Any]:
    """Return who the row is about and what is wrong with it; Bunce's messages quote values."""
    quotes = letter["stage"] == "api"
    return {
        "customer_id": _masked(letter["customer_id"], values=values),
        "message": _masked(letter["message"], values=values or not quotes),
    }


def _masked(value: Any, *, values: bool) -> Any:
    return value if values or value is None else MASK


def listed_value(value: Mapping[str, Any], *, values: bool) -> dict[str, Any]:
    """Return a rejected value for a list; without `values`, masked like `listed`."""
    if values:
        return dict(value)
    known = VALUE_CODES.get(value["code"])
    message = known.meaning if known and known.stage == "api" else value["message"]
    return dict(value) | {"customer_id": MASK, "message": message}


def rejected_of(db: Database, account: str, customer_id: str) -> list[dict[str, Any]]:
    """Return what of one customer's values is rejected, masked."""
    chosen = rejected_values.ValueSelection(customer_ids=[customer_id])
    found = rejected_values.some(db, account, chosen, limit=MAX_VALUES)
    return [listed_value(value, values=False) for value in found]


def _pairs(text: str | None, *, values: bool) -> list[tuple[str, str]] | None:
    if text is None:
        return None
    row: Any = json.loads(text)
    pairs = row.items() if isinstance(row, dict) else [("", row)]
    return [(str(name), _as_text(value) if values else MASK) for name, value in pairs]


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
