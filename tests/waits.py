"""Waits that are for a Bunce far away, and would only keep the tests waiting for the emulator."""

from __future__ import annotations

from functools import partial

import pytest

from dlt_bunce.api import client
from dlt_bunce.api.retry import RetryPolicy
from dlt_bunce.destination import jobs
from dlt_bunce.load.load import Settings
from dlt_bunce.operations import replay


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sends a request again almost at once; tests/api has how long a load waits for it."""
    monkeypatch.setattr(client, "RetryPolicy", partial(RetryPolicy, base_s=0.01))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets loads look again at once for whom a look-up does not show: the emulator's do not lag."""
    for module in (jobs, replay):
        monkeypatch.setattr(module, "Settings", partial(Settings, patience_s=(0.0,) * 5))
