"""A naming convention that a project has for its other destinations renames columns; rows arrive
all the same, and by the same rules.
"""

from __future__ import annotations

from typing import Any

import dlt
import pytest

from dlt_bunce import bunce_adapter, flush_and_run, run_summary
from dlt_bunce.emulator import Emulator
from dlt_bunce.model import RunSummary

from .conftest import Form, MakePipeline, refused

pytestmark = pytest.mark.parametrize("naming", ["snake_case", "sql_ci_v1", "duck_case"])


@pytest.fixture(autouse=True)
def _naming(naming: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEMA__NAMING", naming)


def person(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "User Id": f"00{number}",
        "E-Mail": f"c{number}@example.com",
        "firstName": "Ada",
        "lastName": "Obi",
        "Mobile Phone": f"+23481{number:08d}",
        "updatedAt": "2026-11-01T09:00:00Z",
        "Plan": 5,
    } | changes


def test_columns_found_by_name_are_there_though_dlt_renames_them(
    make: MakePipeline, emulator: Emulator, form: Form
) -> None:
    pipeline = make()
    for numbers in ([1], [1, 2]):
        rows = form([person(number) for number in numbers])
        pipeline.run(rows, table_name="customers", write_disposition="merge")

    summary = run_summary(pipeline)
    assert (summary.created, summary.unchanged) == (1, 1)
    assert emulator.customers.keys() == {"001", "002"}


@pytest.mark.parametrize("how", ["flush_and_run", "run"])
def test_a_version_under_its_name_in_the_source_keeps_older_rows_from_newer_ones(
    make: MakePipeline, emulator: Emulator, form: Form, how: str
) -> None:
    def load(pipeline: dlt.Pipeline, row: dict[str, Any]) -> RunSummary:
        data = bunce_adapter(form([row]), customer_id="User Id", version="updatedAt")
        if how == "flush_and_run":
            return flush_and_run(pipeline, data)
        pipeline.run(data)
        return run_summary(pipeline)

    newer = load(make(), person(1, firstName="Grace", updatedAt="2026-11-02T09:00:00Z"))
    older = load(make(), person(1))

    assert (newer.created, older.superseded) == (1, 1)
    assert emulator.customers["001"]["first_name"] == "Grace"


def test_attribute_values_of_rows_keep_their_type(make: MakePipeline, emulator: Emulator) -> None:
    columns = {"customer_id": "User Id", "phone_no": "Mobile Phone", "version": "updatedAt"}
    data = bunce_adapter([person(1)], attributes="*", **columns)  # type: ignore[arg-type]

    summary = flush_and_run(make(create_attributes=True), data)

    assert summary.created == 1
    assert [a["data_type"] for a in emulator.attributes.attributes] == ["numeric"]


@pytest.mark.parametrize("how", ["flush_and_run", "run"])
@pytest.mark.parametrize("column", ["planName", "plan_name"])
def test_values_are_kept_as_written_under_the_name_of_the_source_or_that_of_dlt(
    make: MakePipeline, emulator: Emulator, how: str, column: str
) -> None:
    values = {1: 7, 2: "007", 3: 1.5, 4: True}
    rows = [person(number, planName=value, isVip=True) for number, value in values.items()]
    columns = {"customer_id": "User Id", "phone_no": "Mobile Phone"}
    data = bunce_adapter(rows, attributes={column: "Plan"}, segments={"isVip": "VIP"}, **columns)  # type: ignore[arg-type]
    emulator.attributes.add("Plan", "text")
    emulator.attributes.add_segment("VIP")

    pipeline = make()
    if how == "run":
        pipeline.run(data)
    else:
        flush_and_run(pipeline, data)

    received = [emulator.attributes.values_of(f"00{number}")["Plan"] for number in values]
    assert received == ["7", "007", "1.5", "true"]
    assert len(emulator.attributes.members_of("VIP")) == 4
    assert run_summary(pipeline).attributes["written"] == 4


def test_a_column_that_is_given_under_both_of_its_names_is_refused(make: MakePipeline) -> None:
    columns = {"customer_id": "User Id", "phone_no": "Mobile Phone"}
    both = {"planName": "Plan", "plan_name": "Tariff"}
    data = bunce_adapter([person(1, planName="gold")], attributes=both, **columns)  # type: ignore[arg-type]

    error = refused(make(), data)

    assert "is given twice, for 'Plan' and 'Tariff'." in str(error)
