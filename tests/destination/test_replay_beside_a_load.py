"""A replay beside a load: what the load has read meanwhile is newer than the dead letters."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.gateway import Answer, gateway

from dlt_bunce import bunce_adapter
from dlt_bunce.emulator import Emulator

from .attribute_runs import fates, prepare
from .conftest import MakePipeline, customer, letters, replayed


class Hold:
    """Keeps back the first list of attributes once it is armed, until `release`."""

    def __init__(self) -> None:
        self.is_armed = False
        self.arrived, self.released = threading.Event(), threading.Event()

    def alter(self, method: str, path: str, status: int, body: bytes) -> Answer:
        if self.is_armed and method == "GET" and "/attributes" in path:
            self.is_armed = False
            self.arrived.set()
            assert self.released.wait(20)
        return status, body


@pytest.mark.parametrize("name", ["Old", "New"])
def test_a_customer_that_a_load_reads_meanwhile_is_not_overwritten(
    name: str, make: MakePipeline, emulator: Emulator
) -> None:
    prepare(emulator)
    hold = Hold()
    with gateway(emulator, hold.alter) as base_url, ThreadPoolExecutor() as threads:

        def load(**values: Any) -> None:
            data = bunce_adapter([customer(1, **values)], attributes={"plan": "Plan"})
            make(base_url=base_url).run(data, table_name="customers", write_disposition="merge")

        load(first_name="Old", plan="gold")
        load(first_name="Bad", plan="silver", phone_no="0803 000 0000")
        hold.is_armed = True
        done = threads.submit(
            replayed, emulator, settings={"default_region": "NG", "base_url": base_url}
        )
        assert hold.arrived.wait(20)
        load(first_name=name, plan="gold")
        hold.released.set()
        summary = done.result(60).summary

    assert emulator.customers["c1"]["first_name"] == name
    assert emulator.attributes.values_of("c1")["Plan"] == "gold"
    assert (summary.read, summary.superseded) == (1, 1)
    assert fates(summary) == {"superseded": 1}
    assert letters() == [("c1", "invalid_phone_no", "resolved")]
