"""Killed while it sends attribute values, a load loses none: those in doubt are sent again."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.store.database import Database

PROGRAM = """
import json, sys
import dlt
import pyarrow as pa
from dlt_bunce import bunce, bunce_adapter, flush_and_run
base_url, store_url, folder, tables = sys.argv[1:]
rows = [
    {"customer_id": f"c{n}", "email": f"c{n}@example.com", "first_name": "Ada", "last_name": "Obi",
     "phone_no": f"+23481{n:08d}", "plan": "gold", "balance": n, "vip": n % 2 == 0}
    for n in range(300)
]
pipeline = dlt.pipeline("crm", pipelines_dir=folder, destination=bunce(
    "sk_test_kills", base_url=base_url, store_url=store_url, requests_per_minute=0,
    max_batch_size=20, concurrency=1, max_concurrency=1))
values = {"attributes": {"plan": "Plan", "balance": "Balance"}, "segments": {"vip": "VIP"}}
if tables == "one":
    data = bunce_adapter(rows, **values).with_name("customers")
else:
    @dlt.source(name="crm")
    def crm():
        yield bunce_adapter(rows).with_name("customers")
        facts = pa.Table.from_pylist(rows).select(["customer_id", "plan", "balance", "vip"])
        yield bunce_adapter(facts, values_only=True, **values).with_name("facts")
    data = crm()
summary = flush_and_run(pipeline, data, write_disposition="merge")
print(json.dumps(summary.as_dict()))
"""


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
    request: pytest.FixtureRequest,
) -> None:
    emulator.behavior = Behavior(rate_limit=0, latency_ms=10)
    emulator.attributes.add("Plan", "text")
    emulator.attributes.add("Balance", "numeric")
    emulator.attributes.add_segment("VIP")
    is_file = database == "sqlite"
    store = f"sqlite:///{tmp_path}/bunce.sqlite"
    store = store if is_file else str(request.getfixturevalue("postgres_store"))
    arguments = [sys.executable, "-c", PROGRAM, emulator.base_url, store]
    arguments += [str(tmp_path / "dlt"), tables]
    chance = random.Random(seed)

    program = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    wanted = chance.randrange(1, 25)
    while sum(r.call in {"values", "members"} for r in emulator.requests) < wanted:
        assert program.poll() is None
        time.sleep(0.001)
    program.send_signal(signal.SIGKILL)
    assert program.wait() == -signal.SIGKILL
    program.communicate()
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=120)

    summary = json.loads(done.stdout.splitlines()[-1])
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
