"""`dlt-bunce check` tells what becomes of attribute values and segment members, and sends none."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from dlt_bunce.emulator import Behavior, Emulator, Fault

from .conftest import Run, people, write

AWARE = datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc)
NAIVE = AWARE.replace(tzinfo=None)
WORDS = ("--attribute", "plan=Plan", "--attribute", "balance=Balance", "--attribute", "paid=Paid")
SEGMENT = ("--segment", "vip=VIP")


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    for name, data_type in (("Plan", "text"), ("Balance", "numeric"), ("Paid", "timestamp")):
        emulator.attributes.add(name, data_type)
    emulator.attributes.add_segment("VIP")


def rich(*numbers: int, **changes: Any) -> list[dict[str, Any]]:
    """Good customers with three values, and a membership."""
    values: dict[str, Any] = {"plan": "gold", "balance": "12.5", "paid": AWARE, "vip": True}
    return people(*numbers, **values | changes)


def counted(summary: dict[str, Any]) -> dict[str, dict[str, int]]:
    """The fates that occurred, by kind."""
    return {
        kind: {fate: n for fate, n in summary[kind].items() if n}
        for kind in ("attributes", "segments")
    }


def writes(emulator: Emulator) -> list[str]:
    """The calls that are no reading."""
    return [r.call for r in emulator.requests if r.call not in {"lookup", "listing"}]


@pytest.mark.parametrize("store_kind", ["sqlite", "postgres"])
def test_it_counts_the_values_that_the_load_counts(
    store_kind: str,
    run: Run,
    emulator: Emulator,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if store_kind == "postgres":
        store = str(request.getfixturevalue("postgres_store"))
        monkeypatch.setenv("DESTINATION__BUNCE__STORE_URL", store)
    # a customer may be met in several files, as a large load has them
    monkeypatch.setenv("DATA_WRITER__FILE_MAX_ITEMS", "7")
    monkeypatch.setenv("LOAD__WORKERS", "1")
    emulator.behavior = Behavior(rate_limit=0, refused_value="cursed")
    words = ("customers.parquet", "--version-column", "updated_at", *WORDS, *SEGMENT)
    first = [
        *rich(*range(1, 9)),
        *rich(9, plan="cursed"),
        *rich(10, balance="1,000", vip=None),
        *rich(11, mobile="none", balance="x"),
        *rich(12, 13, email="twins@example.com"),
        *rich(14, email="c1@example.com", plan=None),
        *rich(15, plan=None, paid=None, vip=False),
        *rich(16, updated_at=9, plan="old"),
        *rich(16, updated_at=11, plan="new"),
    ]
    second = [
        *first[:3],
        *rich(4, plan="silver", vip=False, updated_at=11),
        *rich(5, first_name="Ada", updated_at=11),
        *rich(6, updated_at=9, plan="old"),
        *first[8:10],
        *rich(11, updated_at=12),
        *first[11:14],
        *rich(15, updated_at=12, vip=False),
        *rich(20, 20, balance="zero"),
    ]
    told, done = [], []

    for rows in (first, first, second, second):
        write(rows)
        before = writes(emulator)
        check = run("check", *words, "--json")
        assert writes(emulator) == before
        load = run("load", *words, "--json")
        assert (check.code, load.code) == (0, 0), check.errors + load.errors
        told.append(counted(check.json["summary"]))
        done.append(counted(load.json))

    # that Bunce rejects a value is known once it has
    told[0]["attributes"]["written"] -= 1
    told[0]["attributes"]["rejected"] += 1
    assert done == told
    assert {fate for counts in told for fate in counts["attributes"]} == {
        "read",
        "written",
        "unchanged",
        "blank",
        "waiting",
        "superseded",
        "rejected",
    }
    cursed = next(r for r in check.json["rejected_values"] if r["code"] == "refused")
    assert (cursed["column"], cursed["values"], cursed["shapes"]) == ("plan", 1, [])


def test_each_target_is_told_with_its_type_what_is_there_and_the_remedy(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.attributes.add("Twice", "text")
    emulator.attributes.add("Twice", "text")
    emulator.attributes.add_segment("Active", "automatic")
    write(rich(*range(3), twice="a", color="red", score=1.5, active=True, balance=AWARE))
    words = ["customers.parquet", *WORDS, *SEGMENT]
    for pair in ("twice=Twice", "color=Plam", "score=Score"):
        words += ["--attribute", pair]
    words += ["--segment", "active=Active", "--segment", "vip=Vipps"]
    words.remove("--segment")
    words.remove("vip=VIP")

    found = run("check", *words, "--json")
    monkeypatch.setenv("DESTINATION__BUNCE__CREATE_ATTRIBUTES", "true")
    created = run("check", *words, "--json").json

    assert found.code == 0, found.errors
    told = {t["column"]: (t["name"], t["data_type"], t["state"]) for t in found.json["targets"]}
    assert told == {
        "plan": ("Plan", "text", "exists"),
        "balance": ("Balance", "numeric", "misfit"),
        "paid": ("Paid", "timestamp", "exists"),
        "twice": ("Twice", "text", "ambiguous"),
        "color": ("Plam", "text", "missing"),
        "score": ("Score", "numeric", "missing"),
        "active": ("Active", "boolean", "automatic"),
        "vip": ("Vipps", "boolean", "missing"),
    }
    remedies = {t["column"]: t["remedy"] for t in found.json["targets"]}
    assert "Did you mean 'Plan'? Use --attribute color=Plan, or" in remedies["color"]
    assert "set create_attributes = true to have it created as numeric" in remedies["score"]
    assert "Did you mean 'VIP'? Use --segment vip=VIP" in remedies["vip"]
    assert all((t["problem"] is None) == (t["state"] == "exists") for t in found.json["targets"])
    assert found.json["available"] == {
        "attributes": ["Balance", "Paid", "Plan", "Twice"],
        "segments": ["Active", "VIP"],
    }
    (warning,) = found.json["warnings"]
    assert warning["code"] == "wrong_targets"
    assert "It has: Balance, Paid, Plan, Twice." in warning["text"]
    assert {t["column"]: t["state"] for t in created["targets"]} == {
        column: state if state != "missing" or column == "vip" else "to_create"
        for column, (_, _, state) in told.items()
    }
    assert writes(emulator) == []
    # the load stops for the same reasons
    stopped = run("load", *words)
    assert stopped.code == 2
    assert "several" not in stopped.errors
    for part in ("Bunce has no segment 'Vipps'. It has: Active, VIP.", "2 attributes called"):
        assert part in stopped.errors.replace("\n", " ")
    assert writes(emulator) == []


def test_rejected_values_are_told_by_cause_with_shapes_and_values_only_when_asked(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        *rich(1, 2, balance="1,234"),
        *rich(3, balance="n. a. b."),
        *rich(4, plan="x" * 10_001),
        *rich(5, vip="perhaps"),
        *rich(*range(6, 20)),
    ]
    write([row | {"paid": str(NAIVE), "vip": str(row["vip"]).lower()} for row in rows])

    found = run("check", "customers.parquet", *WORDS, *SEGMENT, "--json").json
    shown = run("check", "customers.parquet", *WORDS, *SEGMENT).output
    values = run("check", "customers.parquet", *WORDS, *SEGMENT, "--show-values").output
    monkeypatch.setenv("DESTINATION__BUNCE__TIMEZONE", "Africa/Lagos")
    zoned = run("check", "customers.parquet", *WORDS, *SEGMENT, "--json").json

    told = [(r["column"], r["code"], r["values"], r["shapes"]) for r in found["rejected_values"]]
    assert told[0] == ("paid", "invalid_timestamp", 19, ["9999-99-99 99:99:99"])
    assert sorted(told[1:]) == [
        ("balance", "invalid_number", 3, ["9,999", "a. a. a."]),
        ("plan", "too_long", 1, ["a" * 40]),
        ("vip", "invalid_boolean", 1, ["aaaaaaa"]),
    ]
    zone = found["rejected_values"][0]
    assert zone["cause"] == "a timestamp without a time zone, and no timezone is set"
    assert 'timezone = "Africa/Lagos"' in zone["remedy"]
    assert found["summary"]["attributes"]["rejected"] == 23
    assert "1,234" not in shown
    assert "1,234" in values
    assert {r["column"] for r in zoned["rejected_values"]} == {"balance", "plan", "vip"}
    assert next(t for t in zoned["targets"] if t["column"] == "paid")["values"] == {"written": 19}


def test_requests_and_least_time_include_those_of_values(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__BUNCE__MAX_BATCH_SIZE", "50")
    write(rich(*range(100)))
    words = ("customers.parquet", *WORDS, *SEGMENT)

    monkeypatch.setenv("DESTINATION__BUNCE__REQUESTS_PER_MINUTE", "60")
    told = run("check", *words, "--json").json["cost"]
    monkeypatch.setenv("DESTINATION__BUNCE__REQUESTS_PER_MINUTE", "0")
    done = run("load", *words, "--json").json["requests"]
    again = run("check", *words, "--json").json["cost"]["requests"]

    # the key, two listings, 100 customers, 300 values, 100 members
    assert told == {"requests": 1 + 2 + 2 + 6 + 2, "seconds": 2 + 2 + 6 + 2}
    assert (done, again) == (told["requests"], 3)


@pytest.mark.parametrize("way", ["no key", "no answer", "refused key"])
def test_what_needs_no_bunce_is_told_without_it(
    way: str, run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("config.toml").write_text(
        '[destination.bunce.attributes]\nplan = "Plan"\nzip = "Zip"\n'
        '[destination.bunce.segments]\nvip = "VIP"\n'
    )
    emulator.attributes.add("Zip", "text")
    write(rich(1, 2, zip=4000))
    run("load", "customers.parquet")
    write(rich(2, 3, zip=4000, score=1.5))
    with Path("config.toml").open("a") as file:
        file.write("[destination.bunce]\ncreate_attributes = true\n")
    requests = len(emulator.requests)
    if way == "no key":
        monkeypatch.delenv("DESTINATION__BUNCE__CREDENTIALS__API_KEY")
    elif way == "no answer":
        gone = Fault("error_before", on_request=1, until_request=99, call="listing", status=404)
        emulator.behavior = Behavior(rate_limit=0, faults=(gone,))
    else:
        emulator.behavior = Behavior(api_keys=("sk_test_another",))

    done = run("check", "customers.parquet", "--attribute", "score=Score", *SEGMENT, "--json")
    known = run("check", "customers.parquet", "--json").json

    assert done.code == 0, done.errors
    told = {t["column"]: (t["data_type"], t["state"]) for t in done.json["targets"]}
    assert told == {"score": ("numeric", "not_compared"), "vip": ("boolean", "not_compared")}
    # as the last load found it: a number would have made a numeric attribute
    assert {t["column"]: t["data_type"] for t in known["targets"]}["zip"] == "text"
    assert counted(known["summary"]) == {
        "attributes": {"read": 4, "written": 2, "unchanged": 2},
        "segments": {"read": 2, "written": 1, "unchanged": 1},
    }
    codes = [warning["code"] for warning in known["warnings"]]
    assert codes == ["targets_not_compared"] + (["no_api_key"] if way == "no key" else [])
    if way == "no key":
        assert len(emulator.requests) == requests
        assert "not asked" in run("check", "customers.parquet").output


def test_columns_that_feed_a_target_are_not_unmapped_and_all_may_be_taken(run: Run) -> None:
    write(rich(1))
    words = ("check", "customers.parquet", "--attribute", "*", "--segment", "vip=VIP", "--json")

    found = run(*words).json

    assert found["unmapped"] == []
    assert Counter(t["kind"] for t in found["targets"]) == {"attributes": 4, "segments": 1}
    assert json.dumps(found["targets"]).count('"missing"') == 4


def test_a_file_of_values_alone_is_told_as_such(run: Run, emulator: Emulator) -> None:
    write(rich(1, 2))
    run("load", "customers.parquet")
    facts = [{"user": n, "balance": n / 2} for n in (1, 2, 3)] + [{"user": None, "balance": 1.0}]
    write(facts, "facts.parquet")
    words = ("facts.parquet", "--values-only", "--map", "customer_id=user")
    words += ("--attribute", "balance=Balance")

    shown = run("check", *words)
    told = run("check", *words, "--json").json
    done = run("load", *words, "--json").json

    assert shown.code == 0, shown.errors
    assert "4 rows of values" in shown.output
    assert "Attributes and segments" in shown.output
    assert told["summary"]["value_rows"] == done["value_rows"]
    assert counted(told["summary"]) == counted(done)
    assert counted(done)["attributes"] == {"read": 4, "written": 2, "waiting": 1, "rejected": 1}
    assert told["cost"]["requests"] == done["requests"] == 3
    assert [w["code"] for w in told["warnings"]] == list(done["warnings"])
