"""Corrected rows, and their values, give way to what Bunce has accepted since."""

from __future__ import annotations

import pytest

from dlt_bunce.emulator import Emulator

from .conftest import Run, people, write
from .spreadsheets import (
    counts,
    exported,
    loads,
    save,
    statuses,
)

VALUES = ("--attribute", "plan=Plan", "--segment", "vip=VIP")


def prepare(emulator: Emulator) -> None:
    emulator.attributes.add("Plan", "text")
    emulator.attributes.add_segment("VIP")


def overtaken(run: Run) -> dict[str, str]:
    """Export a bad row, and load a good one of its customer."""
    write([*people(1), *people(2, mobile="?", first_name="Old")])
    run("load", "customers.parquet")
    (row,) = exported(run)
    write(people(2, first_name="New"))
    run("load", "customers.parquet")
    return row


@pytest.mark.usefixtures("store")
def test_a_correction_never_overwrites_what_was_accepted_since(
    run: Run, emulator: Emulator
) -> None:
    row = overtaken(run)

    save([row | {"mobile": "'+2348100000002"}])
    dry = run("load", "rejected.csv", "--dry-run", "--json")
    done = run("load", "rejected.csv", "--json")
    told = run("load", "rejected.csv")
    kept = emulator.customers["2"]["first_name"]
    save([row | {"mobile": "'+2348100000002", "dead_letter_id": ""}])
    forced = run("load", "rejected.csv", "--json")

    assert counts(dry, "read", "superseded") == (1, 1)
    assert counts(done, "read", "superseded", "bulk_requests") == (1, 1, 0)
    assert "To send such a row anyway, clear its dead_letter_id cell." in " ".join(
        told.output.split()
    )
    assert kept == "New"
    assert counts(forced, "read", "updated") == (1, 1)
    assert emulator.customers["2"]["first_name"] == "Old"


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("name", ["Old", "New"])
def test_a_correction_never_overwrites_values_accepted_since(
    name: str, run: Run, emulator: Emulator
) -> None:
    prepare(emulator)
    write([*people(1, plan="-", vip=False), *people(2, mobile="?", plan="old", vip=True)])
    run("load", "customers.parquet", *VALUES)
    (row,) = exported(run)
    write(people(2, first_name="New", plan="new", vip=False))
    run("load", "customers.parquet", *VALUES)

    save([row | {"first_name": name, "mobile": "'+2348100000002"}])
    dry = loads(run, "--dry-run", "--json")
    done = loads(run, "--json")
    told = loads(run)

    # the row itself may be what Bunce has
    fate = "superseded" if name == "Old" else "unchanged"
    for found in (dry, done):
        assert counts(found, "read", fate) == (1, 1)
        assert (found.json["attributes"]["superseded"], found.json["attributes"]["read"]) == (1, 1)
        assert (found.json["segments"]["superseded"], found.json["segments"]["read"]) == (1, 1)
    assert emulator.attributes.values_of("2") == {"Plan": "new"}
    assert emulator.attributes.members_of("VIP") == set()
    assert "To send such a row anyway, clear its dead_letter_id cell." in " ".join(
        told.output.split()
    )


@pytest.mark.usefixtures("store")
def test_values_of_a_correction_are_its_own_also_when_it_is_loaded_again(
    run: Run, emulator: Emulator
) -> None:
    prepare(emulator)
    write([*people(1, plan="-", vip=False), *people(2, mobile="?", plan="old", vip=True)])
    run("load", "customers.parquet", *VALUES)
    (row,) = exported(run)

    save([row | {"mobile": "'+2348100000002", "plan": "new"}])
    done, again = (loads(run, "--json") for _ in range(2))

    for found, fate in ((done, "written"), (again, "unchanged")):
        assert found.json["attributes"][fate] == found.json["segments"][fate] == 1
    assert emulator.attributes.values_of("2") == {"Plan": "new"}


@pytest.mark.usefixtures("store")
def test_a_correction_whose_dead_letter_is_purged_overwrites_nothing(
    run: Run, emulator: Emulator
) -> None:
    write([*people(1), *people(2, mobile="?", first_name="Old"), *people(3, mobile="?")])
    run("load", "customers.parquet")
    rows = exported(run)
    corrected = [row | {"mobile": f"'+234810000000{row['id']}"} for row in rows]
    save(corrected[:1])
    run("load", "rejected.csv")
    write(people(2, first_name="New"))
    run("load", "customers.parquet")
    purged = run("dead-letters", "purge", "--status", "open", "--status", "resolved", "--yes")

    save(corrected)
    dry = run("load", "rejected.csv", "--dry-run", "--json")
    done = run("load", "rejected.csv", "--json")

    assert "Deleted 2 dead letters." in purged.output
    for found in (dry, done):
        # whom nobody has loaded yet is sent
        assert counts(found, "read", "superseded", "created") == (2, 1, 1)
    assert emulator.customers["2"]["first_name"] == "New"


def test_a_newer_version_than_bunce_has_is_sent_although_its_dead_letter_is_purged(
    run: Run, emulator: Emulator
) -> None:
    versioned = ("--version-column", "updated_at")
    write(people(1, 2, first_name="Old"))
    run("load", "customers.parquet", *versioned)
    write([*people(1, updated_at=11), *people(2, updated_at=11, mobile="?", first_name="New")])
    run("load", "customers.parquet", *versioned)
    (row,) = exported(run)
    run("dead-letters", "purge", "--status", "open", "--yes")

    save([row | {"mobile": "'+2348100000002"}])
    done = run("load", "rejected.csv", *versioned, "--json")

    assert counts(done, "read", "updated") == (1, 1)
    assert emulator.customers["2"]["first_name"] == "New"


@pytest.mark.usefixtures("store")
def test_rows_that_nobody_has_edited_open_no_letter_that_is_closed_by_now(
    run: Run, emulator: Emulator
) -> None:
    prepare(emulator)
    values = {"plan": "old", "vip": True}
    bad = people(2, 3, mobile="?", **values)
    write([*people(1, **values), *bad, *people(4, id=None, **values), *people(5, email="?")])
    run("load", "customers.parquet", *VALUES)
    rows = exported(run)
    # whose row is good by now, bad in another way, and has an id
    newer = people(2, 4, **values) + people(3, mobile="??", **values)
    write(newer)
    run("load", "customers.parquet", *VALUES)
    before = statuses(run)

    save(rows)
    dry = loads(run, "--dry-run", "--json")
    done = loads(run, "--json")

    for found in (dry, done):
        assert counts(found, "read", "superseded", "held") == (4, 3, 1)
        assert found.json["attributes"]["superseded"] == 3
        assert found.json["segments"]["superseded"] == 3
    assert before == {
        "2": ["resolved"],
        "3": ["open", "superseded"],
        None: ["resolved"],
        "5": ["open"],
    }
    assert statuses(run) == before


@pytest.mark.usefixtures("store")
def test_a_row_that_is_still_bad_gives_way_to_what_was_accepted_since(
    run: Run, emulator: Emulator
) -> None:
    row = overtaken(run)

    save([row | {"mobile": "??"}])
    dry = run("load", "rejected.csv", "--dry-run", "--json")
    done = run("load", "rejected.csv", "--json")

    assert counts(dry, "read", "superseded") == counts(done, "read", "superseded") == (1, 1)
    assert statuses(run) == {"2": ["resolved"]}


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("mobile", ["'+2348100000002", "?"])
def test_rows_that_give_way_to_newer_ones_are_no_sign_of_versions_that_started_over(
    mobile: str, run: Run, emulator: Emulator
) -> None:
    row = overtaken(run)

    save([row | {"mobile": mobile}])
    dry = run("load", "rejected.csv", "--dry-run", "--json")
    done = run("load", "rejected.csv", "--json")

    assert counts(dry, "superseded") == counts(done, "superseded") == (1,)
    assert dry.json["warnings"] == done.json["warnings"] == {}
