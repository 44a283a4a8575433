"""What was loaded since a moment: the rows of a try that failed count with the next try alone."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timezone

from dlt_bunce import RunSummary
from dlt_bunce.destination.access import client_of
from dlt_bunce.destination.runs.run_summary import summary_since
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.errors import AccountRefusedError

from .conftest import MakePipeline
from .test_thresholds import load, some_bad


def test_rows_that_a_later_run_has_read_again_count_once(
    make: MakePipeline, emulator: Emulator
) -> None:
    began = datetime.now(timezone.utc)

    def run(good: int, bad: int, table: str = "customers", *, room: int = 0) -> None:
        emulator.behavior = Behavior(rate_limit=0, max_customers=room)
        pipeline = make(customers_table=table)
        with suppress(AccountRefusedError):
            load(pipeline, some_bad(good, bad), table)
        # as dlt's task group for Airflow does before each try
        pipeline.drop()

    def counted() -> RunSummary:
        return summary_since(client_of(make()), "crm", began)

    run(300, 2, room=100)
    failed = counted()
    run(300, 2)
    retried = counted()
    run(400, 0, room=301)
    failed_since = counted()
    run(10, 0)
    of_fewer_rows = counted()
    run(400, 0, "people")
    of_another_table = counted()

    assert (failed.state, failed.read, failed.rejected) == ("failed", 302, 2)
    assert failed.deferred == 302 - failed.created - failed.rejected
    assert (retried.read, retried.rejected + retried.held, retried.deferred) == (302, 2, 0)
    assert (failed_since.state, failed_since.read) == ("failed", 702)
    assert (of_fewer_rows.read, of_another_table.read) == (712, 1112)
