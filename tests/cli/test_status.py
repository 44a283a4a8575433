"""`dlt-bunce status` and `dlt-bunce account`: what the store holds, and for whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlt_bunce.emulator import Emulator

from .conftest import Run, people, write

KEY = "DESTINATION__BUNCE__CREDENTIALS__API_KEY"


def test_status_shows_ledger_letters_and_last_runs(run: Run) -> None:
    write(people(1, 2) + people(3, mobile="call me"))
    for _ in range(3):
        run("load", "customers.parquet")

    found = run("status", "--runs", "2", "--json").json
    shown = run("status").output

    assert found["ledger"] == {
        "customers": 2,
        "delivered": 2,
        "indeterminate": 0,
        "linked": 0,
    }
    assert found["open_dead_letters"] == {"invalid_phone_no": 1}
    assert [run["bulk_requests"] for run in found["runs"]] == [0, 0], "newest first"
    assert "Account default: 2 customers delivered, 0 indeterminate, 1 open dead letter" in shown
    assert shown.count("completed") == 3


def test_accounts_are_listed_without_their_keys(run: Run) -> None:
    write(people(1))
    run("load", "customers.parquet")

    assert [account["account"] for account in run("account", "list", "--json").json] == ["default"]
    assert "sk_test" not in run("account", "list").output
    assert "default" in run("account", "list").output


def test_a_renewed_key_is_accepted_by_rotating(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(people(1))
    run("load", "customers.parquet")
    monkeypatch.setenv(KEY, "sk_test_renewed")

    refused = run("load", "customers.parquet")
    rotated = run("account", "rotate")
    loaded = run("load", "customers.parquet", "--json")

    assert (refused.code, "dlt-bunce account rotate" in refused.errors) == (2, True)
    assert rotated.output == "Account default now uses the new API key.\n"
    assert loaded.code == 0
    assert emulator.times_sent == {"1": 1}


def test_a_key_that_bunce_refuses_does_not_rotate(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(people(1))
    run("load", "customers.parquet")
    emulator.behavior = type(emulator.behavior)(rate_limit=0, api_keys=("sk_test_marked_key",))
    monkeypatch.setenv(KEY, "sk_test_wrong")

    refused = run("account", "rotate")
    monkeypatch.setenv(KEY, "sk_test_marked_key")

    assert (refused.code, refused.output) == (1, "")
    assert run("load", "customers.parquet").code == 0


def test_the_command_that_a_renewed_key_needs_reaches_its_own_account(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(people(1))
    there = ("--store-url", "sqlite:///crm.sqlite")
    assert run("load", "customers.parquet", *there).code == 0
    monkeypatch.setenv(KEY, "sk_test_of_eu")
    assert run("load", "customers.parquet", "--account", "eu", *there).code == 0
    monkeypatch.setenv(KEY, "sk_test_of_eu_renewed")

    refused = run("load", "customers.parquet", "--account", "eu", *there).errors
    pasted = refused.partition("`dlt-bunce ")[2].partition("`")[0]

    assert pasted == "account rotate --account eu --store-url sqlite:///crm.sqlite"
    assert run(*pasted.split()).output == "Account eu now uses the new API key.\n"
    assert run("load", "customers.parquet", "--account", "eu", *there).code == 0
    monkeypatch.setenv(KEY, "sk_test_marked_key")
    assert run("load", "customers.parquet", *there).code == 0


def test_the_figures_of_a_run_whose_key_is_refused_name_its_source(
    run: Run, emulator: Emulator
) -> None:
    write(people(1))
    emulator.behavior = type(emulator.behavior)(rate_limit=0, api_keys=("sk_test_other",))

    printed = run("load", "customers.parquet", "--json").json

    assert (printed["state"], printed["source"]) == ("failed", "customers.parquet")


def test_a_new_account_whose_first_key_is_refused_is_in_status(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(people(1))
    assert run("load", "customers.parquet").code == 0
    emulator.behavior = type(emulator.behavior)(rate_limit=0, api_keys=("sk_test_marked_key",))
    monkeypatch.setenv(KEY, "sk_test_wrong")
    assert run("load", "customers.parquet", "--account", "eu").code == 1

    shown = run("status", "--account", "eu")
    misspelt = run("status", "--account", "ue")

    assert (shown.code, "refuses the API key (HTTP 401)" in shown.output) == (0, True)
    assert (misspelt.code, "The store has no account 'ue'." in misspelt.errors) == (2, True)


def test_an_account_that_is_not_there_cannot_rotate(run: Run) -> None:
    write(people(1))
    run("load", "customers.parquet")

    refused = run("account", "rotate", "--account", "nobody")

    assert (refused.code, "Account 'nobody' does not exist" in refused.errors) == (2, True)


def test_a_long_file_name_in_a_problem_is_never_broken(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"crm{'x' * 200}.parquet"
    write(people(1), name)
    assert run("load", name).code == 0
    Path(name).unlink()
    assert run("load", name).code == 2

    for width in ("60", "160"):
        monkeypatch.setenv("COLUMNS", width)
        assert run("status").output.startswith(f"{name}:")
