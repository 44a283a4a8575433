"""A load starts from the probe of its account, and what it meets itself outranks that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest

from dlt_bunce import bunce, bunce_adapter, run_summary
from dlt_bunce.destination.access import client_for
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.load.probed import MAX_AGE
from dlt_bunce.operations.probe import probe
from dlt_bunce.probe.report import ProbeReport
from dlt_bunce.store.database import Database
from dlt_bunce.store.probes import latest_probe

from .conftest import STORE, MakePipeline, customer, letters

Probe = Callable[..., ProbeReport]


@pytest.fixture
def probed(emulator: Emulator) -> Probe:
    """Probes the account that pipelines use by default, with the switches given."""

    def run(**switches: Any) -> ProbeReport:
        emulator.behavior = Behavior(rate_limit=0, **switches)
        destination = bunce(
            credentials="sk_test_marked", base_url=emulator.base_url, requests_per_minute=0
        )
        client = client_for(destination, "probe")
        return probe(client, prefix="probe", max_batch=200, sleep=lambda _seconds: None)

    return run


def is_ours(customer_id: str) -> bool:
    """Whether a customer is one of the rows, and not of the probe, whose ids begin by chance."""
    return customer_id[0] == "c" and customer_id[1:].isdecimal() and len(customer_id) < 6


def load(make: MakePipeline, emulator: Emulator, *rows: dict[str, Any], **settings: Any) -> Counter:
    """Load rows; return how often each call and status was answered."""
    start = len(emulator.requests)
    data = bunce_adapter(pa.Table.from_pylist(list(rows)))
    make(**settings).run(data, table_name="customers")
    return Counter((request.call, request.status) for request in emulator.requests[start:])


def taken_rows(count: int, every: int) -> list[dict[str, Any]]:
    """Rows of which every n-th has the email of a customer named `holder-…`."""
    return [
        customer(n, email=f"holder-{n}@example.com") if n % every == 0 else customer(n)
        for n in range(count)
    ]


def hold(emulator: Emulator, count: int, every: int) -> None:
    emulator.seed(
        customer(n, customer_id=f"h{n}", email=f"holder-{n}@example.com")
        for n in range(0, count, every)
    )


def test_batches_start_as_large_as_was_accepted_and_stay_below_what_was_refused(
    make: MakePipeline, emulator: Emulator, probed: Probe
) -> None:
    report = probed(max_batch=150)
    assert {"largest_batch": 100, "refused_batch": 200}.items() <= report.figures.items()

    answers = load(make, emulator, *[customer(n) for n in range(500)], batch_size=7)

    assert {status for (_, status) in answers} == {200}
    sizes = [request.rows for request in emulator.requests if request.rows][-5:]
    assert sizes == [100] * 5
    assert len({c for c in emulator.customers if is_ours(c)}) == 500


def test_look_ups_ask_for_as_many_ids_as_are_taken(
    make: MakePipeline, emulator: Emulator, probed: Probe
) -> None:
    probed(lookup_max_ids=10)
    hold(emulator, 60, 2)

    answers = load(make, emulator, *taken_rows(60, 2))

    assert answers["lookup", 422] == 0
    assert [code for _, code, _ in letters()] == ["email_taken"] * 30
    assert len([c for c in emulator.customers if is_ours(c)]) == 30


def test_counts_that_were_verified_save_look_ups_once_the_load_has_a_proof(
    make: MakePipeline, emulator: Emulator, probed: Probe
) -> None:
    def lookups(name: str) -> int:
        rows = taken_rows(800, 100)
        answers = load(make, emulator, *rows, batch_size=100, max_batch_size=100, account=name)
        assert len([c for c in emulator.customers if is_ours(c)]) == 792
        assert run_summary(make(account=name)).rejected == 8
        return answers["lookup", 200]

    emulator.behavior = Behavior(rate_limit=0)
    hold(emulator, 800, 100)
    without = lookups("without")
    emulator.reset()
    probed()
    hold(emulator, 800, 100)

    assert lookups("default") <= without


def test_good_rows_of_a_failed_batch_are_sent_again_at_once_where_none_is_created(
    make: MakePipeline, emulator: Emulator, probed: Probe
) -> None:
    def sent(account: str) -> Counter:
        hold(emulator, 40, 20)
        answers = load(make, emulator, *taken_rows(40, 20), account=account)
        assert len([c for c in emulator.customers if is_ours(c)]) == 38
        return answers

    emulator.behavior = Behavior(rate_limit=0, failure="atomic")
    without = sent("without")
    emulator.reset()
    probed(failure="atomic")
    after = sent("default")

    assert after["lookup", 200] < without["lookup", 200]
    assert after["create", 422] == without["create", 422] == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"failure": "partial"}, {"failure": "atomic"}),
        ({"failure": "atomic"}, {"failure": "partial"}),
        ({}, {"lookup": "absent"}),
        ({}, {"count_offset": -1}),
        ({}, {"max_batch": 9, "lookup_max_ids": 3}),
        ({"lookup_max_ids": 10}, {"lookup": "unfiltered"}),
    ],
    ids=str,
)
def test_an_api_that_behaves_otherwise_by_now_loses_no_row(
    before: dict[str, Any],
    after: dict[str, Any],
    make: MakePipeline,
    emulator: Emulator,
    probed: Probe,
) -> None:
    probed(**before)
    emulator.behavior = Behavior(rate_limit=0, **after)
    hold(emulator, 120, 15)

    for run in range(2):
        rows = [row | {"last_name": f"Obi {run}"} for row in taken_rows(120, 15)]
        load(make, emulator, *rows, batch_size=30, max_batch_size=30)
        summary = run_summary(make())
        assert summary.read == sum(summary.fates.values())

    arrived = {c: row["last_name"] for c, row in emulator.customers.items() if is_ours(c)}
    good = {f"c{n}" for n in range(120) if n % 15}
    assert arrived == dict.fromkeys(good, "Obi 1")
    assert {code for _, code, _ in letters()} <= {"email_taken", "already_taken", "refused"}


def test_a_load_that_finds_otherwise_says_so_and_the_next_one_does_not_start_from_it(
    make: MakePipeline, emulator: Emulator, probed: Probe, warned: Callable[[], list[Any]]
) -> None:
    probed()
    emulator.behavior = Behavior(rate_limit=0, failure="atomic")
    hold(emulator, 40, 20)

    load(make, emulator, *taken_rows(40, 20))

    (event,) = [e for e in warned() if e["event"] == "probe.contradicted"]
    assert event["questions"] == ["counts"]
    with Database(STORE) as db:
        (account,) = db.rows("SELECT account, host FROM bunce_accounts")
        kept = latest_probe(db, account["account"], host=account["host"])
        elsewhere = latest_probe(db, account["account"], host="api.bunce.so")
    assert kept is not None
    assert kept.contradicted == {"counts"}
    assert elsewhere is None
    assert [e for e in warned() if e["event"] == "probe.contradicted"] == []


def test_an_old_probe_is_not_used(make: MakePipeline, emulator: Emulator, probed: Probe) -> None:
    probed(max_batch=150)
    then = datetime.now(timezone.utc) - MAX_AGE - timedelta(days=1)
    with Database(STORE) as db:
        db.execute("UPDATE bunce_probes SET probed_at = $1", (then.isoformat(),))

    load(make, emulator, *[customer(n) for n in range(20)], batch_size=7, concurrency=1)

    sizes = [request.rows for request in emulator.requests if request.rows]
    assert sizes[-1] <= 13
    assert 7 in sizes[-3:]


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, {"lookup": "absent"}), ({"lookup": "unfiltered"}, {})],
    ids=["gone", "there by now"],
)
def test_look_ups_that_work_otherwise_by_now_are_told(
    before: dict[str, Any],
    after: dict[str, Any],
    make: MakePipeline,
    emulator: Emulator,
    probed: Probe,
    warned: Callable[[], list[Any]],
) -> None:
    probed(**before)
    emulator.behavior = Behavior(rate_limit=0, failure="atomic", **after)
    hold(emulator, 40, 20)

    load(make, emulator, *taken_rows(40, 20))

    (event,) = [e for e in warned() if e["event"] == "probe.contradicted"]
    assert "lookup_by_id" in event["questions"]
