"""Only columns that a load brings count: one that is gone at the source is nobody's id."""

from __future__ import annotations

from typing import Any

import dlt
import pyarrow as pa
import pytest

from dlt_bunce import bunce_adapter, flush_and_run, run_summary
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import MappingError, bunce_error

from .conftest import MakePipeline, customer, letters

KINDS = ["dicts", "arrow"]
WAYS = ["flush_and_run", "flush_and_run adapted", "run", "run adapted"]


def load(pipeline: dlt.Pipeline, how: str, kind: str, *rows: dict[str, Any], **hints: Any) -> Any:
    """Load the rows through one of the doors; return the summary."""
    data: Any = list(rows) if kind == "dicts" else pa.Table.from_pylist(list(rows))
    resource = dlt.resource(data, name="customers", write_disposition="merge")
    if hints or how.endswith("adapted"):
        resource = bunce_adapter(resource, **hints)
    if how.startswith("flush_and_run"):
        return flush_and_run(pipeline, resource)
    pipeline.run(resource)
    return run_summary(pipeline)


def refused(pipeline: dlt.Pipeline, how: str, kind: str, *rows: Any, **hints: Any) -> MappingError:
    """The error of a load that must fail, and leave nothing behind for the next run."""
    with pytest.raises(Exception) as caught:  # noqa: PT011, dlt's own around ours in a run()
        load(pipeline, how, kind, *rows, **hints)
    error = bunce_error(caught.value)
    assert isinstance(error, MappingError), error
    return error


def row(number: int, **changes: Any) -> dict[str, Any]:
    """A customer whose id is in the column `id`, or in another one; None leaves a column out."""
    found = {"id": f"c{number}"} | customer(number) | {"customer_id": None} | changes
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", WAYS)
def test_rows_that_lost_their_id_are_refused_and_not_rejected_one_by_one(
    make: MakePipeline, emulator: Emulator, how: str, kind: str
) -> None:
    load(make(), how, kind, row(1))

    error = refused(make(), how, kind, row(2, id=None, crm_number=7))

    assert "'id'" in str(error) or "customer_id" in str(error)
    assert "--map customer_id=crm_number" in error.remedy
    assert letters() == []
    assert load(make(), how, kind, row(2), row(3)).created == 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", WAYS)
def test_a_renamed_id_is_a_decision_and_the_remedy_works(
    make: MakePipeline, emulator: Emulator, how: str, kind: str
) -> None:
    load(make(), how, kind, row(1))
    renamed = row(1, id=None, customer_id="c1")

    error = refused(make(), how, kind, renamed)
    summary = load(make(), how, kind, renamed, customer_id="customer_id")

    assert "earlier runs used 'id', which no row has now" in str(error)
    assert "--map customer_id=customer_id" in error.remedy
    assert "customer_id=id" not in error.remedy
    assert (summary.read, summary.unchanged) == (1, 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize(
    ("field", "old", "new"), [("customer_id", "id", "user_id"), ("phone_no", "mobile", "telephone")]
)
def test_a_column_that_is_gone_is_no_second_candidate(
    make: MakePipeline, emulator: Emulator, how: str, kind: str, field: str, old: str, new: str
) -> None:
    value = customer(1)["phone_no"] if field == "phone_no" else "c1"
    without = {"id": None} if field == "customer_id" else {"phone_no": None}
    load(make(), how, kind, row(1, **without | {old: value}))
    renamed = row(1, **without | {new: value})

    error = refused(make(), how, kind, renamed)
    summary = load(make(), how, kind, renamed, **{field: new})

    assert f"--map {field}={new}" in error.remedy
    assert f"--map {field}={old}" not in error.remedy
    assert (summary.read, summary.unchanged) == (1, 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", WAYS)
def test_another_field_whose_column_is_gone_is_null(
    make: MakePipeline, emulator: Emulator, how: str, kind: str
) -> None:
    load(make(), how, kind, row(1))

    summary = load(make(), how, kind, row(2), row(3)) if kind == "arrow" else None
    no_phone = load(make(), how, kind, row(4, phone_no=None))

    assert summary is None or summary.created == 2
    assert (no_phone.read, no_phone.rejected) == (1, 1)
    assert letters("customer_id, code") == [("c4", "missing_phone_no")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", WAYS)
def test_an_optional_column_without_data_today_is_null_and_one_that_never_was_is_refused(
    make: MakePipeline, emulator: Emulator, how: str, kind: str
) -> None:
    devices = [{"device_type": "ios", "device_token": "t"}]
    first = load(make(), how, kind, row(1, devs=devices, at=1), devices="devs", version="at")

    again = load(make(), how, kind, row(1), row(2), devices="devs", version="at")
    error = refused(make(), how, kind, row(3), devices="devices_", version="at")
    gone = refused(make(), how, kind, row(3, id=None), customer_id="id", devices="devs")

    assert first.created == 1
    assert (again.read, again.created) == (2, 1)
    assert "'devices_', which does not exist" in str(error)
    assert "'id', which does not exist" in str(gone)
    assert load(make(), how, kind, row(3), version="at").created == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", WAYS)
def test_two_resources_of_one_table_bring_the_columns_of_both(
    make: MakePipeline, emulator: Emulator, how: str, kind: str
) -> None:
    load(make(), how, kind, row(1))

    @dlt.source(name="both")
    def both() -> Any:
        for number, rows in enumerate([[row(2, phone_no=None)], [row(3)], [row(4, phone_no=None)]]):
            data: Any = rows if kind == "dicts" else pa.Table.from_pylist(rows)
            resource = dlt.resource(
                data, name=f"r{number}", table_name="customers", write_disposition="merge"
            )
            yield bunce_adapter(resource) if how.endswith("adapted") else resource

    pipeline = make()
    if how.startswith("run"):
        pipeline.run(both())
    else:
        flush_and_run(pipeline, both())

    assert set(emulator.customers) == {"c1", "c3"}
    assert letters() == [(name, "missing_phone_no", "open") for name in ("c2", "c4")]
