"""Bad days in the middle of attribute values: nothing is lost, and no value is blamed for them."""

from __future__ import annotations

from typing import Any

import pytest

from dlt_bunce import bunce_adapter, flush_and_run, run_summary
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.errors import AccountRefusedError, MappingError
from dlt_bunce.store.database import Database
from dlt_bunce.store.runs import value_fates

from .attribute_runs import ATTRIBUTES, calls, fates, prepare, rejected_values, rich, run
from .conftest import STORE, MakePipeline, customer, refused
from .values_tables import customers, fact, facts

SEGMENTS = {"vip": "VIP"}
QUIET = {"concurrency": 1, "max_concurrency": 1, "max_batch_size": 50}
WORDS = [
    ("Plan limit reached for custom attributes", "full"),
    ("This account is read-only", "keys"),
    ("Nope, 17 times", "full"),
]


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)


@pytest.mark.parametrize(("words", "rows"), WORDS)
def test_an_account_that_is_refused_stops_the_load_early_and_no_value_stays_rejected_for_it(
    make: MakePipeline, emulator: Emulator, store: str, words: str, rows: Any
) -> None:
    emulator.behavior = Behavior(rate_limit=0, value_quota=100, account_message=words)
    data = [rich(n, vip=n % 2 == 0) for n in range(100)]
    adapted = bunce_adapter(data, attributes=ATTRIBUTES, segments=SEGMENTS)
    pipeline = make(store_url=store, dead_letter_rows=rows, **QUIET)

    error = refused(pipeline, adapted, table_name="customers")
    asked = len(calls(emulator, "values") + calls(emulator, "members"))
    left = rejected_values(store)
    with Database(store) as db:
        counted = db.rows("SELECT CAST(SUM(rejected) AS BIGINT) AS n FROM bunce_run_values")[0]["n"]
    emulator.behavior = Behavior(rate_limit=0)
    resumed = make(store_url=store, dead_letter_rows=rows, **QUIET)
    resumed.load()
    done = run_summary(resumed)

    assert isinstance(error, AccountRefusedError)
    assert words in str(error)
    assert (left, counted) == ([], 0)
    # a few single values show that it is about none of them; hundreds would have been left
    assert asked < 40
    assert fates(done) == {"written": 300}
    assert (done.segments["written"], done.segments["unchanged"]) == (50, 50)
    assert all(len(emulator.attributes.values_of(f"c{n}")) == 3 for n in range(100))
    assert emulator.attributes.members_of("VIP") == {f"c{n}" for n in range(0, 100, 2)}


def test_a_value_that_is_refused_for_itself_stays_rejected_when_the_account_is_refused_later(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.behavior = Behavior(rate_limit=0, value_quota=150, refused_value="cursed")
    rows = [rich(n, plan="cursed" if n == 3 else "gold") for n in range(100)]
    pipeline = make(**QUIET)

    error = refused(pipeline, bunce_adapter(rows, attributes=ATTRIBUTES), table_name="customers")

    assert isinstance(error, AccountRefusedError)
    assert rejected_values() == [("c3", "Plan", "refused")]


def test_rows_of_values_are_written_only_if_bunce_has_their_values_when_the_account_is_refused(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline = make(**QUIET)
    flush_and_run(pipeline, customers([customer(n) for n in range(100)]))
    emulator.behavior = Behavior(rate_limit=0, value_quota=60)

    error = refused(pipeline, facts([fact(n, vip=True) for n in range(100)]))
    with Database(STORE) as db:
        run_id = db.rows("SELECT MAX(run_id) AS id FROM bunce_runs")[0]["id"]
        counted = value_fates.totals(db, "WHERE run_id = $1", (run_id,))["value_rows"]
    emulator.behavior = Behavior(rate_limit=0)
    done = flush_and_run(pipeline, facts([fact(n, vip=True) for n in range(100)]))

    assert isinstance(error, AccountRefusedError)
    assert (counted["read"], counted["written"]) == (100, 0)
    assert counted["deferred"] == 100
    assert done.flushed is not None
    assert (done.flushed.value_rows["written"], done.value_rows["unchanged"]) == (100, 100)


def test_members_who_could_not_be_removed_from_a_refused_account_are_removed_later(
    make: MakePipeline, emulator: Emulator
) -> None:
    members = [rich(n, vip=True) for n in range(20)]
    options: dict[str, Any] = {"attributes": None, "segments": SEGMENTS}
    pipeline = make(**QUIET)
    run(pipeline, *members, **options)
    gone = bunce_adapter([row | {"vip": False} for row in members], segments=SEGMENTS)
    emulator.behavior = Behavior(rate_limit=0, suspended=True)

    error = refused(pipeline, gone, table_name="customers")
    emulator.behavior = Behavior(rate_limit=0)
    pipeline.load()

    assert isinstance(error, AccountRefusedError)
    assert emulator.attributes.members_of("VIP") == set()


@pytest.mark.parametrize("new_process", [True, False])
def test_left_over_rows_are_loaded_with_the_attributes_of_now(
    make: MakePipeline, emulator: Emulator, new_process: bool
) -> None:
    emulator.attributes.add("City", "text")
    down = Fault("error_before", on_request=1, until_request=10_000, call="values")
    emulator.behavior = Behavior(rate_limit=0, faults=(down,))
    rows = [rich(n, vip=True, town="Lagos") for n in range(30)]
    # the wrong column feeds the attribute
    wrong = {"attributes": {"plan": "City", "town": "Plan"}, "segments": {}}
    right = {"attributes": {"plan": "Plan", "town": "City"}, "segments": SEGMENTS}
    pipeline = make(**QUIET)

    refused(pipeline, bunce_adapter(rows, **wrong), table_name="customers")
    emulator.behavior = Behavior(rate_limit=0)
    pipeline = make(**QUIET) if new_process else pipeline
    adapted = bunce_adapter(rows[:10], **right)
    adapted.apply_hints(table_name="customers")
    done = flush_and_run(pipeline, adapted)

    assert done.flushed is not None
    assert fates(done.flushed) == {"written": 60}
    assert done.flushed.segments["written"] == 30
    assert fates(done) == {"unchanged": 20}
    assert emulator.attributes.values_of("c29") == {"Plan": "gold", "City": "Lagos"}
    assert len(emulator.attributes.members_of("VIP")) == 30


def test_an_attribute_that_is_gone_stops_left_over_rows_until_the_mapping_is_corrected(
    make: MakePipeline, emulator: Emulator
) -> None:
    down = Fault("error_before", on_request=1, until_request=10_000, call="values")
    emulator.behavior = Behavior(rate_limit=0, faults=(down,))
    rows = [rich(n) for n in range(3)]
    pipeline = make(**QUIET)
    refused(pipeline, bunce_adapter(rows, attributes={"plan": "Plan"}), table_name="customers")
    emulator.behavior = Behavior(rate_limit=0)
    emulator.attributes.attributes[:] = [
        a | {"name": "Tariff"} if a["name"] == "Plan" else a for a in emulator.attributes.attributes
    ]

    def again(name: str) -> Any:
        adapted = bunce_adapter(rows, attributes={"plan": name})
        adapted.apply_hints(table_name="customers")
        return flush_and_run(make(**QUIET), adapted)

    with pytest.raises(MappingError, match="has no attribute 'Plan'"):
        again("Plan")
    done = again("Tariff")

    assert done.flushed is not None
    assert fates(done.flushed) == {"written": 3}
    assert emulator.attributes.values_of("c1") == {"Tariff": "gold"}


def test_values_sent_again_because_their_outcome_was_not_recorded_are_counted(
    make: MakePipeline, emulator: Emulator, store: str
) -> None:
    lost = Fault("drop_after", on_request=3, until_request=10_000, call="values")
    emulator.behavior = Behavior(rate_limit=0, faults=(lost,))
    rows = [rich(n) for n in range(100)]
    pipeline = make(store_url=store, **QUIET)

    refused(pipeline, bunce_adapter(rows, attributes=ATTRIBUTES), table_name="customers")
    emulator.behavior = Behavior(rate_limit=0)
    resumed = make(store_url=store, **QUIET)
    resumed.load()
    done = run_summary(resumed)

    assert fates(done) == {"written": 300}
    # a batch of fifty was sent without an answer; what was queued behind it may have been
    assert 50 <= done.warnings["values_resent"] <= 200
    # nothing was in doubt here
    assert run(make(store_url=store), *(rich(n, plan="new") for n in range(100))).warnings == {}


def test_what_did_not_leave_is_not_sent_again_when_the_source_has_the_old_value(
    make: MakePipeline, emulator: Emulator, store: str
) -> None:
    people = [rich(n, vip=n == 0) for n in range(30)]
    options: dict[str, Any] = {"attributes": {"plan": "Plan"}, "segments": SEGMENTS}
    run(make(store_url=store, **QUIET), *people, **options)
    turned_away = (
        Fault("html_403", on_request=1, until_request=10_000, call="values"),
        Fault("html_403", on_request=1, until_request=10_000, call="members"),
    )
    emulator.behavior = Behavior(rate_limit=0, faults=turned_away)
    changed = [row | {"plan": "silver", "vip": True} for row in people]

    refused(make(store_url=store, **QUIET), bunce_adapter(changed, **options), table_name="people")
    emulator.behavior = Behavior(rate_limit=0)
    before = emulator.attributes.values_received
    done = run(make("other", store_url=store, **QUIET), *people, **options)

    assert emulator.attributes.values_received == before
    assert fates(done) == {"unchanged": 30}
    assert done.segments["unchanged"] == 30
