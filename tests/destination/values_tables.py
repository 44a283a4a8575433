"""Tables that hold values alone, and runs that load them beside those of customers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dlt

from dlt_bunce import bunce_adapter, run_summary

Rows = list[dict[str, Any]]
FACTS = {"attributes": {"plan": "Plan", "balance": "Balance"}, "segments": {"vip": "VIP"}}


def fact(number: int, **changes: Any) -> dict[str, Any]:
    """A row with three values, and changes."""
    return {
        "user": f"c{number}",
        "plan": "gold",
        "balance": number / 10,
        "vip": number % 2 == 0,
    } | changes


def facts(data: Any, **options: Any) -> Any:
    """Rows of values as a resource of their own, in a table that comes before customers by name."""
    adapted = bunce_adapter(data, customer_id="user", values_only=True, **(FACTS | options))
    adapted.apply_hints(table_name="account_facts")
    return adapted.with_name("account_facts")


def customers(data: Any) -> Any:
    """Rows of customers as a resource."""
    return bunce_adapter(data).with_name("customers")


def run(pipeline: dlt.Pipeline, *resources: Any) -> Any:
    """Runs resources in one load and says what became of them."""
    pipeline.run(list(resources))
    return run_summary(pipeline)


def some(counts: Mapping[str, int]) -> dict[str, int]:
    """The counts that are not zero."""
    return {name: n for name, n in counts.items() if n}
