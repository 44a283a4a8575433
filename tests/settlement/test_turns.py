"""Batches wait for their turn: in the budget, and while another one brings a proof."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest
from tests.api.conftest import batch, fields, row

from dlt_bunce.api.client import Session
from dlt_bunce.api.rate_limit import TokenBucket
from dlt_bunce.api.throttle import BatchSize
from dlt_bunce.emulator import Emulator
from dlt_bunce.settlement.settlement import ApiCapabilities, Settlement
from dlt_bunce.settlement.work_item import BatchRejection

REJECTION = BatchRejection(2, 10, "bad", counted=True)


def test_a_batch_that_is_stopped_while_it_waits_is_neither_sent_nor_indeterminate(
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


def opened() -> ApiCapabilities:
    """Those of a run whose first batch was answered, and that waits for a proof."""
    capabilities = ApiCapabilities()
    capabilities.note_answer("create", accepted=False)
    capabilities.learn(REJECTION, absent=0, other=0, looked_up=8)
    return capabilities


def test_creates_go_one_at_a_time_until_one_is_answered() -> None:
    capabilities = ApiCapabilities()
    started, answered = threading.Event(), threading.Event()

    def first() -> None:
        with capabilities.turn(alone=True):
            started.set()
            assert answered.wait(10)
            capabilities.note_answer("create", accepted=True)

    def another() -> bool:
        with capabilities.turn(alone=True):
            return answered.is_set()

    with ThreadPoolExecutor(3) as pool:
        alone = pool.submit(first)
        assert started.wait(10)
        others = [pool.submit(another) for _ in range(2)]
        assert not any(other.done() for other in others)
        answered.set()
        alone.result(10)

        assert [other.result(10) for other in others] == [True, True]

    with capabilities.turn(alone=True), capabilities.turn(alone=True):
        pass  # from now on several at a time


def test_one_batch_brings_a_proof_while_the_others_that_could_wait() -> None:
    capabilities = opened()
    proves, proven = threading.Event(), threading.Event()

    def first() -> bool:
        with capabilities.turn(alone=True) as probes:
            proves.set()
            assert proven.wait(10)
            # others that were rejected meanwhile ask for a proof as well
            capabilities.learn(REJECTION, absent=0, other=0, looked_up=8)
            capabilities.learn(replace(REJECTION, fresh=True), absent=0, other=0, looked_up=8)
            return probes

    def another(*, could: bool) -> bool:
        with capabilities.turn(alone=could) as probes:
            return probes

    with ThreadPoolExecutor(3) as pool:
        prober = pool.submit(first)
        assert proves.wait(10)
        assert not pool.submit(another, could=False).result(10)
        waiting = [pool.submit(another, could=True) for _ in range(2)]
        assert not any(future.done() for future in waiting)
        proven.set()

        assert prober.result(10)
        assert [future.result(10) for future in waiting] == [False, False]


def test_a_batch_that_fails_to_bring_a_proof_leaves_that_to_the_next_one() -> None:
    capabilities = opened()

    def lost() -> None:
        with capabilities.turn(alone=True) as probes:
            assert probes
            raise OSError("lost")

    with pytest.raises(OSError, match="lost"):
        lost()
    capabilities.learn(REJECTION, absent=0, other=0, looked_up=8)

    with capabilities.turn(alone=True) as probes:
        assert probes


def test_no_proof_is_expected_any_more_after_eight_batches_that_were_to_bring_one() -> None:
    capabilities = opened()

    for _ in range(8):
        assert capabilities.take_probe()
        capabilities.learn(REJECTION, absent=0, other=0, looked_up=8)

    assert not capabilities.take_probe()
