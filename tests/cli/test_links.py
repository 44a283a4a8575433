"""`--on-email-taken link` and `dlt-bunce links`: seen, undone, and erased from the command line."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.store.database import Database

from .conftest import Run, people, seed_strangers, write


def load(run: Run, *words: str) -> dict[str, Any]:
    """Load the file with links allowed."""
    done = run("load", "customers.parquet", "--on-email-taken", "link", "--json", *words)
    assert done.code == 0, done.errors
    found: dict[str, Any] = done.json
    return found


@pytest.fixture
def ids(run: Run, emulator: Emulator) -> list[str]:
    """The ids of six customers of a file, of whom the first four are linked."""
    rows = people(*range(6))
    write(rows)
    seed_strangers(emulator, 0, 1, 2, 3)
    first = load(run)
    assert (first["linked"], first["updated"], first["created"]) == (4, 4, 2)
    return [str(row["id"]) for row in rows]


def test_links_are_shown_and_a_removed_one_does_not_come_back(
    run: Run, emulator: Emulator, ids: list[str]
) -> None:
    shown = run("links", "list", "--json").json
    status = run("status")
    # as it was copied, with invisible marks
    removed = run("links", "remove", f"\u202a{ids[0]}\u202c", "made-1")
    again = load(run)
    with Database("sqlite:///bunce.sqlite") as db:
        letters = db.rows("SELECT customer_id, message FROM bunce_dead_letters")
    there = dict(emulator.customers)

    assert {(link["customer_id"], link["bunce_id"]) for link in shown} == {
        (ids[n], f"made-{n}") for n in range(4)
    }
    assert "4 linked" in status.output
    assert removed.output == "Account default: removed 2 links.\n"
    # Bunce's customers keep what was sent, and ours are told to have another's email
    assert (again["rejected"], again["unchanged"], again["linked"]) == (2, 4, 0)
    assert {letter["customer_id"] for letter in letters} == set(ids[:2])
    assert all("not linked: the link was removed" in letter["message"] for letter in letters)
    assert there.keys() == {*(f"made-{n}" for n in range(4)), *ids[4:]}
    listed = run("links", "list", "--ended", "--json").json
    assert [link["status"] for link in listed].count("removed") == 2

    allowed = run("links", "remove", ids[0], "--allow-again")
    replay = run("dead-letters", "replay", "--all", "--on-email-taken", "link", "--json")
    unknown = run("links", "remove", "nobody", "--json")

    assert allowed.code == 0
    # the customer is the same in Bunce by now
    assert (replay.json["adopted"], replay.json["rejected"]) == (1, 1)
    assert (unknown.code, "No link of nobody" in unknown.errors) == (2, True)
    assert (unknown.json["state"], unknown.json["unknown"]) == ("failed", ["nobody"])


@pytest.mark.parametrize("name", ["ours", "theirs"])
def test_erase_finds_a_linked_person_by_either_id(
    run: Run, emulator: Emulator, ids: list[str], name: str
) -> None:
    given = ids[0] if name == "ours" else "made-0"

    erased = run("erase", given, "--yes")
    left = run("links", "list", "--ended", "--json").json
    counted = run("status", "--json").json["ledger"]

    assert "1 customer in the ledger" in erased.output
    assert "Their ids in Bunce: made-0" in erased.output
    assert "Nothing found" not in erased.output
    assert "made-0" not in {link["bunce_id"] for link in left}
    assert (counted["customers"], counted["linked"]) == (5, 3)


def test_links_stay_through_adopt_and_a_new_key(
    run: Run, emulator: Emulator, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    adopted = run("adopt", "--json").json
    monkeypatch.setenv("DESTINATION__BUNCE__CREDENTIALS__API_KEY", "sk_test_other")
    rotated = run("account", "rotate")
    again = load(run)

    assert (adopted["adopted"], adopted["known"]) == (0, 6)
    assert rotated.code == 0
    assert (again["unchanged"], again["bulk_requests"]) == (6, 0)
    assert len(run("links", "list", "--json").json) == 4


def test_two_processes_that_find_the_same_customers_link_each_to_one_of_theirs(
    program: Run, emulator: Emulator, store: str
) -> None:
    """Each knows its own file only; the store is asked last, by one at a time."""
    emulator.behavior = Behavior(rate_limit=0, latency_ms=20)
    seed_strangers(emulator, *range(20))
    for side in ("left", "right"):
        rows = [row | {"id": f"{side}-{row['id']}"} for row in people(*range(20), last_name=side)]
        write(rows, f"{side}.parquet")

    def load(side: str) -> Any:
        done = program("load", f"{side}.parquet", "--on-email-taken", "link", "--json")
        assert done.code == 0, done.errors
        return done.json

    with ThreadPoolExecutor(2) as pool:
        left, right = pool.map(load, ("left", "right"))

    linked = {
        link["customer_id"]: link["bunce_id"] for link in program("links", "list", "--json").json
    }
    there = emulator.customers
    assert (left["linked"] + right["linked"], left["rejected"] + right["rejected"]) == (20, 20)
    assert there.keys() == set(linked.values()) == {f"made-{n}" for n in range(20)}
    for customer_id, bunce_id in linked.items():
        assert there[bunce_id]["last_name"] == customer_id.partition("-")[0]
