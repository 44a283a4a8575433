"""Killed while it sends changed values, under any reading of the API, a load loses none of them and
blames no value but the bad ones.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from tests.destination.conftest import customer
from tests.forks import Forks

from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.store.database import Database

from .value_loads import ValueLoads

COUNT = 60
VARIANTS: dict[str, dict[str, Any]] = {
    "partial": {"value_failure": "partial", "value_errors": "named"},
    "atomic": {"value_failure": "atomic", "value_errors": "positions"},
    "first": {"value_failure": "atomic", "value_errors": "first", "value_echo": "sent"},
    # bad values are not named, and a success shows nothing
    "silent": {"value_failure": "partial", "value_errors": "anonymous", "value_echo": "absent"},
}


def row_of(number: int, **values: Any) -> dict[str, Any]:
    """A customer with a value of each kind."""
    given = {"plan": "gold", "balance": str(number), "vip": number % 2 == 0}
    return customer(number, **given | values)


def changed(number: int) -> dict[str, Any]:
    """The same customer later: a third of all values have changed, some to what is refused."""
    if number % 3:
        return row_of(number)
    plan = "cursed" if number in {9, 30} else "silver"
    balance = "much" if number in {12, 33} else "0.5"
    return row_of(number, plan=plan, balance=balance, vip=number % 2 == 1)


@pytest.mark.parametrize(
    ("seed", "variant", "tables", "database"),
    [
        (0, "partial", "two", "sqlite"),
        (1, "atomic", "one", "postgres"),
        (2, "first", "two", "postgres"),
        (3, "silent", "one", "sqlite"),
    ],
)
def test_killed_at_random_changes_arrive_and_bad_values_alone_are_rejected(
    seed: int,
    variant: str,
    tables: str,
    database: str,
    tmp_path: Path,
    emulator: Emulator,
    loading: Forks,
    request: pytest.FixtureRequest,
) -> None:
    store = f"sqlite:///{tmp_path}/bunce.sqlite"
    store = store if database == "sqlite" else str(request.getfixturevalue("postgres_store"))
    loads = ValueLoads(emulator, loading, store, tmp_path, tables, batch_size=10)
    loads.prepare()
    emulator.behavior = Behavior(rate_limit=0)
    loads.load([row_of(number) for number in range(COUNT)])
    api = {"rate_limit": 0, "refused_value": "cursed", **VARIANTS[variant]}
    emulator.behavior = Behavior(latency_ms=10, **api)
    later = [changed(number) for number in range(COUNT)]

    loads.kill_after(random.Random(seed).randrange(1, 5), later)
    summary = loads.load(later)

    for number, row in enumerate(later):
        assert emulator.attributes.values_of(f"c{number}") == {
            "Plan": "gold" if row["plan"] == "cursed" else row["plan"],
            "Balance": str(number) if row["balance"] == "much" else row["balance"],
        }
    assert emulator.attributes.members_of("VIP") == {
        row["customer_id"] for row in later if row["vip"]
    }
    with Database(store) as db:
        rejected = db.rows("SELECT customer_id, name, code FROM bunce_rejected_values ORDER BY 1")
    assert [tuple(row.values()) for row in rejected] == [
        ("c12", "Balance", "invalid_number"),
        ("c30", "Plan", "refused"),
        ("c33", "Balance", "invalid_number"),
        ("c9", "Plan", "refused"),
    ]
    # the killed run is completed first, and then nothing is left to do
    for counts, others in (
        (summary["flushed"]["attributes"], {"written": 36, "unchanged": 80}),
        (summary["attributes"], {"written": 0, "unchanged": 116}),
    ):
        assert {name: counts[name] for name in others} == others
        assert (counts["read"], counts["rejected"], counts["deferred"]) == (2 * COUNT, 4, 0)
    members = summary["flushed"]["segments"]
    assert (members["read"], members["written"], members["deferred"]) == (COUNT, 20, 0)
    assert (summary["segments"]["written"], summary["segments"]["unchanged"]) == (0, COUNT)
