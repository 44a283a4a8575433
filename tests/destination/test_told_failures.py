"""What is told of a run that has failed: in its summary, and in dlt's log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import dlt
import pyarrow as pa
import pytest

from dlt_bunce import bunce, bunce_adapter, flush_and_run, run_summary
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.errors import ConfigurationError, CredentialsError
from dlt_bunce.failures import failure_of

ROW = {
    "id": 7,
    "email": "ada@example.com",
    "first_name": "Ada",
    "last_name": "Obi",
    "phone": "+2348031234567",
}


@dlt.resource(name="customers")
def failing() -> Iterator[dict[str, Any]]:
    yield ROW
    raise LookupError("the source is away")


def into_bunce(emulator: Emulator, **settings: Any) -> dlt.Pipeline:
    destination = bunce("sk_test_key", base_url=emulator.base_url, **settings)
    return dlt.pipeline("crm", destination=destination)


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("run", [dlt.Pipeline.run, flush_and_run])
def test_after_a_source_that_fails_the_summary_says_failed_and_why(
    emulator: Emulator, run: Any, dry_run: bool
) -> None:
    pipeline = into_bunce(emulator, dry_run=dry_run)
    run(pipeline, [ROW], table_name="customers")

    with pytest.raises(Exception, match="the source is away"):
        run(pipeline, failing)

    summary = run_summary(pipeline)
    assert (summary.state, summary.read) == ("failed", 0)
    assert summary.error is not None
    assert "LookupError" in summary.error

    run(pipeline, [ROW], table_name="customers")
    assert run_summary(pipeline).state == ("dry_run" if dry_run else "completed")


class AirflowTaskTimeout(BaseException):
    """Airflow raises one of this name in a task that exceeds its `execution_timeout`."""


@pytest.mark.parametrize("form", [list, pa.Table.from_pylist])
@pytest.mark.parametrize("run", [dlt.Pipeline.run, flush_and_run])
def test_a_timeout_of_airflow_s_is_told_with_the_setting(
    emulator: Emulator, run: Any, form: Any
) -> None:
    @dlt.resource(name="customers")
    def slow() -> Iterator[Any]:
        yield form([ROW])
        raise AirflowTaskTimeout("Timeout, PID: 7")

    pipeline = into_bunce(emulator)

    with pytest.raises(AirflowTaskTimeout):
        run(pipeline, slow)

    summary = run_summary(pipeline)
    assert summary.state == "failed"
    assert (summary.error or "").startswith("The run was stopped by the timeout of its task")
    assert "Raise execution_timeout" in (summary.error or "")


HINTS: dict[str, tuple[dict[str, Any], str]] = {
    "a cursor of another type": (
        {"incremental": dlt.sources.incremental("at", initial_value="2026-01-01")},
        "The cursor 'at' of 'customers' has values of a type that cannot be compared",
    ),
    "a cursor that is null": (
        {"incremental": dlt.sources.incremental("seen")},
        "A row of 'customers' has no value in 'seen', its cursor. Choose what becomes of such",
    ),
    "a cursor that no row has": (
        {"incremental": dlt.sources.incremental("nowhere")},
        "A row of 'customers' has no column 'nowhere', its cursor. Correct the name",
    ),
    "a key that no row has": (
        {"incremental": dlt.sources.incremental("at"), "primary_key": "nowhere"},
        "A row of 'customers' has no column 'nowhere', its primary key.",
    ),
    "a strategy of tables in databases": (
        {"write_disposition": {"disposition": "merge", "strategy": "scd2"}},
        "'scd2' merge strategy not supported for table 'customers'. Use \"merge\"",
    ),
}


@pytest.mark.parametrize("form", [list, pa.Table.from_pylist])
@pytest.mark.parametrize("wrong", HINTS)
def test_a_hint_that_the_rows_or_bunce_do_not_allow_is_told_with_a_remedy(
    emulator: Emulator, wrong: str, form: Any
) -> None:
    hints, told = HINTS[wrong]
    pipeline = into_bunce(emulator)
    rows = form([ROW | {"at": datetime(2026, 1, 1, tzinfo=timezone.utc), "seen": None}])
    resource = dlt.resource(rows, name="customers")
    resource.apply_hints(**hints)

    with pytest.raises(ConfigurationError) as raised:
        flush_and_run(pipeline, bunce_adapter(resource, customer_id="id"))

    assert str(raised.value).startswith(told)
    assert (run_summary(pipeline).error or "").startswith(told)


UNTOLD: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a format of no loader": (
        {},
        {"loader_file_format": "csv", "table_name": "customers"},
        "loader_file_format is 'csv', which Bunce's rows are not loaded from. Leave it out, or use",
    ),
    "no table": (
        {},
        {},
        "The rows are of no resource and no table. Name the table that they go to: table_name=",
    ),
    "a whole number of any size": (
        {"points": 2**70},
        {"table_name": "customers"},
        "A row has a whole number of more than 64 bits, which dlt cannot write. Write it as text",
    ),
    "a type that is not JSON": (
        {"points": [timedelta(1)]},
        {"table_name": "customers"},
        "A row has a value of type datetime.timedelta, which dlt cannot write. Pass the rows as",
    ),
    "null in a column that is declared not to be": (
        {},
        {"table_name": "customers", "columns": {"x": {"data_type": "text", "nullable": False}}},
        "Column 'x' is declared not to be null, and rows have none. Fill it in at the source",
    ),
}


@pytest.mark.parametrize("wrong", UNTOLD)
def test_what_dlt_cannot_write_or_place_is_told_with_a_remedy(
    emulator: Emulator, wrong: str
) -> None:
    more, options, told = UNTOLD[wrong]
    rows = [ROW, ROW | {"id": 8, "x": "a"} | more]

    with pytest.raises(Exception) as raised:  # noqa: PT011, dlt's own
        flush_and_run(into_bunce(emulator), rows, **options)

    failure = failure_of(raised.value)
    assert f"{failure.error} {failure.remedy}".startswith(told)


def test_rows_left_over_are_counted_once_by_the_run_that_loads_them_and_then_fails(
    emulator: Emulator,
) -> None:
    refused = Fault("error_after", probability=1.0, call="create", status=401)
    emulator.behavior = Behavior(rate_limit=0, faults=(refused,))
    with pytest.raises(CredentialsError):
        flush_and_run(into_bunce(emulator), [ROW], table_name="customers")
    emulator.behavior = Behavior(rate_limit=0)
    pipeline = into_bunce(emulator)

    with pytest.raises(Exception, match="the source is away"):
        flush_and_run(pipeline, failing)

    summary = run_summary(pipeline)
    assert (summary.state, summary.read, sum(summary.fates.values())) == ("failed", 1, 1)


def test_after_an_outage_the_summary_has_why_it_failed(emulator: Emulator) -> None:
    pipeline = into_bunce(emulator)
    emulator.behavior = Behavior(
        rate_limit=0, faults=(Fault("error_before", probability=1.0, call="any", status=503),)
    )

    with pytest.raises(Exception, match="503"):
        pipeline.run([ROW], table_name="customers")

    summary = run_summary(pipeline)
    assert summary.state == "failed"
    assert summary.error is not None
    assert "503" in summary.error


def test_the_tries_that_dlt_repeats_fill_no_log(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = into_bunce(emulator)
    emulator.behavior = Behavior(
        rate_limit=0,
        faults=(Fault("error_before", probability=1.0, call="create", status=401),),
    )
    logger = logging.getLogger("dlt")
    logger.addHandler(caplog.handler)
    caplog.set_level(logging.WARNING, "dlt")
    try:
        with pytest.raises(Exception, match="401"):
            pipeline.run([ROW], table_name="customers")
    finally:
        logger.removeHandler(caplog.handler)

    tries = [len((r.exc_text or "").splitlines()) for r in caplog.records if r.exc_text]
    assert len(tries) == 5
    assert max(tries[1:]) < 12
