"""`dlt-bunce rejected-values waiting`: whom rows of values wait for, until they are sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.store.database import Database

from .conftest import Run, people, write

FACTS = ("--values-only", "--map", "customer_id=user", "--attribute", "plan=Plan")


@pytest.fixture
def facts(run: Run, emulator: Emulator, store: str) -> Any:
    """Loads rows of values of customers, into a store of either kind; returns the figures."""
    emulator.behavior = Behavior(rate_limit=0)
    emulator.attributes.add("Plan", "text")

    def facts(*users: int, plan: str = "gold") -> Any:
        rows = [{"user": str(user), "plan": plan} for user in users]
        pq.write_table(pa.Table.from_pylist(rows), "facts.parquet")
        done = run("load", "facts.parquet", "--pipeline-name", "facts", "--json", *FACTS)
        assert done.code == 0, done.errors
        return done.json

    return facts


@pytest.fixture
def waiting(run: Run) -> Any:
    """Lists whom rows wait for, and what is known of each customer."""

    def waiting(*words: str) -> list[tuple[str, str]]:
        found = run("rejected-values", "waiting", "--json", *words).json
        return [(entry["customer_id"], entry["customer"]) for entry in found]

    return waiting


def load(run: Run, *numbers: int, **changes: Any) -> None:
    """Loads customers."""
    write(people(*numbers, **changes))
    assert run("load", "customers.parquet", "--pipeline-name", "crm").code == 0


def given(counts: dict[str, int]) -> dict[str, int]:
    """The counts that are not zero."""
    return {name: n for name, n in counts.items() if n}


def test_whom_rows_of_values_wait_for_is_listed_until_they_are_sent(
    run: Run, emulator: Emulator, facts: Any, waiting: Any
) -> None:
    write(people(1) + people(2, email="nobody"))
    run("load", "customers.parquet", "--pipeline-name", "crm")
    first, met = facts(1, 2, 3), waiting()
    shown = run("rejected-values", "waiting").output
    load(run, 1, 2, 3)
    loaded = waiting()
    later, left = facts(1, 2, 3), waiting()

    assert given(first["value_rows"]) == {"read": 3, "written": 1, "waiting": 2}
    assert first["warnings"] == {"value_rows_waiting": 2}
    assert met == [("2", "rejected"), ("3", "unknown")]
    assert loaded == [("2", "accepted"), ("3", "accepted")]
    for words in (
        "2 waiting rows",
        "facts.parquet",
        "correct the customer's dead letter, then read the row again",
        "load the customer, then read the row again",
    ):
        assert words in shown
    assert given(later["value_rows"]) == {"read": 3, "written": 2, "unchanged": 1}
    assert left == []
    assert emulator.attributes.values_of("3") == {"Plan": "gold"}


def test_a_row_that_waits_again_writes_nothing_even_if_its_values_have_changed(
    run: Run, facts: Any, store: str
) -> None:
    def entries() -> list[dict[str, Any]]:
        with Database(store, read_only=True) as db:
            return db.rows("SELECT * FROM bunce_waiting_values ORDER BY customer_id")

    load(run, 1)
    facts(1, 2, 3)
    before = entries()
    again = facts(1, 2, 3, plan="silver")

    assert given(again["value_rows"]) == {"read": 3, "written": 1, "waiting": 2}
    assert entries() == before
    assert [entry["customer_id"] for entry in before] == ["2", "3"]


def test_a_part_of_what_waits_can_be_chosen(run: Run, facts: Any, waiting: Any) -> None:
    load(run, 9)
    facts(*range(1, 5))
    Path("ids.txt").write_text("2\n4\n9\n")
    some = run("rejected-values", "waiting", "--limit", "1")
    wrong = run("rejected-values", "waiting", "--pipeline", "fact")

    assert waiting("--customer", "@ids.txt") == [("2", "unknown"), ("4", "unknown")]
    assert len(waiting("--pipeline", "facts")) == 4
    assert waiting("--pipeline", "crm") == []
    assert "Showing 1 of 4. Pass --limit to show more, or --json." in some.output
    assert (wrong.code, "No run of a pipeline 'fact' is recorded" in wrong.errors) == (2, True)


def test_an_erased_customer_is_no_longer_waited_for(run: Run, facts: Any, waiting: Any) -> None:
    load(run, 1)
    facts(1, 2, 3)
    run("erase", "2", "--yes")

    assert waiting() == [("3", "unknown")]
