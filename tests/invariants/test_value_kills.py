"""Killed while it sends attribute values, a load loses none: those in doubt are sent again."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.destination.conftest import customer
from tests.forks import Forks

from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.store.database import Database

from .value_loads import ValueLoads


@pytest.mark.parametrize(
    ("seed", "tables", "database"),
    [(0, "one", "sqlite"), (1, "two", "sqlite"), (2, "one", "postgres"), (3, "two", "postgres")],
)
def test_killed_at_random_no_value_is_lost_and_all_are_counted(
    seed: int,
    tables: str,
    database: str,
    tmp_path: Path,
    emulator: Emulator,
    loading: Forks,
    request: pytest.FixtureRequest,
) -> None:
    emulator.behavior = Behavior(rate_limit=0, latency_ms=10)
    store = f"sqlite:///{tmp_path}/bunce.sqlite"
    store = store if database == "sqlite" else str(request.getfixturevalue("postgres_store"))
    loads = ValueLoads(emulator, loading, store, tmp_path, tables, batch_size=20)
    loads.prepare()
    rows = [customer(n, plan="gold", balance=n, vip=n % 2 == 0) for n in range(300)]

    loads.kill_after(random.Random(seed).randrange(1, 25), rows)
    summary = loads.load(rows)

    for number in range(300):
        assert emulator.attributes.values_of(f"c{number}") == {
            "Plan": "gold",
            "Balance": str(number),
        }
    assert emulator.attributes.members_of("VIP") == {f"c{n}" for n in range(0, 300, 2)}
    # the killed run is completed first, then the same rows are unchanged
    assert summary["attributes"] | {"waiting": 0} == {
        "read": 600,
        "written": 0,
        "unchanged": 600,
        "blank": 0,
        "skipped": 0,
        "waiting": 0,
        "superseded": 0,
        "rejected": 0,
        "deferred": 0,
    }
    before = summary["flushed"]["attributes"]
    assert (before["read"], before["written"], before["deferred"]) == (600, 600, 0)
    if tables == "two":
        # rows that only needed a look count as unchanged
        counts = summary["flushed"]["value_rows"]
        assert (counts["read"], counts["written"] + counts["unchanged"]) == (300, 300)
    with Database(store) as db:
        assert db.rows("SELECT 1 AS n FROM bunce_rejected_values") == []
    # only what was not settled yet was sent again, and is counted: of those that were queued,
    # twenty in each
    again = emulator.attributes.values_received - 750
    assert 0 <= again <= summary["flushed"]["warnings"].get("values_resent", 0) <= 20 * 8
