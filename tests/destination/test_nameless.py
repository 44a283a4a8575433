"""Rows without an id: each is a letter of its own, and is closed when its customer arrives."""

from __future__ import annotations

import json

import pytest

from dlt_bunce.emulator import Emulator
from dlt_bunce.store.database import Database
from dlt_bunce.store.letters import dead_letters
from dlt_bunce.store.letters.selection import Selection

from .conftest import STORE, MakePipeline, customer, letters
from .test_mappings import KINDS, load


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_differ_in_any_column_are_letters_of_their_own(
    make: MakePipeline, emulator: Emulator, kind: str
) -> None:
    rows = [customer(1, customer_id=None, note=f"note {n}") for n in range(5)]
    if kind == "arrow":
        rows.append(customer(7, note="good"))
    else:
        rows.insert(0, customer(7, note="good"))

    done = load(make(), "flush_and_run", kind, rows)
    again = load(make(), "flush_and_run", kind, rows)

    assert (done.rejected, done.reject_codes) == (5, {"missing_customer_id": 5})
    assert (again.rejected, again.held) == (0, 5)
    notes = {json.loads(text)["note"] for (text,) in letters("source_row")}
    assert {f"note {n}" for n in range(5)} == notes


@pytest.mark.parametrize("bad", [None, "#N/A"])
def test_a_letter_without_an_id_is_closed_when_its_email_arrives(
    make: MakePipeline, emulator: Emulator, bad: str | None
) -> None:
    rows = [customer(n, customer_id=bad) for n in (1, 2)]
    load(make(), "flush_and_run", "arrow", [*rows, customer(3)])

    done = load(make(), "flush_and_run", "arrow", [customer(1, email="C1@example.com"), rows[1]])

    assert done.created == 1
    emails = {json.loads(text)["email"]: status for text, status in letters("source_row, status")}
    assert emails == {"c1@example.com": "resolved", "c2@example.com": "open"}


def test_a_discarded_letter_without_an_id_stays_so_whatever_arrives_with_its_email(
    make: MakePipeline, emulator: Emulator
) -> None:
    # such as a table that has a person twice, once without an id
    nameless = customer(1, customer_id=None, first_name="Old")
    load(make(), "flush_and_run", "arrow", [nameless, customer(2)])
    with Database(STORE) as db:
        dead_letters.discard(db, "default", Selection())

    runs = [
        load(make(), "flush_and_run", "arrow", [nameless, customer(1, first_name=name)])
        for name in ("Ada", "Zoë")
    ]

    assert [(run.created, run.updated, run.held) for run in runs] == [(1, 0, 1), (0, 1, 1)]
    assert letters() == [(None, "missing_customer_id", "discarded")]
