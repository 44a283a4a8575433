"""`dlt-bunce doctor`: what would keep a load from running, with the remedy."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from dlt_bunce.emulator import Behavior, Emulator, Fault

from .conftest import Run, people, write


def states(run: Run, *words: str) -> dict[str, str]:
    return {check["name"]: check["state"] for check in run("doctor", *words, "--json").json}


def test_all_is_well_before_and_after_a_first_load(run: Run, emulator: Emulator) -> None:
    def failed() -> dict[str, str]:
        return {what: state for what, state in states(run).items() if state == "failed"}

    assert failed() == {}
    write(people(1))
    run("load", "customers.parquet")
    assert failed() == {}
    assert {"key", "clock", "store", "disk", "budget", "python", "dlt", "pyarrow"} <= {*states(run)}
    assert "customers delivered: 1" in run("doctor").output
    assert run("doctor").code == 0


def test_it_sends_one_request_and_writes_nothing(
    run: Run, emulator: Emulator, postgres_store: str
) -> None:
    run("doctor", "--store-url", postgres_store)
    assert len(emulator.requests) == 1
    assert "does not exist yet" in run("doctor", "--store-url", postgres_store).output


def test_a_refused_key_fails_with_its_remedy(run: Run, emulator: Emulator) -> None:
    emulator.behavior = Behavior(api_keys=("sk_test_another",))

    done = run("doctor")

    assert done.code == 1
    assert "refuses the API key" in done.output
    assert "DESTINATION__BUNCE__CREDENTIALS__API_KEY" in done.output


def test_the_key_of_another_workspace_fails(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    write(people(1))
    run("load", "customers.parquet")
    monkeypatch.setenv("DESTINATION__BUNCE__CREDENTIALS__API_KEY", "sk_test_other")

    assert states(run)["store"] == "failed"


@pytest.mark.parametrize("store_url", ["postgresql://u@127.0.0.1:9/d", "sqlite:///."])
def test_a_store_that_cannot_be_used_fails(run: Run, store_url: str) -> None:
    assert states(run, "--store-url", store_url)["store"] == "failed"


def test_a_store_that_other_users_may_read_is_told_with_its_remedy(run: Run) -> None:
    write(people(1))
    run("load", "customers.parquet", "--store-url", "sqlite:///my stores/bunce.sqlite")
    store = Path("my stores/bunce.sqlite")
    there = ("doctor", "--store-url", f"sqlite:///{store}")
    assert "permissions" not in states(run, *there[1:])

    with sqlite3.connect(store) as reader:
        reader.execute("SELECT COUNT(*) FROM bunce_customers").fetchall()
        store.chmod(0o640)
        Path(f"{store}-wal").chmod(0o604)
        told = [check for check in run(*there, "--json").json if check["name"] == "permissions"]
    reader.close()

    assert told == [
        {
            "name": "permissions",
            "state": "warning",
            "detail": "other users may read bunce.sqlite, bunce.sqlite-wal",
            "remedy": "chmod 600 'my stores/bunce.sqlite' 'my stores/bunce.sqlite-wal'",
        }
    ]
    store.chmod(0o600)
    assert "permissions" not in states(run, *there[1:])


def test_a_budget_that_somebody_else_uses_up_is_told(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert states(run)["budget"] == "warning"  # the tests do not pace
    monkeypatch.setenv("DESTINATION__BUNCE__REQUESTS_PER_MINUTE", "500")
    write(people(1))
    run("load", "customers.parquet")
    assert states(run)["budget"] == "ok"
    write(people(2))
    emulator.behavior = Behavior(faults=(Fault("rate_limited", on_request=1, seconds=1),))

    run("load", "customers.parquet")

    (budget,) = (check for check in run("doctor", "--json").json if check["name"] == "budget")
    assert budget["state"] == "warning"
    assert "80% of it available now" in budget["detail"]


def test_a_damaged_store_is_one_failed_check_whose_remedy_sends_nobody_again(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__BUNCE__REQUESTS_PER_MINUTE", "500")
    write(people(*range(3)))
    assert run("load", "customers.parquet").code == 0
    Path("bunce.sqlite").write_bytes(b"damaged" * 1000)

    found = {check["name"]: check for check in run("doctor", "--json").json}

    assert [name for name in found if found[name]["state"] == "failed"] == ["store"]
    assert "then run dlt-bunce adopt" in found["store"]["remedy"]
    assert "free on the store's disk" in found["disk"]["detail"]
    for file in Path().glob("bunce.sqlite*"):
        file.unlink()
    assert run("adopt").code == 0
    assert run("load", "customers.parquet", "--json").json["unchanged"] == 3
    assert set(emulator.times_sent.values()) == {1}


def test_the_variable_that_a_remedy_names_is_whole_at_every_width(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.behavior = Behavior(api_keys=("sk_test_other",))

    for columns in range(40, 124, 4):
        monkeypatch.setenv("COLUMNS", str(columns))
        shown = run("doctor").output
        assert "DESTINATION__BUNCE__CREDENTIALS__API_KEY" in shown
        assert {line[-1] for line in shown.splitlines() if line[:1] == "│"} <= {"│"}


def test_configured_attributes_and_segments_have_one_line_each(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, data_type in (("Plan", "text"), ("Twice", "text"), ("Twice", "text")):
        emulator.attributes.add(name, data_type)
    emulator.attributes.add_segment("VIP")
    emulator.attributes.add_segment("Active", "automatic")
    Path("config.toml").write_text(
        '[destination.bunce.attributes]\nplan = "Plan"\ntwo = "Twice"\nlate = "Plann"\n'
        '[destination.bunce.segments]\nvip = "VIP"\nactive = "Active"\n'
    )

    def lines() -> dict[str, tuple[str, str, str | None]]:
        checks = run("doctor", "--json").json
        kinds = ("attribute", "segment")
        return {
            c["name"]: (c["state"], c["detail"], c["remedy"])
            for c in checks
            if c["name"].startswith(kinds)
        }

    told = lines()
    failed = run("doctor").code
    monkeypatch.setenv("DESTINATION__BUNCE__CREATE_ATTRIBUTES", "true")
    created = lines()["attribute Plann"]
    monkeypatch.setenv("DESTINATION__BUNCE__ATTRIBUTES", "*")
    everything = lines()
    monkeypatch.delenv("DESTINATION__BUNCE__ATTRIBUTES")
    monkeypatch.delenv("DESTINATION__BUNCE__CREDENTIALS__API_KEY")
    asked = len(emulator.requests)
    unasked = lines()

    assert told["attribute Plan"] == ("ok", "text, from column 'plan'", None)
    assert told["segment VIP"] == ("ok", "boolean, from column 'vip'", None)
    assert {what: state for what, (state, *_) in told.items() if state != "ok"} == dict.fromkeys(
        ["attribute Twice", "attribute Plann", "segment Active"], "failed"
    )
    _, said, remedy = told["attribute Plann"]
    assert said == "Bunce has no attribute 'Plann'. It has: Plan, Twice."
    assert "Did you mean 'Plan'?" in (remedy or "")
    assert failed == 1
    assert created[:2] == (
        "ok",
        "does not exist yet; the first load that has a value creates it, from column 'late'",
    )
    assert everything["attributes"][0] == "ok"
    assert unasked.keys() == told.keys()
    assert {state for state, *_ in unasked.values()} == {"warning"}
    assert "not checked without an API key" in unasked["segment VIP"][1]
    assert len(emulator.requests) == asked
    assert emulator.attributes.attributes[3:] == []


def test_what_tables_of_values_feed_has_its_lines_with_the_tables_name(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.attributes.add("Plan", "text")
    emulator.attributes.add_segment("Debtors")
    Path("config.toml").write_text(
        '[destination.bunce.attributes]\nplan = "Plan"\n'
        "[destination.bunce.values_tables.payments]\n"
        'customer_id = "user_id"\nattributes = { paid_at = "Last payment" }\n'
        'segments = { is_debtor = "Debtors" }\n'
        "[destination.bunce.values_tables.visits]\n"
        'customer_id = "user_id"\nattributes = "*"\n'
    )

    def lines() -> dict[str, tuple[str, str]]:
        checks = run("doctor", "--json").json
        kinds = ("attribute", "segment")
        return {c["name"]: (c["state"], c["detail"]) for c in checks if c["name"].startswith(kinds)}

    told = lines()
    listings = [record.call for record in emulator.requests].count("listing")
    monkeypatch.setenv("DESTINATION__BUNCE__CREATE_ATTRIBUTES", "true")
    created = lines()["attribute Last payment"]
    monkeypatch.delenv("DESTINATION__BUNCE__CREDENTIALS__API_KEY")
    unasked = lines()

    every = (
        "all columns of table 'visits' (\"*\"); to compare them with Bunce: dlt-bunce check SOURCE"
    )
    missing = (
        "Bunce has no attribute 'Last payment'. It has: Plan. It is to be fed from column "
        "'paid_at' of table 'payments'."
    )
    assert told == {
        "attributes": ("ok", every),
        "attribute Plan": ("ok", "text, from column 'plan'"),
        "attribute Last payment": ("failed", missing),
        "segment Debtors": ("ok", "boolean, from column 'is_debtor' of table 'payments'"),
    }
    assert listings == 2, "each kind is listed once, however many tables there are"
    assert created[0] == "ok"
    assert created[1].endswith("creates it, from column 'paid_at' of table 'payments'")
    assert unasked.keys() == told.keys()
    assert unasked["segment Debtors"] == (
        "warning",
        "not checked without an API key, from column 'is_debtor' of table 'payments'",
    )


def test_a_name_in_a_table_of_values_is_corrected_in_its_own_section(
    run: Run, emulator: Emulator
) -> None:
    emulator.attributes.add("Balance", "numeric")
    Path("config.toml").write_text(
        '[destination.bunce.values_tables.facts]\nattributes = { sum = "Balanse" }\n'
    )

    told = run("doctor", "--json").output

    assert "[destination.bunce.values_tables.facts.attributes]" in told
