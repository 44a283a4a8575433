"""A replay links nobody whom the load would not have linked: rejected rows are customers, too."""

from __future__ import annotations

from typing import Any

import pytest

from dlt_bunce import run_summary
from dlt_bunce.emulator import Emulator
from dlt_bunce.operations.replay import Replayed
from dlt_bunce.store import links
from dlt_bunce.store.database import Database
from dlt_bunce.store.letters.dead_letter_query import Selection

from .conftest import Form, MakePipeline, customer, replayed

pytestmark = pytest.mark.usefixtures("impatient")
OURS = "the customer in Bunce is another customer of the source"
SHARED = "another customer of the source has this email"


def theirs(number: int, **changes: Any) -> dict[str, Any]:
    """A customer as another channel made it."""
    return customer(number, customer_id=f"b{number}", first_name="Old") | changes


def linked(store: str) -> dict[str, str]:
    """The links, our id to Bunce's."""
    with Database(store) as db:
        return {row["customer_id"]: row["bunce_id"] for row in links.known(db, "default")}


def why(store: str) -> dict[str, str]:
    """Why customers were not linked, by id."""
    with Database(store) as db:
        rows = db.rows("SELECT customer_id, message FROM bunce_dead_letters WHERE status = 'open'")
    return {
        row["customer_id"]: row["message"].partition("not linked: ")[2]
        for row in rows
        if row["customer_id"] is not None
    }


def replay_links(emulator: Emulator, store: str, **options: Any) -> Replayed:
    """Replay the open letters with links allowed."""
    return replayed(emulator, settings={"store_url": store, "on_email_taken": "link"}, **options)


def test_a_replay_does_not_link_to_the_id_of_a_row_that_was_rejected(
    make: MakePipeline, emulator: Emulator, store: str, form: Form
) -> None:
    emulator.seed([theirs(5, customer_id="c6")])
    before = emulator.customers
    rows = [customer(5), customer(6, phone_no="none")]
    pipeline = make(store_url=store, on_email_taken="link")
    pipeline.run(form(rows), table_name="customers", write_disposition="merge")
    assert why(store)["c5"] == OURS

    outcome = replay_links(emulator, store, selection=Selection(codes=["email_taken"]))

    assert (outcome.summary.linked, linked(store)) == (0, {})
    assert why(store)["c5"] == OURS
    assert before == emulator.customers


@pytest.mark.parametrize("stage", ["here", "by Bunce"])
def test_a_replay_does_not_link_an_email_that_a_rejected_row_has_as_well(
    make: MakePipeline, emulator: Emulator, store: str, form: Form, stage: str
) -> None:
    emulator.seed([theirs(2), theirs(3)])
    before = emulator.customers
    pipeline = make(store_url=store, on_email_taken="reject")
    other = customer(22, email="C2@example.com")
    if stage == "here":
        other["phone_no"] = "none"
    pipeline.run(form([other]), table_name="customers", write_disposition="merge")
    pipeline.run(
        form([customer(2), customer(3)]), table_name="customers", write_disposition="merge"
    )

    # c3 is somebody whom no row makes doubtful; each page of one letter knows no other row
    outcome = replay_links(emulator, store, portion=1)

    assert linked(store) == {"c3": "b3"}
    assert (outcome.summary.linked, why(store)["c2"]) == (1, SHARED)
    assert before["b2"] == emulator.customers["b2"]


def test_a_row_whose_letter_was_discarded_is_still_a_customer_of_the_source(
    make: MakePipeline, emulator: Emulator, store: str
) -> None:
    emulator.seed([theirs(5, customer_id="c6")])
    pipeline = make(store_url=store, on_email_taken="link")
    pipeline.run([customer(6, phone_no="none")], table_name="customers", write_disposition="merge")
    with Database(store) as db:
        db.execute("UPDATE bunce_dead_letters SET status = 'discarded'")

    pipeline.run([customer(5)], table_name="customers", write_disposition="merge")

    assert (linked(store), why(store)) == ({}, {"c5": OURS})
    assert run_summary(pipeline).reject_codes == {"email_taken": 1}


def test_a_replay_keeps_to_the_disposition_of_the_run_that_rejected_the_row(
    make: MakePipeline, emulator: Emulator, store: str, form: Form
) -> None:
    emulator.seed([theirs(1), theirs(2)])
    before = emulator.customers
    for name, number, disposition in (("creates", 1, "append"), ("updates", 2, "merge")):
        pipeline = make(name, store_url=store, on_email_taken="reject")
        rows = form([customer(number)])
        pipeline.run(rows, table_name="customers", write_disposition=disposition)

    outcome = replay_links(emulator, store)

    assert (outcome.summary.adopted, outcome.summary.updated) == (1, 1)
    assert linked(store) == {"c1": "b1", "c2": "b2"}
    assert before["b1"] == emulator.customers["b1"]
    assert emulator.customers["b2"]["first_name"] == "Ada"
    assert why(store) == {}


def test_a_replay_links_what_was_rejected_before(
    make: MakePipeline, emulator: Emulator, store: str
) -> None:
    emulator.seed([theirs(1)])
    pipeline = make(store_url=store, on_email_taken="reject")
    rows = [customer(1)]
    pipeline.run(rows, table_name="customers", write_disposition="merge")
    pipeline.run(rows, table_name="customers", write_disposition="merge")
    held = run_summary(pipeline)

    outcome = replay_links(emulator, store)

    assert held.held == 1
    assert (outcome.summary.updated, outcome.summary.linked, why(store)) == (1, 1, {})
    assert emulator.customers["b1"]["first_name"] == "Ada"
