"""A workspace that has everybody under ids of its own: linked once, and kept to by all else."""

from __future__ import annotations

from typing import Any

import pytest

from dlt_bunce.emulator import Emulator

from .conftest import Run, people, seed_strangers, write

N = 1_000
LOAD = ("load", "customers.parquet", "--on-email-taken", "link", "--attribute", "plan=Plan")


def rows(*numbers: int, **changes: Any) -> list[dict[str, Any]]:
    """Rows of the file with a plan of their own."""
    return [row | {"plan": f"plan of {row['id']}"} | changes for row in people(*numbers)]


def load(run: Run, *words: str) -> dict[str, Any]:
    """Load the file; the figures of the run."""
    done = run(*LOAD, "--pipeline-name", "crm", "--json", *words)
    assert done.code == 0, done.errors
    found: dict[str, Any] = done.json
    return found


@pytest.fixture
def linked(run: Run, emulator: Emulator) -> dict[str, Any]:
    """The figures of a first load, whose customers Bunce has under ids of its own."""
    emulator.attributes.add("Plan", "text")
    seed_strangers(emulator, *range(N))
    write(rows(*range(N)))
    return load(run)


def test_they_are_linked_updated_and_given_their_values_and_then_nothing_is_sent(
    run: Run, emulator: Emulator, linked: dict[str, Any]
) -> None:
    again = load(run)

    assert (linked["linked"], linked["updated"], linked["created"]) == (N, N, 0)
    assert linked["attributes"]["written"] == N
    assert emulator.customers.keys() == {f"made-{n}" for n in range(N)}
    assert {c["first_name"] for c in emulator.customers.values()} == {"Zoë"}
    plans = {n: emulator.attributes.values_of(f"made-{n}")["Plan"] for n in range(N)}
    assert plans == {n: row["plan"] for n, row in enumerate(rows(*range(N)))}
    assert (again["unchanged"], again["attributes"]["unchanged"]) == (N, N)
    assert (again["bulk_requests"], again["attributes"]["written"]) == (0, 0)


def test_links_survive_a_move_of_the_store(
    run: Run, emulator: Emulator, linked: dict[str, Any], postgres_store: str
) -> None:
    moved = run("store", "move", postgres_store, "--yes", "--json")
    there = ("--store-url", postgres_store)
    write(rows(*range(N - 1)) + rows(N - 1, first_name="Eve", plan="iron"))
    changed = load(run, *there)

    assert moved.json["rows"]["bunce_links"] == N
    assert (changed["updated"], changed["unchanged"], changed["linked"]) == (1, N - 1, 0)
    assert emulator.customers.keys() == {f"made-{n}" for n in range(N)}
    assert emulator.customers[f"made-{N - 1}"]["first_name"] == "Eve"
    assert emulator.attributes.values_of(f"made-{N - 1}")["Plan"] == "iron"
    assert len(run("links", "list", "--json", *there).json) == N


def test_a_replay_sends_the_row_of_a_linked_customer_to_bunces_id(
    run: Run, emulator: Emulator, linked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = rows(7, mobile="0803 123 4567", first_name="Eve", plan="iron")
    write(rows(*range(7)) + bad + rows(*range(8, N)))
    rejected = load(run)

    monkeypatch.setenv("DESTINATION__BUNCE__DEFAULT_REGION", "NG")
    done = run("dead-letters", "replay", "--all", "--json")

    assert (rejected["rejected"], rejected["unchanged"]) == (1, N - 1)
    assert done.code == 0, done.errors
    assert (done.json["updated"], done.json["linked"]) == (1, 0)
    assert emulator.customers.keys() == {f"made-{n}" for n in range(N)}
    there = emulator.customers["made-7"]
    assert (there["first_name"], there["phone_no"]) == ("Eve", "+2348031234567")
    assert emulator.attributes.values_of("made-7")["Plan"] == "iron"
