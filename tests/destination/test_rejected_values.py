"""Rejected values: found, counted, and sent again once somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

import dlt_bunce
from dlt_bunce import UsageError, ValueSelection, bunce, bunce_adapter
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.store.database import Database
from dlt_bunce.store.values import rejected_values as stored

from .attribute_runs import fates, prepare, rejected_values, rich, run
from .conftest import Form, MakePipeline


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)


def given(counts: Any) -> dict[str, int]:
    """The fates that occurred."""
    return {fate: n for fate, n in counts.items() if n and fate != "read"}


def test_a_value_that_bunce_rejected_is_sent_again_once_that_is_asked_for(
    make: MakePipeline, emulator: Emulator, store: str
) -> None:
    emulator.behavior = Behavior(rate_limit=0, refused_value="cursed")
    pipeline, destination = make(store_url=store), bunce(store_url=store)
    rows = [rich(1, plan="cursed"), rich(2, plan="cursed", balance="seven"), rich(3)]
    done = run(pipeline, *rows)
    held = run(pipeline, *rows)
    received = emulator.attributes.values_received
    listed = list(dlt_bunce.rejected_values(destination=destination))
    before = dlt_bunce.status(destination=destination)

    emulator.behavior = Behavior(rate_limit=0)
    only = ValueSelection(attributes=["Plan"], customer_ids=["c1"], pipelines=["crm"])
    first = dlt_bunce.retry_values(only, destination=destination)
    marked = {
        v.customer_id for v in dlt_bunce.rejected_values(destination=destination) if v.retry_at
    }
    one = run(pipeline, *rows)
    rest = dlt_bunce.retry_values(destination=destination)
    two = run(pipeline, *rows)
    unchanged = run(pipeline, *rows)

    # what Bunce refused is held without a word; what never reached it is judged by each run
    assert done.rejected_values == {"Plan": {"refused": 2}, "Balance": {"invalid_number": 1}}
    assert held.rejected_values == {"Balance": {"invalid_number": 1}}
    assert fates(done) == {"written": 6, "rejected": 3}
    assert fates(held) == {"unchanged": 6, "rejected": 3}
    assert [(v.kind, v.name, v.column_name, v.code, v.customer_id) for v in listed] == [
        ("attributes", "Plan", "plan", "refused", "c1"),
        ("attributes", "Plan", "plan", "refused", "c2"),
        ("attributes", "Balance", "balance", "invalid_number", "c2"),
    ]
    assert before.rejected_values == {"Plan": {"refused": 2}, "Balance": {"invalid_number": 1}}
    assert (first.released, first.validated_again, marked) == (1, 0, {"c1"})
    assert fates(one) == {"written": 1, "unchanged": 6, "rejected": 2}
    assert (rest.released, rest.validated_again) == (1, 1)
    assert fates(two) == {"written": 1, "unchanged": 7, "rejected": 1}
    assert fates(unchanged) == {"unchanged": 8, "rejected": 1}
    assert emulator.attributes.values_received == received + 2
    assert rejected_values(store) == [("c2", "Balance", "invalid_number")]
    assert emulator.attributes.values_of("c1")["Plan"] == "cursed"


def test_a_value_stays_listed_until_bunce_has_taken_it(
    make: MakePipeline, emulator: Emulator, impatient: None
) -> None:
    emulator.behavior = Behavior(rate_limit=0, refused_value="cursed")
    pipeline = make()
    run(pipeline, rich(1, plan="cursed"))
    [before] = dlt_bunce.rejected_values()
    dlt_bunce.retry_values()

    outage = Fault("error_before", on_request=1, until_request=999, call="values", status=503)
    emulator.behavior = Behavior(rate_limit=0, faults=(outage,))
    with pytest.raises(PipelineStepFailed):
        run(pipeline, rich(1, plan="cursed"))
    [listed] = dlt_bunce.rejected_values()
    emulator.behavior = Behavior(rate_limit=0, refused_value="cursed")
    run(pipeline, rich(1, plan="cursed"))
    [again] = dlt_bunce.rejected_values()
    dlt_bunce.retry_values()
    emulator.behavior = Behavior(rate_limit=0)
    run(pipeline, rich(1, plan="cursed"))

    assert (listed.name, listed.retry_at is not None) == ("Plan", True)
    assert (again.first_seen_at, again.retry_at) == (before.first_seen_at, None)
    assert list(dlt_bunce.rejected_values()) == []
    assert emulator.attributes.values_of("c1")["Plan"] == "cursed"


def test_a_value_that_is_rejected_again_is_no_longer_waiting_for_a_retry(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.behavior = Behavior(rate_limit=0, refused_value="cursed")
    pipeline = make()
    run(pipeline, rich(1, plan="cursed"))
    dlt_bunce.retry_values()
    # a load that does not read the row changes nothing
    other = run(pipeline, rich(2))
    waiting = [value.retry_at for value in dlt_bunce.rejected_values()]
    again = run(pipeline, rich(1, plan="cursed"))

    assert fates(other) == {"written": 3}
    assert waiting != [None]
    assert fates(again) == {"unchanged": 2, "rejected": 1}
    assert again.rejected_values == {"Plan": {"refused": 1}}
    assert [value.retry_at for value in dlt_bunce.rejected_values()] == [None]


@pytest.mark.parametrize(("paid", "vip"), [(None, False), ("no date", None)])
def test_a_refused_value_that_goes_away_and_comes_back_is_sent_like_a_new_one(
    make: MakePipeline, emulator: Emulator, form: Form, paid: str | None, vip: bool | None
) -> None:
    day = "2024-05-01T00:00:00Z"
    refusing = Behavior(rate_limit=0, refused_value=day, refused_member="c1")
    pipeline = make()

    def load(**changes: Any) -> list[str]:
        targets = {"attributes": {"paid": "Last payment"}, "segments": {"vip": "VIP"}}
        rows = bunce_adapter(form([rich(1) | changes]), **targets)
        pipeline.run(rows, table_name="customers")
        return [f"{name} {code}" for _, name, code in rejected_values()]

    emulator.behavior = refusing
    refused = load(paid=day, vip=True)
    gone = load(paid=paid, vip=vip)
    again = load(paid=day, vip=True)
    asked = len(emulator.requests)
    held = load(paid=day, vip=True)
    sent = [record.call for record in emulator.requests[asked:]]
    emulator.behavior = Behavior(rate_limit=0)
    load(paid=paid, vip=vip)
    load(paid=day, vip=True)

    assert refused == again == held == ["Last payment refused", "VIP refused"]
    assert gone == ["Last payment invalid_timestamp"] * (paid is not None)
    assert {"values", "members"} & {*sent} == set()
    assert rejected_values() == []
    assert emulator.attributes.values_of("c1") == {"Last payment": day}
    assert emulator.attributes.members_of("VIP") == {"c1"}


def test_what_was_rejected_here_is_validated_by_every_load_without_a_retry(
    make: MakePipeline, emulator: Emulator
) -> None:
    rows = [rich(1, paid="2024-05-01T10:00:00")]
    done = run(make(), *rows)
    mended = run(make(timezone="Africa/Lagos"), *rows)

    assert fates(done) == {"written": 2, "rejected": 1}
    assert fates(mended) == {"written": 1, "unchanged": 2}
    assert rejected_values() == []
    assert emulator.attributes.values_of("c1")["Last payment"] == "2024-05-01T09:00:00Z"


def test_a_member_who_cannot_be_removed_is_counted_once_and_removed_by_a_retry(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline, options = make(), {"attributes": None, "segments": {"vip": "VIP"}}
    run(pipeline, rich(1, vip=True), rich(2, vip=True), **options)
    emulator.behavior = Behavior(rate_limit=0, refused_member="c1")
    gone = [rich(1, vip=False), rich(2, vip=False), rich(3, vip=False)]
    done = run(pipeline, *gone, **options)
    held = run(pipeline, *gone, **options)
    emulator.behavior = Behavior(rate_limit=0)
    still = run(pipeline, *gone, **options)
    stays = emulator.attributes.members_of("VIP")
    retried = dlt_bunce.retry_values(ValueSelection(segments=["VIP"]))
    removed = run(pipeline, *gone, **options)

    assert given(done.segments) == {"written": 1, "unchanged": 1, "rejected": 1}
    assert given(held.segments) == given(still.segments) == {"unchanged": 2, "rejected": 1}
    assert (stays, retried.released) == ({"c1"}, 1)
    assert given(removed.segments) == {"written": 1, "unchanged": 2}
    assert emulator.attributes.members_of("VIP") == set()
    assert rejected_values() == []


def test_a_member_who_could_not_be_added_is_added_by_a_retry(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.behavior = Behavior(rate_limit=0, refused_member="c1")
    pipeline, options = make(), {"attributes": None, "segments": {"vip": "VIP"}}
    row = rich(1, vip=True)
    run(pipeline, row, **options)
    emulator.behavior = Behavior(rate_limit=0)
    held = run(pipeline, row, **options)
    dlt_bunce.retry_values(ValueSelection(codes=["refused"]))
    added = run(pipeline, row, **options)

    assert (given(held.segments), given(added.segments)) == ({"rejected": 1}, {"written": 1})
    assert emulator.attributes.members_of("VIP") == {"c1"}


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ({"attributes": ["Color"]}, "No load has fed attribute 'Color'. Fed are: Balance"),
        ({"segments": ["Plan"]}, "No load has fed segment 'Plan'. Fed are: none"),
        ({"codes": ["invalid_email"]}, "Values are never rejected as 'invalid_email'"),
        ({"pipelines": ["carm"]}, "No run of a pipeline 'carm' is recorded"),
    ],
)
def test_a_filter_that_names_nothing_is_an_error(
    make: MakePipeline, chosen: dict[str, list[str]], sentence: str
) -> None:
    run(make(), rich(1, balance="seven"))

    for function in (lambda s: list(dlt_bunce.rejected_values(s)), dlt_bunce.retry_values):
        with pytest.raises(UsageError, match=sentence):
            function(ValueSelection(**chosen))


def test_a_plain_run_warns_of_rejected_values_with_the_command_that_lists_them(
    make: MakePipeline, warned: Callable[[], list[dict[str, Any]]]
) -> None:
    pipeline = make()
    run(pipeline, rich(1, balance="seven"))
    [event] = (event for event in warned() if event["event"] == "run.finished")
    run(pipeline, rich(1))

    assert event["rejected_values"] == "dlt-bunce rejected-values list"
    assert event["attributes"] == {"read": 3, "written": 2, "rejected": 1}
    assert "dead_letters" not in event
    assert [found for found in warned() if found["event"] == "run.finished"] == []


def test_pages_of_rejected_values_hold_each_of_them_once(
    make: MakePipeline, emulator: Emulator, store: str
) -> None:
    emulator.behavior = Behavior(rate_limit=0, refused_value="cursed", value_errors="positions")
    run(make(store_url=store), *(rich(n, plan="cursed", balance="x") for n in range(15)))

    with Database(store, read_only=True) as db:
        pages = list(stored.pages(db, "default", size=7))
        some = stored.some(db, "default", limit=100, offset=20)

    found = [(row["customer_id"], row["name"]) for page in pages for row in page.to_pylist()]
    assert [page.num_rows for page in pages] == [7, 7, 7, 7, 2]
    assert len(set(found)) == 30
    assert [(row["customer_id"], row["name"]) for row in some] == found[20:]


@pytest.mark.parametrize("name", ["attributes", "segments", "codes", "customer_ids", "pipelines"])
def test_a_filter_that_is_empty_selects_nothing(make: MakePipeline, name: str, store: str) -> None:
    run(make(store_url=store), rich(1, balance="seven"))
    destination = bunce(store_url=store)

    none = ValueSelection(**{name: []})
    assert list(dlt_bunce.rejected_values(none, destination=destination)) == []
    retried = dlt_bunce.retry_values(none, destination=destination)
    assert (retried.released, retried.validated_again) == (0, 0)
    with pytest.raises(UsageError, match=f"{name} is a str"):
        ValueSelection(**{name: "Balance"})
