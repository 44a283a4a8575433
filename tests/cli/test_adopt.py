"""`dlt-bunce adopt`: a workspace with customers before the first load."""

from __future__ import annotations

from typing import Any

import pytest

from dlt_bunce.emulator import Behavior, Emulator, Fault

from .conftest import Run, write

PAGES = 3
COUNT = 250


def person(number: int, **changes: Any) -> dict[str, Any]:
    """A customer with a device."""
    return {
        "customer_id": f"c{number}",
        "email": f"c{number}@example.com",
        "first_name": "Ada",
        "last_name": "Obi",
        "phone_no": f"+23481{number:08d}",
        "devices": [{"device_type": "ios", "device_token": f"token{number}"}],
    } | changes


@pytest.fixture
def workspace(emulator: Emulator) -> Emulator:
    """Bunce with customers whom nobody has loaded."""
    emulator.seed(person(n) for n in range(COUNT))
    return emulator


def load(run: Run, *words: str) -> dict[str, int]:
    """Loads the source; its counts that are not zero."""
    done = run("load", "customers.parquet", "--json", *words)
    assert done.code == 0, done.errors
    names = ("read", "created", "updated", "adopted", "skipped", "unchanged", "bulk_requests")
    return {name: done.json[name] for name in names if done.json[name]}


def test_the_first_load_after_an_adoption_sends_only_what_differs(
    run: Run, workspace: Emulator
) -> None:
    done = run("adopt")

    assert done.code == 0
    assert done.output == (
        "Adopted 250 customers (0 incomplete); 0 already in the ledger. Listed 250 in 4 requests.\n"
    )
    assert {record.call for record in workspace.requests} == {"lookup"}
    write([person(n) for n in range(COUNT)])
    assert load(run) == {"read": COUNT, "unchanged": COUNT}
    write([person(n, last_name="Eze" if n < 5 else "Obi") for n in range(COUNT + 3)])
    assert load(run) == {
        "read": COUNT + 3,
        "created": 3,
        "updated": 5,
        "unchanged": COUNT - 5,
        "bulk_requests": 2,
    }


def test_with_append_adopted_customers_stay_as_they_are(run: Run, workspace: Emulator) -> None:
    run("adopt")
    write([person(n, last_name="Eze" if n < 5 else "Obi") for n in range(COUNT)])

    counts = load(run, "--disposition", "append")

    assert counts == {"read": COUNT, "skipped": 5, "unchanged": COUNT - 5}


def test_an_adoption_that_was_broken_off_goes_on_where_it_stopped(
    run: Run, workspace: Emulator
) -> None:
    gone = Fault("error_before", call="lookup", on_request=3, until_request=1_000)
    workspace.behavior = Behavior(rate_limit=0, faults=(gone,))
    broken = run("adopt")
    assert (broken.code, broken.errors.count("\n")) == (1, 1)
    assert "Run again later" in broken.errors

    workspace.behavior = Behavior(rate_limit=0)
    done = run("adopt", "--json")

    assert done.json == {
        "listed": COUNT,
        "adopted": COUNT - 100,
        "known": 0,
        "incomplete": 0,
        "requests": PAGES,
    }


def test_adopting_again_changes_nothing(run: Run, workspace: Emulator) -> None:
    write([person(0, last_name="Eze")])
    load(run)
    run("adopt")

    again = run("adopt", "--restart", "--json").json

    assert (again["adopted"], again["known"]) == (0, COUNT)
    write([person(0, last_name="Eze")])
    assert load(run) == {"read": 1, "unchanged": 1}


def test_customers_who_lack_something_are_updated_by_the_first_load(
    run: Run, emulator: Emulator
) -> None:
    emulator.seed([person(1, phone_no=None), person(2)])
    assert run("adopt", "--json").json["incomplete"] == 1
    write([person(1), person(2)])

    assert load(run) == {"read": 2, "updated": 1, "unchanged": 1, "bulk_requests": 1}
    assert person(1)["phone_no"] == emulator.customers["c1"]["phone_no"]


def test_a_cursor_that_is_known_no_longer_starts_anew(run: Run, workspace: Emulator) -> None:
    from dlt_bunce.store.database import Database

    run("adopt")
    with Database("sqlite:///bunce.sqlite") as db:
        db.execute("INSERT INTO bunce_adoptions VALUES ('default', 'gone', 100)")

    again = run("adopt", "--json").json

    assert (again["listed"], again["known"]) == (COUNT, COUNT)


@pytest.mark.parametrize(
    ("behavior", "code"),
    [
        (Behavior(rate_limit=0, lookup="nested"), 0),
        (Behavior(rate_limit=0, max_per_page=20), 0),
        (Behavior(rate_limit=0, unknown_fields=True, flag="status"), 0),
        (Behavior(rate_limit=0, lookup="absent"), 1),
    ],
)
def test_every_form_of_listing_is_read_or_told_to_be_none(
    run: Run, workspace: Emulator, behavior: Behavior, code: int
) -> None:
    workspace.behavior = behavior

    done = run("adopt", "--json")

    assert code == done.code
    if code:
        assert "Load without adopting" in done.errors
    else:
        assert done.json["adopted"] == COUNT


def test_an_empty_workspace_has_nobody_to_adopt(run: Run, emulator: Emulator) -> None:
    assert run("adopt", "--json").json["listed"] == 0
