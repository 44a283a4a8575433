"""A bad row is a dead letter; the others arrive."""

from __future__ import annotations

import dlt
import duckdb
import pytest

from dlt_bunce import bunce_adapter, run_summary
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.errors import (
    RejectThresholdError,
    UsageError,
)

from .conftest import STORE, MakePipeline, customer, letters, replayed


def test_a_bad_row_is_a_dead_letter_and_the_others_arrive(
    make: MakePipeline, emulator: Emulator
) -> None:
    rows = [customer(n) for n in range(10)]
    rows[3]["email"] = "bad@@example.com"
    rows[7]["email"] = "c2@example.com"
    pipeline = make()

    pipeline.run(rows, table_name="customers")
    summary = run_summary(pipeline)

    assert (summary.read, summary.created, summary.rejected) == (10, 8, 2)
    assert summary.reject_codes == {"email_taken": 1, "invalid_email": 1}
    assert letters() == [("c3", "invalid_email", "open"), ("c7", "email_taken", "open")]
    assert {f"c{n}" for n in range(10)} - {"c3", "c7"} == set(emulator.customers)
    with pytest.raises(RejectThresholdError, match="2 of 10 rows"):
        summary.raise_if_rejected(share=0.1)
    summary.raise_if_rejected(share=0.2)
    with pytest.raises(UsageError, match="share is 10, but must be a fraction"):
        summary.raise_if_rejected(share=10)


def test_the_error_of_a_script_names_the_account_that_its_run_was_of(make: MakePipeline) -> None:
    pipeline = make(account="shop")
    pipeline.run([customer(1, email="bad@@example.com")], table_name="customers")

    with pytest.raises(RejectThresholdError, match=r"list --account shop$"):
        run_summary(pipeline).raise_if_rejected()


def test_a_rejected_row_is_held_until_it_changes_and_then_its_letter_is_resolved(
    make: MakePipeline, emulator: Emulator
) -> None:
    rows = [customer(n) for n in range(4)]
    rows[1]["phone_no"] = "letters"
    rows[2]["email"] = "c0@example.com"
    pipeline = make()
    pipeline.run(rows, table_name="customers")

    pipeline.run(rows, table_name="customers")
    held = run_summary(pipeline)
    rows[1]["phone_no"] = "+2348111111111"
    rows[2]["email"] = "new@example.com"
    pipeline.run(rows, table_name="customers")
    corrected = run_summary(pipeline)

    assert (held.unchanged, held.held, held.bulk_requests) == (2, 2, 0)
    assert (corrected.unchanged, corrected.created) == (2, 2)
    assert letters() == [("c1", "invalid_phone_no", "resolved"), ("c2", "email_taken", "resolved")]
    assert emulator.customers["c2"]["email"] == "new@example.com"


def test_a_row_that_changes_from_bad_to_bad_keeps_one_open_letter(make: MakePipeline) -> None:
    pipeline = make()
    for phone in ("letters", "123"):
        pipeline.run([customer(1), customer(2, phone_no=phone)], table_name="customers")

    assert sorted(status for (status,) in letters("status")) == ["open", "superseded"]


def test_dead_letters_load_into_a_warehouse(make: MakePipeline) -> None:
    from dlt_bunce import dead_letters

    make().run([customer(1), customer(2, email="bad")], table_name="customers")
    warehouse = dlt.pipeline(
        "letters", destination=dlt.destinations.duckdb("w.duckdb"), dataset_name="bunce"
    )

    warehouse.run(dead_letters(store_url=STORE))

    with duckdb.connect("w.duckdb") as db:
        rows = db.sql("SELECT customer_id, code FROM bunce.dead_letters").fetchall()
    assert rows == [("c2", "invalid_email")]


def test_a_later_part_of_a_file_may_name_no_letter_at_all(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.behavior = Behavior(rate_limit=0)
    rows = [customer(0, dead_letter_id="nobody"), *(customer(n) for n in range(1, 20_002))]
    pipeline = make()

    pipeline.run(rows, table_name="customers", loader_file_format="jsonl")

    assert run_summary(pipeline).created == 20_002


@pytest.mark.parametrize("late", [{"first_name": "Old"}, {"phone_no": "none"}], ids=["good", "bad"])
def test_a_late_row_closes_no_letter_of_a_newer_row(
    make: MakePipeline, emulator: Emulator, late: dict[str, str]
) -> None:
    pipeline, newest = make(), customer(1, changed=5, phone_no="08012345678")
    for row in (newest, customer(1, changed=4) | late):
        pipeline.run(bunce_adapter([row], version="changed"), table_name="customers")
    kept = letters("code, version, status")

    replayed(emulator, settings={"default_region": "NG"})
    pipeline.run(bunce_adapter([customer(1, changed=4) | late], version="changed"))

    assert ("invalid_phone_no", 5, "open") in kept
    assert sum(status == "open" for *_, status in kept) == 1
    assert emulator.customers["c1"]["phone_no"] == "+2348012345678"
    assert emulator.customers["c1"]["first_name"] == "Ada"


def test_a_late_bad_row_is_superseded_if_its_id_and_version_can_be_read(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline, bad = make(), {"phone_no": "letters"}
    good = [customer(n, changed="5") for n in range(1, 5)]
    pipeline.run(bunce_adapter(good, version="changed"), table_name="customers")
    late = [
        customer(1, changed="4", **bad),
        customer(2, changed="soon", **bad),
        customer(3, changed="2026-01-05", **bad),
        customer(4, changed="4", **bad) | {"customer_id": ""},
        *(customer(n, changed="6") for n in range(5, 9)),
    ]
    dry = make(dry_run=True)
    dry.run(bunce_adapter(late, version="changed"), table_name="customers")
    pipeline.run(bunce_adapter(late, version="changed"), table_name="customers")

    for summary in (run_summary(dry), run_summary(pipeline)):
        assert (summary.superseded, summary.rejected, summary.created) == (1, 3, 4)
    assert sorted(letters("code")) == [
        ("invalid_phone_no",),
        ("invalid_phone_no",),
        ("missing_customer_id",),
    ]
