"""How absent members are removed: by the id that Bunce has, and refused ones one by one."""

from __future__ import annotations

import pytest

from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.operations.rejected_values import retry
from dlt_bunce.store.database import Database
from dlt_bunce.store.values.rejected_values import EVERY

from .attribute_runs import calls, prepare, rejected_values
from .conftest import STORE, MakePipeline
from .test_segments_whole import load, members, people
from .values_tables import some


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)


def test_a_linked_customer_is_removed_by_the_id_that_bunce_has(
    make: MakePipeline, emulator: Emulator
) -> None:
    load(make(), people(*range(10)))
    emulator.attributes.join(emulator.attributes.segments[0]["id"], ["b9"])
    with Database(STORE) as db:
        db.execute(
            "INSERT INTO bunce_links (account, customer_id, bunce_id, status, linked_at) "
            "VALUES ('default', 'c9', 'b9', 'linked', '2026-01-01')"
        )

    done = load(make(), people(*range(9)))

    assert some(done.absent_members) == {"read": 1, "written": 1}
    assert members(emulator) == [f"c{n}" for n in range(10)]


def test_a_member_whom_bunce_does_not_let_go_is_rejected_alone_and_removed_when_retried(
    make: MakePipeline, emulator: Emulator
) -> None:
    load(make(), people(*range(20)))
    emulator.behavior = Behavior(rate_limit=0, refused_member="c18")

    refused = load(make(), people(*range(17)))
    asked = len(calls(emulator, "members"))
    again = load(make(), people(*range(17)))
    listed, asked_again = rejected_values(), len(calls(emulator, "members"))
    with Database(STORE) as db:
        retry(db, "default", EVERY)
    emulator.behavior = Behavior(rate_limit=0)
    done = load(make(), people(*range(17)))

    assert some(refused.absent_members) == {"read": 3, "written": 2, "rejected": 1}
    assert (listed, asked_again) == ([("c18", "VIP", "refused")], asked)
    assert some(again.absent_members) == {}
    assert some(done.absent_members) == {"read": 1, "written": 1}
    assert (members(emulator), rejected_values()) == (sorted(f"c{n}" for n in range(17)), [])
