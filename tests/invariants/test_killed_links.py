"""Killed between finding who a customer is and updating them, a load loses and repeats nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.store import links

from .customers import person
from .scenario import ProcessPool, Scenario

BOUNDARIES = ("before commit", "before request", "after request")


# append sends nothing to those whom it links, so fewer of its boundaries differ
@pytest.mark.parametrize(("disposition", "every"), [("merge", 4), ("append", 6)])
def test_a_load_that_is_killed_while_it_links_is_completed_by_the_next(
    tmp_path: Path, emulator: Emulator, loads: ProcessPool, disposition: str, every: int
) -> None:
    emulator.behavior = Behavior(rate_limit=0)
    scenario = Scenario(tmp_path / "scenario", emulator, loads, disposition=disposition)
    scenario.settings["DESTINATION__BUNCE__CONCURRENCY"] = "1"
    scenario.settings["DESTINATION__BUNCE__MAX_CONCURRENCY"] = "1"
    scenario.settings["DESTINATION__BUNCE__ON_EMAIL_TAKEN"] = "link"
    scenario.settings["DESTINATION__BUNCE__BATCH_SIZE"] = "3"
    scenario.settings["DESTINATION__BUNCE__MAX_BATCH_SIZE"] = "3"
    linked = arrive(scenario)
    assert scenario.load() == 0, scenario.output()
    check(scenario, linked)
    passed = [(name, n) for name in BOUNDARIES for n in range(1, scenario.passed[name] + 1)]

    for name, n in passed[::every]:
        linked |= arrive(scenario)
        if scenario.load(kill_at=[name, n]) != 0:
            assert scenario.load(impatient=True) == 0, (name, n, scenario.output())
        check(scenario, linked)
    assert scenario.load() == 0, scenario.output()
    print(f"\n{len(passed[::every])} of {len(passed)} boundaries under {disposition}")
    assert scenario.summary["bulk_requests"] == 0
    assert len(passed[::every]) > 4


def arrive(scenario: Scenario) -> dict[str, str]:
    """Four customers whom Bunce has under another id, and two whom it does not have; who is who."""
    rows = [person(len(scenario.rows) + n) for n in range(6)]
    scenario.put(*rows)
    known = {row["customer_id"]: f"made-{row['customer_id']}" for row in rows[:4]}
    scenario.emulator.seed(theirs(row, known[row["customer_id"]]) for row in rows[:4])
    return known


def theirs(row: dict[str, Any], bunce_id: str) -> dict[str, Any]:
    """What another channel made of a customer."""
    return {**row, "customer_id": bunce_id, "first_name": "Old"}


def check(scenario: Scenario, linked: dict[str, str]) -> None:
    """Everybody is linked to themselves, has what they must have, and is there once."""
    there = scenario.emulator.customers
    with scenario.database() as db:
        made = {row["customer_id"]: row["bunce_id"] for row in links.known(db, "default")}
        claims = db.rows("SELECT 1 AS n FROM bunce_customers WHERE claim_batch IS NOT NULL")
        letters = db.rows("SELECT 1 AS n FROM bunce_dead_letters")
        fates = db.rows(
            "SELECT read, created + updated + adopted + skipped + unchanged + held + superseded + "
            "rejected + deferred AS counted FROM bunce_runs"
        )
    assert made == linked, scenario.output()
    assert (claims, letters) == ([], [])
    assert [run for run in fates if run["read"] != run["counted"]] == []
    assert there.keys() == {linked.get(key, key) for key in scenario.rows}
    for key, row in scenario.rows.items():
        kept = key in linked and scenario.disposition == "append"
        expected = "Old" if kept else row["first_name"]
        assert there[linked.get(key, key)]["first_name"] == expected, (key, scenario.output())
