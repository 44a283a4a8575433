"""What Bunce's answers to changes of members mean: a bad one takes no good one along."""

from __future__ import annotations

from typing import Any

import pytest

from dlt_bunce import bunce_adapter, flush_and_run
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.model import RunSummary

from .attribute_runs import calls, prepare, rejected_values
from .conftest import Form, MakePipeline, customer

MEMBERS = 40


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)


def load(pipeline: Any, form: Form, *, vip: bool, numbers: Any = range(MEMBERS)) -> RunSummary:
    rows = [customer(n, vip=vip) for n in numbers]
    adapted = bunce_adapter(form(rows), segments={"vip": "VIP"})
    return flush_and_run(pipeline, adapted, table_name="customers")


def fates(summary: RunSummary) -> dict[str, int]:
    return {fate: n for fate, n in summary.segments.items() if n and fate != "read"}


@pytest.mark.parametrize("failure", ["partial", "atomic"])
@pytest.mark.parametrize("errors", ["named", "first", "positions", "rows", "anonymous"])
@pytest.mark.parametrize("joins", [True, False], ids=["added", "removed"])
def test_a_member_that_is_refused_is_rejected_alone(
    make: MakePipeline, emulator: Emulator, form: Form, failure: Any, errors: Any, joins: bool
) -> None:
    pipeline = make()
    everybody = {f"c{n}" for n in range(MEMBERS)}
    if not joins:
        load(pipeline, form, vip=True)
    emulator.behavior = Behavior(
        rate_limit=0, refused_member="c7", value_failure=failure, value_errors=errors
    )

    done = load(pipeline, form, vip=joins)
    changes = len(calls(emulator, "members"))
    again = load(pipeline, form, vip=joins)

    assert fates(done) == {"written": MEMBERS - 1, "rejected": 1}
    assert rejected_values() == [("c7", "VIP", "refused")]
    assert emulator.attributes.members_of("VIP") == (everybody - {"c7"} if joins else {"c7"})
    assert fates(again) == {"unchanged": MEMBERS - 1, "rejected": 1}
    assert len(calls(emulator, "members")) == changes


@pytest.mark.parametrize("echo", ["absent", "members", "empty"])
@pytest.mark.parametrize("joins", [True, False], ids=["added", "removed"])
def test_a_success_is_taken_at_its_word_whatever_it_shows(
    make: MakePipeline, emulator: Emulator, form: Form, echo: Any, joins: bool
) -> None:
    emulator.behavior = Behavior(rate_limit=0, member_echo=echo)
    pipeline = make()
    load(pipeline, form, vip=True)

    done = load(pipeline, form, vip=joins)

    assert fates(done) == {"unchanged" if joins else "written": MEMBERS}
    assert calls(emulator, "members") == [MEMBERS] * (1 if joins else 2)


@pytest.mark.parametrize("kind", ["drop_after", "error_before", "truncated", "html_502_after"])
@pytest.mark.parametrize("joins", [True, False], ids=["added", "removed"])
def test_a_lost_answer_loses_no_member(
    make: MakePipeline, emulator: Emulator, form: Form, kind: Any, joins: bool
) -> None:
    pipeline = make()
    if not joins:
        load(pipeline, form, vip=True)
    before = len(calls(emulator, "members"))
    lost = Fault(kind, on_request=1, call="members")
    emulator.behavior = Behavior(rate_limit=0, faults=(lost,))

    done = load(pipeline, form, vip=joins)

    assert fates(done) == {"written": MEMBERS}
    assert len(emulator.attributes.members_of("VIP")) == (MEMBERS if joins else 0)
    assert len(calls(emulator, "members")) - before == 2


@pytest.mark.parametrize("offset", [-1, 1, 5])
@pytest.mark.parametrize("failure", ["partial", "atomic"])
def test_a_wrong_count_is_not_believed(
    make: MakePipeline, emulator: Emulator, form: Form, offset: int, failure: Any
) -> None:
    emulator.behavior = Behavior(
        rate_limit=0, refused_member="c7", count_offset=offset, value_failure=failure
    )

    done = load(make(), form, vip=True)

    assert fates(done) == {"written": MEMBERS - 1, "rejected": 1}
    assert len(emulator.attributes.members_of("VIP")) == MEMBERS - 1
