"""A pytest plugin for tests of your own pipelines: an emulated Bunce on loopback.

Needs the extra `emulator`. In `conftest.py`:

    pytest_plugins = ["dlt_bunce.testing"]

A test then asks for `bunce_emulator`, runs its pipeline, and looks at what arrived:

    def test_the_pipeline_loads_every_customer(bunce_emulator):
        run_my_pipeline()
        assert set(bunce_emulator.customers) == {"1", "2"}
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dlt_bunce.emulator import Behavior, Emulator

__all__ = ["bunce_emulator"]


@pytest.fixture(scope="session")
def _bunce_emulator() -> Iterator[Emulator]:
    with Emulator(Behavior(rate_limit=0)) as emulator:
        yield emulator


@pytest.fixture
def bunce_emulator(
    _bunce_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Emulator:
    """Return an empty workspace for the test's loads, with a store and dlt folders of its own.

    `bunce_emulator.customers` are the customers that arrived, by customer_id;
    `bunce_emulator.behavior` switches faults on.
    """
    _bunce_emulator.reset()
    for name, value in {
        "DESTINATION__BUNCE__BASE_URL": _bunce_emulator.base_url,
        "DESTINATION__BUNCE__CREDENTIALS__API_KEY": "sk_test_emulator",
        "DESTINATION__BUNCE__REQUESTS_PER_MINUTE": "0",
        "DESTINATION__BUNCE__STORE_URL": f"sqlite:///{tmp_path / 'bunce.sqlite'}",
        "DLT_DATA_DIR": str(tmp_path / "dlt"),
    }.items():
        monkeypatch.setenv(name, value)
    return _bunce_emulator
