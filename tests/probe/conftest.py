"""Probes of the emulator, with whatever switches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from dlt_bunce import bunce
from dlt_bunce.destination.access import client_for
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.operations.probe import probe
from dlt_bunce.probe.report import ProbeReport

Ask = Callable[..., ProbeReport]
KEY = "sk_test_marked_key"


@pytest.fixture
def ask(emulator: Emulator) -> Ask:
    """Probes an empty workspace that behaves as told, with batches of up to 100."""
    client = client_for(
        bunce(
            credentials=KEY,
            base_url=emulator.base_url,
            store_url="sqlite:///bunce.sqlite",
            requests_per_minute=0,
        ),
        "probe",
    )

    def ask(switches: dict[str, Any], **settings: Any) -> ProbeReport:
        emulator.reset()
        emulator.behavior = Behavior(rate_limit=0, **switches)
        emulator.attributes.add("Probe", "text")
        emulator.attributes.add_segment("Testers")
        # only a lag in seconds takes time to be seen
        waits = time.sleep if "lookup_lag_seconds" in switches else lambda _seconds: None
        settings = {"prefix": "dlt-bunce-probe", "max_batch": 100, "sleep": waits} | settings
        return probe(client, **settings)

    return ask
