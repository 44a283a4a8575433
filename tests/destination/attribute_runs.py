"""Runs with attribute values and segments, and a workspace that has them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import dlt

from dlt_bunce import bunce_adapter, run_summary
from dlt_bunce.emulator import Emulator
from dlt_bunce.model import RunSummary
from dlt_bunce.store.database import Database

from .conftest import STORE, customer

ATTRIBUTES = {"plan": "Plan", "balance": "Balance", "paid": "Last payment"}
PAID = datetime(2024, 1, 1, 10, tzinfo=timezone.utc)


def prepare(emulator: Emulator) -> None:
    """Makes the attributes, and the segment VIP."""
    for name, data_type in (
        ("Plan", "text"),
        ("Balance", "numeric"),
        ("Last payment", "timestamp"),
    ):
        emulator.attributes.add(name, data_type)
    emulator.attributes.add_segment("VIP")


def rich(number: int, **changes: Any) -> dict[str, Any]:
    """A good row with three values, and changes."""
    return customer(number, plan="gold", balance=number / 10, paid=PAID) | changes


def run(pipeline: dlt.Pipeline, *rows: dict[str, Any], **options: Any) -> RunSummary:
    """Loads the rows with their values and says what became of them."""
    options = {"attributes": ATTRIBUTES} | options
    pipeline.run(bunce_adapter(list(rows), **options), table_name="customers")
    return run_summary(pipeline)


def fates(summary: RunSummary) -> dict[str, int]:
    """The fates of attribute values that occurred."""
    return {fate: n for fate, n in summary.attributes.items() if n and fate != "read"}


def calls(emulator: Emulator, call: str) -> list[int]:
    """Values in each request of a kind so far."""
    return [record.rows for record in emulator.requests if record.call == call]


def rejected_values(store_url: str = STORE) -> list[tuple[str, str, str]]:
    """Customer, attribute, and code of the values that are rejected now."""
    with Database(store_url) as db:
        rows = db.rows("SELECT customer_id, name, code FROM bunce_rejected_values ORDER BY 1, 2")
    return [(row["customer_id"], row["name"], row["code"]) for row in rows]
