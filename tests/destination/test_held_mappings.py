"""A replay maps a row that is held as the last load that has read it."""

from __future__ import annotations

from typing import Any

import pytest

from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.store.database import Database
from dlt_bunce.store.retention import retain

from .attribute_runs import prepare, run
from .conftest import STORE, MakePipeline, customer, letters, replayed

# one that is refused by Bunce, and one that is not sent
BAD: list[dict[str, Any]] = [{"email": "c1@bad.example"}, {"phone_no": "08012345678"}]


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)
    emulator.behavior = Behavior(rate_limit=0, refused_email_domain="bad.example")


def rows(**columns: Any) -> list[dict[str, Any]]:
    return [customer(n, **changes, **columns) for n, changes in enumerate(BAD, start=1)]


def sent_by_a_replay(emulator: Emulator) -> list[dict[str, Any]]:
    emulator.behavior = Behavior(rate_limit=0)
    done = replayed(emulator, settings={"default_region": "NG"}).summary
    assert (done.created, letters("status")) == (2, [("resolved",)] * 2)
    return [emulator.attributes.values_of(f"c{n}") for n in (1, 2)]


@pytest.mark.parametrize(
    ("columns", "attributes", "sent"),
    [
        ({"plan": "gold", "tier": "high"}, {"tier": "Plan"}, {"Plan": "high"}),
        ({"tier": "high"}, {"tier": "Plan"}, {"Plan": "high"}),
        ({"plan": "gold", "tier": "high"}, None, {}),
    ],
    ids=["another column", "a renamed column", "no column"],
)
def test_a_corrected_hint_reaches_rows_that_are_held(
    make: MakePipeline,
    emulator: Emulator,
    columns: dict[str, str],
    attributes: dict[str, str] | None,
    sent: dict[str, str],
) -> None:
    pipeline = make()
    run(pipeline, *rows(plan="gold", tier="high"), attributes={"plan": "Plan"})

    corrected = run(pipeline, *rows(**columns), attributes=attributes)

    assert (corrected.held, corrected.rejected) == (2, 0)
    assert letters("attempts") == [(1,)] * 2
    assert sent_by_a_replay(emulator) == [sent] * 2


def test_a_replay_that_fails_keeps_the_mapping_and_so_does_the_deletion_of_old_runs(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline = make()
    run(pipeline, *rows(plan="gold", tier="high"), attributes={"plan": "Plan"})
    run(pipeline, *rows(plan="gold", tier="high"), attributes={"tier": "Plan"})
    run(pipeline, customer(3), attributes=None)
    with Database(STORE) as db:
        retain(db, "default", since="9999")
    still_bad = replayed(emulator).summary

    assert (still_bad.created, still_bad.read) == (0, 2)
    assert sent_by_a_replay(emulator) == [{"Plan": "high"}] * 2


def test_held_rows_are_written_once_for_each_change_of_the_mapping(make: MakePipeline) -> None:
    pipeline, readers = make(), []
    for attributes in ({"plan": "Plan"}, {"plan": "Plan"}, {"tier": "Plan"}, {"tier": "Plan"}):
        done = run(pipeline, *rows(plan="gold", tier="high"), attributes=attributes)
        found = [reader for (reader,) in letters("read_run_id")]
        readers.append([reader == done.run_id for reader in found])

    assert readers == [[False] * 2, [False] * 2, [True] * 2, [False] * 2]
    assert None not in found
