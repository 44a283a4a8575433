"""Killed while it sends changed values, under any reading of the API, a load loses none of them and
blames no value but the bad ones.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.store.database import Database

PROGRAM = """
import json, sys
import dlt
import pyarrow as pa
from dlt_bunce import bunce, bunce_adapter, flush_and_run
base_url, store_url, folder, tables, rows = sys.argv[1:]
rows = json.loads(rows)
pipeline = dlt.pipeline("crm", pipelines_dir=folder, destination=bunce(
    "sk_test_kills", base_url=base_url, store_url=store_url, requests_per_minute=0,
    max_batch_size=10, concurrency=1, max_concurrency=1))
values = {"attributes": {"plan": "Plan", "balance": "Balance"}, "segments": {"vip": "VIP"}}
if tables == "one":
    data = bunce_adapter(rows, **values).with_name("customers")
else:
    @dlt.source(name="crm")
    def crm():
        names = ("customer_id", "plan", "balance", "vip")
        people = [{k: v for k, v in row.items() if k not in names[1:]} for row in rows]
        yield bunce_adapter(people).with_name("customers")
        facts = pa.Table.from_pylist([{name: row[name] for name in names} for row in rows])
        yield bunce_adapter(facts, values_only=True, **values).with_name("facts")
    data = crm()
summary = flush_and_run(pipeline, data, write_disposition="merge")
print(json.dumps(summary.as_dict()))
"""
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
    return {
        "customer_id": f"c{number}",
        "email": f"c{number}@example.com",
        "first_name": "Ada",
        "last_name": "Obi",
        "phone_no": f"+23481{number:08d}",
        "plan": "gold",
        "balance": str(number),
        "vip": number % 2 == 0,
    } | values


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
    request: pytest.FixtureRequest,
) -> None:
    emulator.attributes.add("Plan", "text")
    emulator.attributes.add("Balance", "numeric")
    emulator.attributes.add_segment("VIP")
    store = f"sqlite:///{tmp_path}/bunce.sqlite"
    store = store if database == "sqlite" else str(request.getfixturevalue("postgres_store"))
    chance = random.Random(seed)

    def command(rows: list[dict[str, Any]]) -> list[str]:
        arguments = [sys.executable, "-c", PROGRAM, emulator.base_url, store]
        return [*arguments, str(tmp_path / "dlt"), tables, json.dumps(rows)]

    emulator.behavior = Behavior(rate_limit=0)
    first = [row_of(number) for number in range(COUNT)]
    subprocess.run(command(first), check=True, capture_output=True, timeout=120)
    api = {"rate_limit": 0, "refused_value": "cursed", **VARIANTS[variant]}
    emulator.behavior = Behavior(latency_ms=10, **api)
    later = [changed(number) for number in range(COUNT)]

    before, wanted = len(emulator.requests), chance.randrange(1, 5)
    program = subprocess.Popen(command(later), stdout=subprocess.PIPE, text=True)
    while sum(r.call in {"values", "members"} for r in emulator.requests[before:]) < wanted:
        assert program.poll() is None
        time.sleep(0.001)
    program.send_signal(signal.SIGKILL)
    assert program.wait() == -signal.SIGKILL
    program.communicate()
    done = subprocess.run(command(later), capture_output=True, text=True, check=True, timeout=120)

    summary = json.loads(done.stdout.splitlines()[-1])
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
