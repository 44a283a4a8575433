"""Killed while it removes absent members, a load loses none: the next run removes the others."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.forks import Forks

from dlt_bunce.emulator import Behavior, Emulator

PROGRAM = """
import json, sys
import dlt
from dlt_bunce import bunce, bunce_adapter, flush_and_run, run_summary
base_url, store_url, folder, count, door = sys.argv[1:]
rows = [
    {"customer_id": f"c{n}", "email": f"c{n}@example.com", "first_name": "Ada", "last_name": "Obi",
     "phone_no": f"+23481{n:08d}", "vip": True}
    for n in range(int(count))
]
pipeline = dlt.pipeline("crm", pipelines_dir=folder, destination=bunce(
    "sk_test_kills", base_url=base_url, store_url=store_url, requests_per_minute=0,
    segments_min_share=0.5, max_batch_size=10, concurrency=1, max_concurrency=1))
data = bunce_adapter(rows, segments={"vip": "VIP"}, segments_whole=True).with_name("customers")
if door == "plain":
    pipeline.run(data, write_disposition="merge")
    summary = run_summary(pipeline)
else:
    summary = flush_and_run(pipeline, data, write_disposition="merge")
print(json.dumps(summary.as_dict()))
"""


@pytest.mark.parametrize(("door", "database"), [("flush", "postgres"), ("plain", "sqlite")])
def test_killed_in_mid_removal_the_next_run_removes_the_others(
    door: str,
    database: str,
    tmp_path: Path,
    emulator: Emulator,
    loading: Forks,
    request: pytest.FixtureRequest,
) -> None:
    emulator.behavior = Behavior(rate_limit=0)
    emulator.attributes.add_segment("VIP")
    store = f"sqlite:///{tmp_path}/bunce.sqlite"
    if database == "postgres":
        store = str(request.getfixturevalue("postgres_store"))

    def arguments(count: int) -> list[str]:
        given = [emulator.base_url, store, str(tmp_path / "dlt"), str(count), door]
        return loading.python(PROGRAM, *given)

    subprocess.run(arguments(200), check=True, capture_output=True)
    emulator.behavior = Behavior(rate_limit=0, latency_ms=20)
    program = subprocess.Popen(arguments(120), stdout=subprocess.PIPE)
    before = len(emulator.requests)
    while sum(r.call == "members" for r in emulator.requests[before:]) < 3:
        assert program.poll() is None
        time.sleep(0.001)
    program.send_signal(signal.SIGKILL)
    assert program.wait() == -signal.SIGKILL
    program.communicate()
    assert 120 < len(emulator.attributes.members_of("VIP")) < 200
    done = subprocess.run(arguments(120), check=True, capture_output=True, text=True)

    summary = json.loads(done.stdout.splitlines()[-1])
    assert emulator.attributes.members_of("VIP") == {f"c{n}" for n in range(120)}
    absent, again = summary["absent_members"], emulator.attributes.values_received - 200 - 80
    if door == "plain":
        # dlt goes on with the package that was not complete
        assert (absent["read"], absent["written"], absent["deferred"]) == (80, 80, 0)
        assert 0 <= again <= summary["warnings"].get("values_resent", 0)
    else:
        # the rows that this run reads are newer, so the rest is theirs
        earlier = summary["flushed"]["absent_members"]
        assert (absent["read"], earlier["deferred"]) == (absent["written"], 0)
        assert absent["written"] + earlier["written"] == 80
