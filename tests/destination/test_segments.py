"""Segments: changes of membership alone, never for a customer whom Bunce does not have."""

from __future__ import annotations

import dlt
import pyarrow as pa
import pytest

from dlt_bunce import bunce_adapter, flush_and_run
from dlt_bunce.emulator import Behavior, Emulator

from .attribute_runs import calls, prepare, rejected_values, rich, run
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


@pytest.mark.parametrize("form", ["dicts", "table"])
def test_several_full_batches_of_several_files_each_join_and_leave(
    make: MakePipeline, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setenv("DATA_WRITER__FILE_MAX_ITEMS", "100")
    monkeypatch.setenv("DATA_WRITER__BUFFER_MAX_ITEMS", "100")
    pipeline = make(max_batch_size=25)

    def load(*, vip: bool) -> list[int]:
        before = len(calls(emulator, "members"))
        rows = [rich(n, vip=vip) for n in range(200)]
        parts = [rows[:100], rows[100:]]
        items = parts if form == "dicts" else [pa.Table.from_pylist(part) for part in parts]
        data = dlt.resource(items, name="customers")
        flush_and_run(pipeline, bunce_adapter(data, segments={"vip": "VIP"}))
        return calls(emulator, "members")[before:]

    joined = load(vip=True)
    members = len(emulator.attributes.members_of("VIP"))
    left = load(vip=False)

    assert (joined, members) == ([25] * 8, 200)
    assert (left, emulator.attributes.members_of("VIP")) == ([25] * 8, set())


@pytest.mark.parametrize("form", ["dicts", "table"])
def test_only_customers_whom_bunce_has_accepted_are_added(
    make: MakePipeline, emulator: Emulator, form: str
) -> None:
    emulator.behavior = Behavior(rate_limit=0, refused_email_domain="locked.example")
    rows = [rich(n, vip=True) for n in range(10)]
    rows[3]["email"], rows[4]["email"] = "c3@locked.example", "bad"
    data = rows if form == "dicts" else pa.Table.from_pylist(rows)

    done = flush_and_run(
        make(), bunce_adapter(data, segments={"vip": "VIP"}), table_name="customers"
    )

    accepted = {f"c{n}" for n in range(10) if n not in {3, 4}}
    assert (done.created, done.rejected) == (8, 2)
    assert (done.segments["written"], done.segments["waiting"]) == (8, 2)
    assert emulator.attributes.members_of("VIP") == accepted
    assert emulator.customers.keys() == accepted


def test_a_customer_whom_bunce_has_lost_is_rejected_as_a_member_where_it_says_so(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline, options = make(), {"attributes": None, "segments": {"vip": "VIP"}}
    run(pipeline, *(rich(n, vip=None) for n in range(10)), **options)
    segments = emulator.attributes.segments
    kept = [known for key, known in emulator.customers.items() if key != "c3"]
    emulator.reset()
    emulator.seed(kept)
    emulator.attributes.segments = segments
    emulator.behavior = Behavior(rate_limit=0, unknown_member="refused")

    done = run(pipeline, *(rich(n, vip=True) for n in range(10)), **options)

    assert (done.segments["written"], done.segments["rejected"]) == (9, 1)
    assert rejected_values() == [("c3", "VIP", "refused")]
    assert emulator.customers.keys() == {f"c{n}" for n in range(10)} - {"c3"}
