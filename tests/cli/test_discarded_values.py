"""`dlt-bunce rejected-values discard`: an entry leaves the list until its value changes."""

from __future__ import annotations

from typing import Any

import pytest

from dlt_bunce.emulator import Behavior, Emulator

from .conftest import Run, people, write
from .terminal import Terminal

LOAD = ("--attribute", "plan=Plan", "--attribute", "balance=Balance")


def rows(plan: str = "cursed", balance: str = "seven") -> list[dict[str, Any]]:
    """Customers of whom one has a plan that Bunce refuses, one a balance that is no number."""
    found = people(1, 2, 3, plan="gold", balance="1.50")
    found[1] |= {"plan": plan}
    found[2] |= {"balance": balance}
    return found


@pytest.fixture
def load(run: Run, emulator: Emulator, store: str) -> Any:
    """Loads customers, into a store of either kind; returns the fates of values that occurred."""
    emulator.behavior = Behavior(rate_limit=0, refused_value="cursed")
    emulator.attributes.add("Plan", "text")
    emulator.attributes.add("Balance", "numeric")

    def load(**changes: str) -> dict[str, int]:
        write(rows(**changes))
        done = run("load", "customers.parquet", "--pipeline-name", "crm", "--json", *LOAD)
        assert done.code == 0, done.errors
        return {fate: n for fate, n in done.json["attributes"].items() if n and fate != "read"}

    return load


@pytest.fixture
def listed(run: Run) -> Any:
    """Lists customer and code of rejected values."""

    def listed(*words: str) -> set[tuple[str, str]]:
        found = run("rejected-values", "list", "--json", *words).json
        return {(value["customer_id"], value["code"]) for value in found}

    return listed


def test_a_discarded_value_is_neither_listed_nor_sent_until_it_changes(
    run: Run, emulator: Emulator, load: Any, listed: Any
) -> None:
    first = load()
    done = run("rejected-values", "discard", "--all", "--yes")
    left, kept_apart = listed(), listed("--discarded")
    status = run("status", "--json").json["rejected_values"]
    # by now Bunce would take it
    emulator.behavior = Behavior(rate_limit=0)
    received = emulator.attributes.values_received
    again = load()
    sent, left_again = emulator.attributes.values_received - received, listed()
    load(plan="silver", balance="eight")
    changed = listed()
    load(plan="silver", balance="8")

    bad = {("2", "refused"), ("3", "invalid_number")}
    assert first == {"written": 4, "rejected": 2}
    assert done.output == "Discarded 2 rejected values.\n"
    assert (left, kept_apart, status) == (set(), bad, {})
    assert (again, sent, left_again) == ({"unchanged": 4, "rejected": 2}, 0, set())
    assert changed == {("3", "invalid_number")}
    assert (listed(), listed("--discarded")) == (set(), set())
    assert emulator.attributes.values_of("2")["Plan"] == "silver"
    assert emulator.attributes.values_of("3")["Balance"] == "8"


def test_a_changed_value_that_bunce_refuses_too_is_listed_again(
    run: Run, emulator: Emulator, load: Any, listed: Any
) -> None:
    load()
    emulator.behavior = Behavior(rate_limit=0, refused_value="cursed twice")
    done = run("rejected-values", "discard", "--code", "refused", "--yes", "--json").json
    load(plan="cursed twice")

    assert done == {"discarded": 1}
    assert listed() == {("2", "refused"), ("3", "invalid_number")}
    assert listed("--discarded") == set()


def test_a_discard_is_taken_back_by_a_retry(
    run: Run, emulator: Emulator, load: Any, listed: Any
) -> None:
    load()
    run("rejected-values", "discard", "--all", "--yes")
    emulator.behavior = Behavior(rate_limit=0)
    retried = run("rejected-values", "retry", "--discarded", "--all", "--json").json
    back = listed()
    again = load()

    assert retried == {"released": 1, "validated_again": 1}
    assert back == {("2", "refused"), ("3", "invalid_number")}
    assert again == {"unchanged": 4, "written": 1, "rejected": 1}
    assert listed() == {("3", "invalid_number")}
    assert emulator.attributes.values_of("2")["Plan"] == "cursed"


def test_what_a_retry_has_released_is_sent_once_more_although_it_is_discarded(
    run: Run, emulator: Emulator, load: Any, listed: Any
) -> None:
    load()
    run("rejected-values", "retry", "--code", "refused")
    run("rejected-values", "discard", "--all", "--yes")
    received = emulator.attributes.values_received
    load()
    sent, again = emulator.attributes.values_received - received, listed()
    load()

    assert (sent, again) == (1, {("2", "refused")})
    assert emulator.attributes.values_received - received == 1


def test_a_discard_needs_a_filter_or_all_and_a_yes(run: Run, load: Any, listed: Any) -> None:
    load()
    for words, sentence in (
        ((), "Pass a filter such as --attribute, --customer, or --code, or --all."),
        (("--yes",), "Pass a filter such as --attribute, --customer, or --code, or --all."),
        (("--all",), "Cannot prompt for confirmation: stdin is not a terminal."),
        (("--code", "refused"), "Cannot prompt for confirmation: stdin is not a terminal."),
        (("--attribute", "Color", "--yes"), "No load has fed attribute 'Color'"),
    ):
        done = run("rejected-values", "discard", *words)
        assert (done.code, sentence in done.errors) == (2, True), (words, done.errors)
    none = run("rejected-values", "discard", "--code", "unconfirmed", "--yes")

    assert none.output == "Discarded 0 rejected values.\n"
    assert len(listed()) == 2


def test_a_discard_asks_on_a_terminal(load: Any, listed: Any, on_a_terminal: Terminal) -> None:
    load()

    some = "Discard 1 rejected value of account default? [y/N]"
    kept = on_a_terminal(
        *("rejected-values", "discard", "--code", "refused"), answers={some: "n\n"}, code=1
    )
    every = "Discard all 2 rejected values of account default? [y/N]"
    done = on_a_terminal("rejected-values", "discard", answers={every: "y\n"})

    assert (some in kept, "Discarded" in kept) == (True, False)
    assert "Discarded 2 rejected values." in done
    assert listed() == set()
