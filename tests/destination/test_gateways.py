"""Answers in forms that no page of Bunce's documents, and that gateways and frameworks give."""

from __future__ import annotations

from typing import Any

import pytest
from tests.gateway import gateway, unchanged

from dlt_bunce import bunce_adapter, flush_and_run
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.model import RunSummary

from .attribute_runs import prepare
from .conftest import MakePipeline, customer

ROWS = range(6)
BAD = "x1@refused.example"


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)
    emulator.behavior = Behavior(rate_limit=0, refused_email_domain="refused.example")


def load(make: MakePipeline, base_url: str, **columns: Any) -> RunSummary:
    """Loads six customers, each with a value and a membership."""
    rows = [customer(n, plan="gold", vip=True, **columns) for n in ROWS]
    data = bunce_adapter(rows, attributes={"plan": "Plan"}, segments={"vip": "VIP"})
    return flush_and_run(make(base_url=base_url), data, table_name="customers")


def load_one_bad(make: MakePipeline, base_url: str) -> RunSummary:
    """Loads six customers, of whom Bunce refuses the second."""
    rows = [customer(n) | ({"email": BAD} if n == 1 else {}) for n in ROWS]
    return flush_and_run(make(base_url=base_url), bunce_adapter(rows), table_name="customers")


def changed(method: str, path: str) -> bool:
    """Whether a request changes values or members."""
    return method != "GET" and ("/attributes/" in path or "/segments/" in path)


@pytest.mark.parametrize("status", [102, 103])
def test_interim_answers_are_not_taken_for_the_answer(
    make: MakePipeline, emulator: Emulator, status: int
) -> None:
    interim = f"HTTP/1.1 {status} X\r\nLink: </style.css>\r\n\r\n".encode()
    with gateway(emulator, unchanged, interim) as base_url:
        summary = load(make, base_url)

    assert (summary.created, summary.rejected) == (6, 0)
    assert (summary.attributes["written"], summary.segments["written"]) == (6, 6)
    assert set(emulator.times_sent.values()) == {1}
