"""What the command line does, as functions: the same results, and no terminal needed."""

from __future__ import annotations

import json
from pathlib import Path

import click.testing
import dlt
import pytest

import dlt_bunce
from dlt_bunce import BunceError, RejectThresholdError, Selection, bunce, bunce_adapter
from dlt_bunce.cli import main
from dlt_bunce.emulator import Emulator


def customer(number: int, **changes: object) -> dict[str, object]:
    return {
        "customer_id": f"c{number}",
        "email": f"c{number}@example.com",
        "first_name": "Ada",
        "last_name": "Obi",
        "mobile": f"+23481{number:08d}",
    } | changes


@pytest.fixture
def destination(emulator: Emulator) -> bunce:
    return bunce("sk_test_marked", emulator.base_url, "sqlite:///a.sqlite", requests_per_minute=0)


def test_a_program_checks_loads_corrects_and_erases_without_the_command_line(
    emulator: Emulator, destination: bunce
) -> None:
    rows = [customer(n) for n in range(5)] + [
        customer(5, mobile="no number"),
        customer(6, email="x"),
    ]

    found = dlt_bunce.check(bunce_adapter(rows, phone_no="mobile"), destination=destination)
    assert (found.summary.created, found.summary.rejected, found.cost.requests) == (5, 2, 2)
    assert {"phone_no": "mobile"}.items() <= {c.field: c.column for c in found.mapping}.items()
    assert json.loads(json.dumps(found.as_dict()))["mode"] == "sandbox"
    assert not Path("a.sqlite").exists()
    assert emulator.customers == {}

    pipeline = dlt.pipeline("crm", destination=destination)
    summary = dlt_bunce.flush_and_run(pipeline, bunce_adapter(rows, phone_no="mobile"))
    with pytest.raises(RejectThresholdError) as failure:
        summary.raise_if_rejected(count=0)
    assert failure.value.summary.rejected == 2

    status = dlt_bunce.status(destination=destination)
    assert (status.account, status.delivered, status.indeterminate) == ("default", 5, 0)
    assert status.open_dead_letters == {"invalid_email": 1, "invalid_phone_no": 1}
    assert [run.read for run in status.runs] == [7]

    replayed = dlt_bunce.replay(Selection(codes=["invalid_phone_no"]), destination=destination)
    assert (replayed.summary.read, replayed.without_row) == (1, 0)
    assert dlt_bunce.discard(Selection(codes=["invalid_email"]), destination=destination) == 1
    with pytest.raises(dlt_bunce.UsageError, match="'elsewhere', which is not a folder"):
        dlt_bunce.erase(["c0"], destination=destination, pipelines_dirs=["elsewhere"])
    erased = dlt_bunce.erase(["c0", "c5"], destination=destination, pipelines_dirs=["."])
    assert erased.nowhere == []
    assert dlt_bunce.adopt(destination=destination).adopted == 1
    assert dlt_bunce.status(destination=destination).open_dead_letters == {}


def test_without_a_destination_they_use_what_is_configured(
    emulator: Emulator, destination: bunce, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = dlt.pipeline("crm", destination=destination)
    dlt_bunce.flush_and_run(pipeline, [customer(1)], table_name="customers")
    monkeypatch.setenv("DESTINATION__BUNCE__STORE_URL", "sqlite:///a.sqlite")

    told = click.testing.CliRunner().invoke(main, ["status", "--json"])

    status = dlt_bunce.status()
    assert json.loads(told.output)["ledger"]["delivered"] == status.delivered == 1


def test_nothing_is_discarded_by_mistake_and_no_store_is_made(destination: bunce) -> None:
    with pytest.raises(dlt_bunce.UsageError, match="no filter"):
        dlt_bunce.discard(Selection(), destination=destination)
    for function in (
        lambda: dlt_bunce.discard(Selection(ids=["ab"]), destination=destination),
        lambda: dlt_bunce.erase(["c1"], destination=destination),
        lambda: dlt_bunce.replay(destination=destination),
        lambda: dlt_bunce.status(destination=destination),
    ):
        with pytest.raises(BunceError, match="No store exists"):
            function()

    assert not Path("a.sqlite").exists()


def test_a_list_that_happens_to_be_empty_selects_nothing_and_text_is_no_list(
    emulator: Emulator, destination: bunce
) -> None:
    rows = [customer(n, email="x") for n in (2, 4, 42)]
    pipeline = dlt.pipeline("crm", destination=destination)
    dlt_bunce.flush_and_run(pipeline, rows, table_name="customers")

    for name in ("codes", "fields", "run_ids", "ids", "customer_ids"):
        none = Selection(**{name: []})
        assert dlt_bunce.replay(none, destination=destination).summary.read == 0
        assert dlt_bunce.discard(none, destination=destination) == 0
        with pytest.raises(dlt_bunce.UsageError, match=f"{name} is a str"):
            Selection(**{name: "42"})
    both = Selection(codes=["invalid_email"], customer_ids=())
    assert dlt_bunce.discard(both, destination=destination) == 0
    with pytest.raises(dlt_bunce.UsageError, match="list of other things"):
        Selection(customer_ids=[42])  # type: ignore[list-item]
    with pytest.raises(dlt_bunce.UsageError, match="customer_ids is a str"):
        dlt_bunce.erase("42", destination=destination)

    assert [r.path for r in emulator.requests if r.rows] == []
    status = dlt_bunce.status(destination=destination)
    assert status.open_dead_letters == {"invalid_email": 3}
    chosen = Selection(customer_ids=(id_ for id_ in ["c42"]))  # type: ignore[arg-type]
    assert dlt_bunce.discard(chosen, destination=destination) == 1


def test_what_does_not_exist_is_no_empty_result(emulator: Emulator, destination: bunce) -> None:
    pipeline = dlt.pipeline("crm", destination=destination)
    dlt_bunce.flush_and_run(pipeline, [customer(1, email="x")], table_name="customers")
    other = bunce(**destination.config_params | {"account": "shpo"})

    for function in (
        lambda: dlt_bunce.replay(destination=other),
        lambda: dlt_bunce.discard(Selection(codes=["invalid_email"]), destination=other),
        lambda: dlt_bunce.retry_values(destination=other),
        lambda: list(dlt_bunce.rejected_values(destination=other)),
        lambda: list(dlt_bunce.waiting_values(destination=other)),
        lambda: list(dlt_bunce.dead_letters("sqlite:///a.sqlite", "shpo")),
    ):
        with pytest.raises(Exception, match="The store has no account 'shpo'"):
            function()
    for function in (
        lambda: dlt_bunce.replay(Selection(codes=["email"]), destination=destination),
        lambda: dlt_bunce.discard(Selection(codes=["email"]), destination=destination),
        lambda: list(dlt_bunce.dead_letters("sqlite:///a.sqlite", status="opened")),
    ):
        with pytest.raises(Exception, match=r"has the (code 'email'|status 'opened')"):
            function()

    status = dlt_bunce.status(destination=destination)
    assert (len(status.runs), status.open_dead_letters) == (1, {"invalid_email": 1})
