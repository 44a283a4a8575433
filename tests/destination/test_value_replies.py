"""What Bunce's answers to values mean: each value has the fate that the answer gives it."""

from __future__ import annotations

from typing import Any

import pytest

from dlt_bunce import bunce, bunce_adapter, flush_and_run
from dlt_bunce.destination.access import client_for
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.errors import AccountRefusedError
from dlt_bunce.model import RunSummary
from dlt_bunce.operations.probe import probe

from .attribute_runs import ATTRIBUTES, calls, fates, prepare, rejected_values, rich, run
from .conftest import Form, MakePipeline, refused

QUIET = {"concurrency": 1, "max_concurrency": 1, "max_batch_size": 50}


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)


def adapted(form: Form, *rows: dict[str, Any], **options: Any) -> Any:
    return bunce_adapter(form(list(rows)), **({"attributes": ATTRIBUTES} | options))


def load(pipeline: Any, form: Form, *rows: dict[str, Any], **options: Any) -> RunSummary:
    """Load the rows with their values."""
    return flush_and_run(pipeline, adapted(form, *rows, **options), table_name="customers")


def lose(emulator: Emulator, *customer_ids: str) -> None:
    """Let Bunce forget customers whom it had."""
    kept = [c for key, c in emulator.customers.items() if key not in customer_ids]
    attributes, segments = emulator.attributes.attributes, emulator.attributes.segments
    emulator.reset()
    emulator.attributes.attributes, emulator.attributes.segments = attributes, segments
    emulator.seed(kept)


def test_values_of_a_lost_customer_alone_in_their_request_are_not_counted_as_written(
    make: MakePipeline, emulator: Emulator, form: Form
) -> None:
    pipeline = make(**QUIET)
    load(pipeline, form, rich(1), rich(2))
    lose(emulator, "c1")
    emulator.behavior = Behavior(rate_limit=0, unknown_value_customer="ignored")

    done = load(pipeline, form, rich(1, plan="silver"), rich(2))
    emulator.seed([rich(1)])
    load(pipeline, form, rich(1, plan="bronze"), rich(2))

    assert fates(done) == {"rejected": 1, "unchanged": 5}
    assert rejected_values() == []
    assert emulator.attributes.values_of("c1")["Plan"] == "bronze"


def test_values_that_no_answer_shows_stop_the_load_and_none_stays_rejected(
    make: MakePipeline, emulator: Emulator, form: Form
) -> None:
    emulator.behavior = Behavior(rate_limit=0, value_echo="empty")
    rows = [rich(n) for n in range(200)]

    error = refused(make(**QUIET), adapted(form, *rows), table_name="customers")
    asked = len(calls(emulator, "values"))
    emulator.behavior = Behavior(rate_limit=0)
    done = load(make(**QUIET), form, *rows)

    assert isinstance(error, AccountRefusedError)
    assert "dlt-bunce probe --attribute NAME" in str(error)
    # three times each, with what was on its way meanwhile
    assert asked <= 3 * 5
    assert rejected_values() == []
    assert done.flushed is not None
    assert (fates(done.flushed), fates(done)) == ({"written": 600}, {"unchanged": 600})


def test_answers_with_an_empty_list_are_believed_where_a_probe_has_found_them(
    make: MakePipeline, emulator: Emulator, form: Form
) -> None:
    emulator.attributes.add("Probe", "text")
    emulator.behavior = Behavior(rate_limit=0, value_echo="empty")
    pipeline = make(**QUIET)
    own = bunce(
        credentials="sk_test_marked", base_url=emulator.base_url, requests_per_minute=0, **QUIET
    )

    probe(
        client_for(own, "probe"),
        prefix="probe",
        max_batch=50,
        attribute="Probe",
        sleep=lambda _seconds: None,
    )
    done = load(pipeline, form, *(rich(n) for n in range(100)))

    assert fates(done) == {"written": 300}


def test_requests_refused_alike_stop_the_load_and_no_value_stays_rejected(
    make: MakePipeline, emulator: Emulator, form: Form
) -> None:
    emulator.behavior = Behavior(
        rate_limit=0, value_errors="positions", refused_value="gold", value_failure="atomic"
    )
    rows = [rich(n) for n in range(400)]
    given = adapted(form, *rows, attributes={"plan": "Plan"})

    error = refused(make(**QUIET), given, table_name="customers")
    asked = len(calls(emulator, "values"))
    emulator.behavior = Behavior(rate_limit=0)
    done = load(make(**QUIET), form, *rows, attributes={"plan": "Plan"})

    assert isinstance(error, AccountRefusedError)
    assert '"value: A value is invalid"' in str(error)
    # of 400, the first batches, and what was queued meanwhile
    assert asked < 20
    assert rejected_values() == []
    assert done.flushed is not None
    assert (fates(done.flushed), fates(done)) == ({"written": 400}, {"unchanged": 400})


@pytest.mark.parametrize("errors", ["named", "first", "anonymous"])
def test_values_are_sent_under_the_older_names_where_bunce_asks_for_these(
    make: MakePipeline, emulator: Emulator, form: Form, errors: Any
) -> None:
    emulator.behavior = Behavior(
        rate_limit=0, value_names="attribute_id", value_errors=errors, refused_value="cursed"
    )
    rows = [rich(n, plan="cursed" if n == 3 else 'gold"\U0001f389') for n in range(100)]
    segments = {"segments": {"vip": "VIP"}}

    done = load(make(**QUIET), form, *(row | {"vip": True} for row in rows), **segments)

    assert fates(done) == {"written": 299, "rejected": 1}
    assert rejected_values() == [("c3", "Plan", "refused")]
    assert emulator.attributes.values_of("c99")["Plan"] == 'gold"\U0001f389'
    assert len(emulator.attributes.members_of("VIP")) == 100


def test_fields_that_no_load_sends_stop_it_before_a_value_is_rejected(
    make: MakePipeline, emulator: Emulator, form: Form
) -> None:
    emulator.behavior = Behavior(rate_limit=0, value_names="both")
    rows = [rich(n) for n in range(3)]

    error = refused(make(**QUIET), adapted(form, *rows), table_name="customers")
    emulator.behavior = Behavior(rate_limit=0)
    done = load(make(**QUIET), form, *rows)

    assert "asks for id" in str(error)
    assert rejected_values() == []
    assert done.flushed is not None
    assert fates(done.flushed) == {"written": 9}


@pytest.mark.parametrize("errors", ["named", "first", "positions", "anonymous"])
@pytest.mark.parametrize("failure", ["partial", "atomic"])
def test_an_attribute_that_is_gone_takes_no_other_value_of_its_customers_along(
    make: MakePipeline, emulator: Emulator, form: Form, errors: Any, failure: Any
) -> None:
    emulator.behavior = Behavior(
        rate_limit=0, gone_attribute="Balance", value_errors=errors, value_failure=failure
    )

    done = load(make(**QUIET), form, *(rich(n) for n in range(4)))

    assert fates(done) == {"written": 8, "rejected": 4}
    assert rejected_values() == [(f"c{n}", "Balance", "refused") for n in range(4)]


REPLIES: list[dict[str, Any]] = [
    {"value_failure": failure, "value_errors": errors, "count_offset": offset}
    for failure in ("partial", "atomic")
    for errors, offset in (
        *((errors, 0) for errors in ("named", "first", "positions", "rows", "anonymous")),
        ("named", -1),
        ("rows", 5),
    )
]


@pytest.mark.parametrize("switches", REPLIES, ids=lambda s: "-".join(map(str, s.values())))
def test_the_bad_values_are_found_however_bunce_tells_of_them(
    make: MakePipeline, emulator: Emulator, switches: dict[str, Any]
) -> None:
    emulator.behavior = Behavior(rate_limit=0, refused_value="cursed", **switches)
    rows = [rich(n, plan="cursed" if n % 13 == 5 else "gold") for n in range(40)]
    pipeline = make(max_batch_size=60)

    done = run(pipeline, *rows)
    received = emulator.attributes.values_received
    again = run(pipeline, *rows)

    assert fates(done) == {"written": 117, "rejected": 3}
    assert [(who, code) for who, _, code in rejected_values()] == [
        ("c18", "refused"),
        ("c31", "refused"),
        ("c5", "refused"),
    ]
    assert all(emulator.attributes.values_of(f"c{n}")["Balance"] for n in range(40))
    assert fates(again) == {"unchanged": 117, "rejected": 3}
    assert emulator.attributes.values_received == received
