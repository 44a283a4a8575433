"""Two loads that write the same values at once: the ledger never says that Bunce has a value which
the other load's request may have replaced.
"""

from __future__ import annotations

import json
import subprocess
import threading
from typing import Any

import pytest
from tests.forks import Forks
from tests.gateway import Answer, as_json, gateway

from dlt_bunce import bunce_adapter, flush_and_run
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.model import RunSummary

from .attribute_runs import fates, prepare
from .conftest import MakePipeline, customer

FED: dict[str, Any] = {"attributes": {"plan": "Plan"}, "segments": {"vip": "VIP"}}
ROWS = range(6)
REFUSED = as_json(401, {"success": False, "message": "Unauthorized"})
PROGRAM = """
import json, sys, dlt
from dlt_bunce import bunce, bunce_adapter, flush_and_run
base_url, store_url, rows, fed = sys.argv[1:]
pipeline = dlt.pipeline("slow", pipelines_dir="slow", destination=bunce(
    "sk_test_marked", base_url=base_url, store_url=store_url, requests_per_minute=0,
    batch_size=2, max_batch_size=2, concurrency=1, max_concurrency=1))
data = bunce_adapter(json.loads(rows), **json.loads(fed)).with_name("customers")
summary = flush_and_run(pipeline, data, write_disposition="merge")
print(json.dumps(summary.as_dict()))
"""


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)
    emulator.behavior = Behavior(rate_limit=0)


def people(plan: str, *, vip: bool) -> list[dict[str, Any]]:
    return [customer(n, plan=plan, vip=vip) for n in ROWS]


class Hold:
    """Keeps back the answer to the next change of values once it is armed, until `release`."""

    def __init__(self) -> None:
        self.is_armed = False
        self._altered: Answer | None = None
        self.arrived, self._released = threading.Event(), threading.Event()

    def release(self, answer: Answer | None) -> None:
        """Lets it go, or another answer in place of it."""
        self._altered = answer
        self._released.set()

    def alter(self, method: str, path: str, status: int, body: bytes) -> Answer:
        is_change = method != "GET" and ("/attributes/" in path or "/segments/" in path)
        if not self.is_armed or not is_change:
            return status, body
        self.is_armed = False
        self.arrived.set()
        assert self._released.wait(60)
        return self._altered or (status, body)


@pytest.mark.parametrize(
    ("answer", "later"),
    [(None, "silver"), (REFUSED, "bronze")],
    ids=["answered", "key refused"],
)
def test_no_value_counts_as_written_that_another_load_has_replaced(
    make: MakePipeline,
    emulator: Emulator,
    store: str,
    loading: Forks,
    answer: Answer | None,
    later: str,
) -> None:
    hold = Hold()
    with gateway(emulator, hold.alter) as base_url:

        def load(rows: list[dict[str, Any]]) -> RunSummary:
            pipeline = make(base_url=base_url, store_url=store)
            data = bunce_adapter(rows, **FED).with_name("customers")
            return flush_and_run(pipeline, data, write_disposition="merge")

        load(people("bronze", vip=True))
        hold.is_armed = True
        given = [base_url, store, json.dumps(people("silver", vip=True)), json.dumps(FED)]
        with subprocess.Popen(loading.python(PROGRAM, *given), stderr=subprocess.DEVNULL) as slow:
            assert hold.arrived.wait(60)
            load(people("gold", vip=False))
            hold.release(answer)
            slow.wait(60)
        summary = load(people(later, vip=True))
        again = load(people(later, vip=True))

    assert [emulator.attributes.values_of(f"c{n}")["Plan"] for n in ROWS] == [later] * 6
    assert emulator.attributes.members_of("VIP") == {f"c{n}" for n in ROWS}
    assert fates(summary) == {"written": 6}
    assert fates(again) == {"unchanged": 6}


def test_values_of_older_rows_give_way_to_those_that_another_load_writes_meanwhile(
    make: MakePipeline, emulator: Emulator, store: str, loading: Forks
) -> None:
    hold, fed, numbers = Hold(), FED | {"version": "changed"}, range(20)

    def rows(plan: str, changed: int, *, vip: bool) -> list[dict[str, Any]]:
        return [customer(n, plan=plan, vip=vip, changed=changed) for n in numbers]

    def plans() -> list[Any]:
        return [emulator.attributes.values_of(f"c{n}")["Plan"] for n in numbers]

    with gateway(emulator, hold.alter) as base_url:

        def load(*given: Any, vip: bool) -> RunSummary:
            pipeline = make(base_url=base_url, store_url=store)
            data = bunce_adapter(rows(*given, vip=vip), **fed).with_name("customers")
            return flush_and_run(pipeline, data, write_disposition="merge")

        load("bronze", 1, vip=True)
        hold.is_armed = True
        given = [base_url, store, json.dumps(rows("silver", 2, vip=False)), json.dumps(fed)]
        with subprocess.Popen(
            loading.python(PROGRAM, *given), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as slow:
            assert hold.arrived.wait(60)
            newer = load("gold", 3, vip=True)
            hold.release(None)
            older = json.loads(slow.communicate(timeout=60)[0])
        assert emulator.attributes.members_of("VIP") == {f"c{n}" for n in numbers}
        # batches of two that were queued by then are sent, and known to be in doubt
        queued = plans().count("silver")
        again = load("gold", 3, vip=True)

    assert fates(newer) == {"written": 20}
    assert queued < 10
    assert older["attributes"]["superseded"] >= 10
    assert older["segments"]["superseded"] == older["segments"]["read"] == 20
    assert again.attributes["written"] >= queued
    assert plans() == ["gold"] * 20
