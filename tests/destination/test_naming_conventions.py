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

from .conftest import Form, MakePipeline

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
