"""Batches wait for their turn: in the budget, and while another one brings a proof."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest

from dlt_bunce.api.client import Session
from dlt_bunce.api.rate_limit import TokenBucket
from dlt_bunce.api.throttle import BatchSize
from dlt_bunce.emulator import Emulator
from dlt_bunce.settlement.settlement import ApiCapabilities, Settlement
from dlt_bunce.settlement.work_item import BatchRejection

from .conftest import batch, fields, row

REFUSAL = BatchRejection(2, 10, "bad", counted=True)


def test_a_batch_that_is_stopped_while_it_waits_is_not_sent_and_not_in_doubt(
    emulator: Emulator,
) -> None:
    waits: list[float] = []
    # the first of each minute leaves at once, the second waits
    pace = TokenBucket(1, sleep=waits.append, clock=lambda: 61.0 * len(waits))
    with closing(Session(emulator.base_url, "sk_test_x", pace=pace)) as session:
        session.check_key()
        settlement = Settlement(
            batch([row(fields("c1"))]),
            session,
            ApiCapabilities(),
            BatchSize(1, 1),
            overwrite=True,
            stopped=lambda: bool(waits),
        )

        (result,) = settlement.run()

    assert waits
    assert (result.fate, result.indeterminate) == ("deferred", False)
    assert [record.call for record in emulator.requests] == ["lookup"]


def test_one_batch_brings_a_proof_while_the_others_that_could_wait() -> None:
    capabilities = ApiCapabilities()
    capabilities.request_verification(REFUSAL)
    proves, proven = threading.Event(), threading.Event()

    def first() -> bool:
        with capabilities.turn(proves=True) as probes:
            proves.set()
            assert proven.wait(10)
            # others that were refused meanwhile ask for a proof as well
            capabilities.request_verification(REFUSAL)
            capabilities.learn(replace(REFUSAL, fresh=True), absent=0, other=0, looked_up=8)
            return probes

    def another(*, could: bool) -> bool:
        with capabilities.turn(proves=could) as probes:
            return probes

    with ThreadPoolExecutor(3) as pool:
        prober = pool.submit(first)
        assert proves.wait(10)
        assert not pool.submit(another, could=False).result(10)
        waiting = [pool.submit(another, could=True) for _ in range(2)]
        assert not any(one.done() for one in waiting)
        proven.set()

        assert prober.result(10)
        assert [one.result(10) for one in waiting] == [False, False]


def test_a_batch_that_fails_to_bring_a_proof_leaves_that_to_the_next_one() -> None:
    capabilities = ApiCapabilities()
    capabilities.request_verification(REFUSAL)

    def lost() -> None:
        with capabilities.turn(proves=True) as probes:
            assert probes
            raise OSError("lost")

    with pytest.raises(OSError, match="lost"):
        lost()
    capabilities.request_verification(REFUSAL)

    with capabilities.turn(proves=True) as probes:
        assert probes
