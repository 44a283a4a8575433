"""Look-ups ask for as many customers at a time as the server answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from dlt_bunce.api.client import Session
from dlt_bunce.emulator import Behavior, Emulator, Fault

from .conftest import fields

IDS = [f"c{number}" for number in range(700)]


def asked(emulator: Emulator) -> list[int]:
    """How many ids each look-up by ids asked for."""
    return [len(r.customer_ids) for r in emulator.requests if r.customer_ids]


def seed(emulator: Emulator) -> None:
    emulator.seed(fields(customer_id) for customer_id in IDS[:600])


def test_portions_double_while_all_of_them_are_answered(
    emulator: Emulator, session: Session
) -> None:
    emulator.behavior = Behavior(rate_limit=0, max_per_page=1_000)
    seed(emulator)

    found = session.find(IDS)

    assert set(IDS[:600]) == set(found or ())
    # the first proves that look-ups work by one who is there, and who ends each of the others
    assert asked(emulator) == [1, 98, 198, 396, 11]


def test_a_limit_that_was_met_once_is_not_tried_again(emulator: Emulator, session: Session) -> None:
    emulator.behavior = Behavior(rate_limit=0, lookup_max_ids=100, max_per_page=1_000)
    seed(emulator)

    found = session.find(IDS)

    assert set(IDS[:600]) == set(found or ())
    assert asked(emulator)[:5] == [1, 98, 198, 99, 99]
    assert set(asked(emulator)[3:-1]) == {99}


def test_every_look_up_is_counted(emulator: Emulator, session: Session) -> None:
    seed(emulator)

    session.find(IDS)

    assert len(emulator.requests) == session.take_traffic().lookups


def test_an_answer_of_which_the_end_is_missing_is_asked_for_again(
    emulator: Emulator, session: Session
) -> None:
    seed(emulator)
    emulator.behavior = Behavior(
        rate_limit=0, faults=(Fault("truncated", on_request=1, call="lookup"),)
    )

    found = session.find(IDS[:2])

    assert set(found or ()) == {"c0", "c1"}
    assert session.take_traffic().retries == 1


def test_look_ups_at_the_same_time_share_one_proof(emulator: Emulator, session: Session) -> None:
    emulator.behavior = Behavior(rate_limit=0, latency_ms=50)
    seed(emulator)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(session.find, ([f"c{n}"] for n in range(1, 9))))

    assert [{f"c{n}"} for n in range(1, 9)] == [set(customers or ()) for customers in found]
    # one listing shows who is there, and one look-up that the filter is obeyed
    assert sorted(len(r.customer_ids) for r in emulator.requests)[:2] == [0, 1]
    assert len(emulator.requests) == 2 + 8
