"""merge updates what has changed, append adopts what exists, and nothing older overwrites newer."""

from __future__ import annotations

from typing import Any

import dlt
import pytest

from dlt_bunce import bunce_adapter, run_summary
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.model import RunSummary

from .conftest import Form, MakePipeline, customer, letters
from .test_replay import replayed


def run(pipeline: dlt.Pipeline, *rows: dict[str, Any], how: Any = "merge") -> RunSummary:
    """Loads the rows and says what became of them."""
    pipeline.run(list(rows), table_name="customers", write_disposition=how)
    return run_summary(pipeline)


def bulk(emulator: Emulator) -> list[str]:
    """The bulk requests so far, by what they did."""
    return [r.call for r in emulator.requests if r.call in {"create", "update"}]


def test_changed_customers_are_updated_in_full_batches_of_their_own(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline = make(batch_size=100, max_batch_size=100)
    run(pipeline, *(customer(n) for n in range(200)))
    changed = [customer(n, first_name="New") if n % 2 else customer(n) for n in range(300)]

    done = run(pipeline, *changed)
    again = run(pipeline, *changed)

    assert (done.created, done.updated, done.unchanged) == (100, 100, 100)
    assert sorted(bulk(emulator)) == ["create", "create", "create", "update"]
    assert {emulator.customers[f"c{n}"]["first_name"] for n in range(1, 300, 2)} == {"New"}
    assert (again.unchanged, again.bulk_requests) == (300, 0)


def test_append_leaves_changed_customers_as_they_are(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline = make()
    run(pipeline, customer(1), how="append")

    done = run(pipeline, customer(1, first_name="New"), customer(2), how="append")

    assert (done.skipped, done.created) == (1, 1)
    assert emulator.customers["c1"]["first_name"] == "Ada"


@pytest.mark.parametrize(
    "behavior",
    [Behavior(rate_limit=0), Behavior(rate_limit=0, repeated_id="ignored")],
    ids=["refused", "ignored"],
)
@pytest.mark.parametrize("how", ["append", "merge"])
def test_customers_that_exist_already_are_adopted_or_updated(
    make: MakePipeline, emulator: Emulator, behavior: Behavior, how: str
) -> None:
    emulator.behavior = behavior
    emulator.seed([customer(1), customer(2, first_name="Old")])

    done = run(make(), customer(1), customer(2), customer(3), how=how)

    if how == "append":
        assert emulator.customers["c2"]["first_name"] == "Old"
        assert done.adopted + done.created == 3
        assert done.adopted >= 1
    else:
        assert emulator.customers["c2"]["first_name"] == "Ada"
        assert done.updated == 1
    assert (done.rejected, set(emulator.customers)) == (0, {"c1", "c2", "c3"})


@pytest.mark.parametrize(
    "behavior",
    [
        Behavior(rate_limit=0, repeated_id="ignored"),
        Behavior(rate_limit=0, failure="atomic", errors="anonymous"),
    ],
    ids=["ignored", "refused without names"],
)
def test_customers_that_exist_with_other_content_are_updated_together(
    make: MakePipeline, emulator: Emulator, form: Form, behavior: Behavior
) -> None:
    rows = [customer(n) for n in range(200)]
    emulator.behavior = behavior
    emulator.seed([row | {"first_name": "Old"} for row in rows])
    pipeline = make(batch_size=100, max_batch_size=100)

    pipeline.run(form(rows), table_name="customers", write_disposition="merge")

    done = run_summary(pipeline)
    assert (done.updated, done.rejected) == (200, 0)
    assert bulk(emulator) == ["create", "update"] * 2
    assert {stored["first_name"] for stored in emulator.customers.values()} == {"Ada"}


@pytest.mark.parametrize("unknown", ["refused", "created", "ignored"])
def test_a_customer_that_bunce_has_lost_is_created_again(
    make: MakePipeline, emulator: Emulator, unknown: Any
) -> None:
    pipeline = make()
    run(pipeline, customer(1), customer(2))
    kept = emulator.customers["c2"]
    emulator.reset()
    emulator.behavior = Behavior(rate_limit=0, unknown_update=unknown)
    emulator.seed([kept])

    done = run(pipeline, customer(1, first_name="New"), customer(2, first_name="New"))

    assert (done.created + done.updated, done.rejected) == (2, 0)
    assert [emulator.customers[i]["first_name"] for i in ("c1", "c2")] == ["New", "New"]


def test_an_email_that_bunce_does_not_change_is_a_dead_letter_beside_the_update(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline = make()
    run(pipeline, customer(1), customer(2))
    moved = customer(1, email="moved@example.com", first_name="New")

    done = run(pipeline, moved, customer(2))
    again = run(pipeline, moved, customer(2))

    assert (done.updated, done.rejected, done.reject_codes) == (1, 0, {"email_not_updated": 1})
    assert emulator.customers["c1"]["first_name"] == "New"
    assert emulator.customers["c1"]["email"] == "c1@example.com"
    assert letters() == [("c1", "email_not_updated", "open")]
    assert (again.unchanged, again.bulk_requests) == (2, 0)
    done = run(pipeline, customer(1, first_name="New"), customer(2))
    assert (done.updated, done.reject_codes) == (1, {})
    assert letters() == [("c1", "email_not_updated", "resolved")]


def test_an_email_letter_is_resolved_by_a_replay_once_bunce_lets_it_change(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline = make()
    run(pipeline, customer(1), customer(2))
    run(pipeline, customer(1, email="moved@example.com"))

    refused = replayed(emulator).summary
    still = letters()
    emulator.behavior = Behavior(rate_limit=0, email_update="always")
    done = replayed(emulator).summary

    assert (refused.read, refused.updated) == (1, 1)
    assert still == [("c1", "email_not_updated", "open")]
    assert (done.read, done.updated) == (1, 1)
    assert letters() == [("c1", "email_not_updated", "resolved")]
    assert emulator.customers["c1"]["email"] == "moved@example.com"


def test_devices_that_bunce_lacks_are_sent(make: MakePipeline, emulator: Emulator) -> None:
    emulator.seed([customer(1)])
    devices = [{"device_type": "ios", "device_token": "t"}]

    done = run(make(), customer(1, devices=devices))

    assert done.updated == 1
    assert emulator.customers["c1"]["devices"][0]["device_token"] == "t"


def test_an_older_version_never_overwrites_a_newer_one(
    make: MakePipeline, emulator: Emulator
) -> None:
    def load(name: str, *rows: dict[str, Any]) -> RunSummary:
        pipeline = make(name)
        resource = dlt.resource(list(rows), name="customers", write_disposition="merge")
        pipeline.run(bunce_adapter(resource, version="v"))
        return run_summary(pipeline)

    load("sync", customer(1, first_name="Newer", v=5))
    backfill = load("backfill", customer(1, first_name="Older", v=4), customer(2, v=1))

    assert (backfill.superseded, backfill.created) == (1, 1)
    assert emulator.customers["c1"]["first_name"] == "Newer"


def test_a_replay_never_overwrites_what_was_delivered_since(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline = make()
    run(pipeline, customer(1), customer(2, phone_no="0803 000 0000"))
    run(pipeline, customer(2, first_name="Newer"))

    done = replayed(emulator, settings={"default_region": "NG"}).summary

    assert done.read == 0
    assert emulator.customers["c2"]["first_name"] == "Newer"
