"""Segments: changes of membership alone, never for a customer whom Bunce does not have."""

from __future__ import annotations

import pytest

from dlt_bunce.emulator import Behavior, Emulator

from .attribute_runs import calls, prepare, rich, run
from .conftest import MakePipeline


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)


def test_members_join_and_leave_in_full_batches_and_only_once(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.behavior = Behavior(rate_limit=0, max_values=25)
    pipeline = make(max_batch_size=25)
    rows = [rich(n, vip=n % 2 == 0) for n in range(40)]
    rows += [rich(40, vip=None), rich(41, vip="maybe"), rich(42, vip=True, email="bad")]
    options = {"attributes": None, "segments": {"vip": "VIP"}}

    first = run(pipeline, *rows, **options)
    joined = calls(emulator, "members")
    again = run(pipeline, *rows, **options)
    for row in rows[:10]:
        row["vip"] = not row["vip"]
    rows[12]["vip"] = None
    changed = run(pipeline, *rows, **options)

    def counted(counts: dict[str, int]) -> dict[str, int]:
        return {fate: n for fate, n in counts.items() if n}

    assert joined == [20]
    # whoever was never added is not removed
    assert counted(dict(first.segments)) == {
        "read": 43,
        "written": 20,
        "unchanged": 20,
        "blank": 1,
        "waiting": 1,
        "rejected": 1,
    }
    assert (again.segments["unchanged"], again.segments["written"]) == (40, 0)
    assert sorted(calls(emulator, "members")[1:]) == [5, 5]
    assert (changed.segments["written"], changed.segments["blank"]) == (10, 2)
    members = {f"c{n}" for n in range(10) if n % 2} | {f"c{n}" for n in range(10, 40, 2)}
    assert emulator.attributes.members_of("VIP") == members
    # adding a member would create a customer: nobody did
    assert "c42" not in emulator.customers
    assert (len(emulator.customers), first.rejected) == (42, 1)


def test_segments_and_attributes_of_one_row_have_counts_of_their_own(
    make: MakePipeline, emulator: Emulator
) -> None:
    done = run(make(), *(rich(n, vip=True) for n in range(3)), segments={"vip": "VIP"})

    assert (done.attributes["written"], done.segments["written"], done.created) == (9, 3, 3)
    assert [record.call for record in emulator.requests][-3:].count("values") == 1
