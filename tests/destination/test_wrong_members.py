"""A whole table with other people in it: whom it adds does not make up for the members it lacks."""

from __future__ import annotations

import pytest

from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.errors import TooFewRowsError

from .attribute_runs import prepare
from .conftest import Form, MakePipeline
from .test_segments_whole import load, members, people
from .values_tables import some

OTHERS = range(100, 150)


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)
    emulator.behavior = Behavior(rate_limit=0)


def test_members_whom_a_wrong_file_lacks_stay_however_many_it_adds(
    make: MakePipeline, emulator: Emulator, store: str, form: Form
) -> None:
    load(make(store_url=store), form(people(*range(10))))
    wrong = people(*OTHERS)

    failures = []
    # an orchestrator's second try finds the others among the members
    for name, dry_run in (("dry", True), ("crm", False), ("crm", False)):
        with pytest.raises(TooFewRowsError, match="10 absent members") as failure:
            load(make(name, store_url=store, dry_run=dry_run), form(wrong))
        failures.append(failure.value.summary.warnings)
    kept = members(emulator)
    done = load(make(store_url=store, segments_min_share=0.0), form(wrong))

    assert failures == [{"absent_members_kept": 10}] * 3
    assert kept == sorted(f"c{n}" for n in (*range(10), *OTHERS))
    assert some(done.absent_members) == {"read": 10, "written": 10}
    # once somebody has looked, these are the members to compare with
    assert some(load(make(store_url=store), form(people(*OTHERS[:45]))).absent_members) == {
        "read": 5,
        "written": 5,
    }


def test_a_segment_that_grows_and_loses_a_few_is_settled(
    make: MakePipeline, emulator: Emulator, store: str
) -> None:
    load(make(store_url=store), people(*range(10)))

    done = load(make(store_url=store), people(*range(8), *OTHERS))

    assert some(done.absent_members) == {"read": 2, "written": 2}
    assert members(emulator) == sorted(f"c{n}" for n in (*range(8), *OTHERS))
