"""What is chosen at the resource holds through every door; rows that are no resource are merged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from tests.destination.conftest import MakePipeline, customer

from dlt_bunce import bunce_adapter, dead_letters, flush_and_run, run_summary
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import DispositionError, bunce_error
from dlt_bunce.model import RunSummary


def declared(rows: Any, disposition: Any) -> Any:
    return dlt.resource(rows, name="customers", write_disposition=disposition)


DOORS: dict[str, Callable[[dlt.Pipeline, Any], Any]] = {
    "flush_and_run": flush_and_run,
    "run": lambda pipeline, data: pipeline.run(data),
}


@pytest.mark.parametrize("arrow", [False, True])
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("make_data", "name"),
    [
        (bunce_adapter, "Ann"),
        (lambda rows: bunce_adapter(declared(rows, "merge")), "Ann"),
        (lambda rows: bunce_adapter(declared(rows, "append")), "Ada"),
        (lambda rows: declared(rows, "append"), "Ada"),
        (lambda rows: declared(rows, "merge"), "Ann"),
    ],
)
def test_a_changed_customer_is_updated_where_merge_is_chosen_or_nobody_has_chosen(
    make: MakePipeline, emulator: Emulator, make_data: Any, name: str, door: str, arrow: bool
) -> None:
    for first in ("Ada", "Ann"):
        rows = [customer(1, first_name=first)]
        data = make_data([pa.Table.from_pylist(rows)] if arrow else rows)
        if data.name != "customers":
            data = data.with_name("customers")
        DOORS[door](make(), data)

    assert [name] == [sent["first_name"] for sent in emulator.customers.values()]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("adapted", [False, True])
def test_a_function_without_a_disposition_is_append_and_says_what_that_left_out(
    make: MakePipeline, emulator: Emulator, door: str, *, adapted: bool
) -> None:
    @dlt.resource(name="customers")
    def people(first_name: str) -> Any:
        yield [customer(1, first_name=first_name)]

    for first in ("Ada", "Ann"):
        pipeline = make()
        DOORS[door](pipeline, bunce_adapter(people(first)) if adapted else people(first))

    assert [sent["first_name"] for sent in emulator.customers.values()] == ["Ada"]
    assert run_summary(pipeline).warnings == {"skipped_changes": 1}


def test_plain_rows_are_merged_by_flush_and_run_and_other_arguments_are_passed_on(
    make: MakePipeline, emulator: Emulator
) -> None:
    for first in ("Ada", "Ann"):
        flush_and_run(
            make(),
            [customer(1, first_name=first)],
            table_name="customers",
            primary_key="customer_id",
            columns={"customer_id": {"data_type": "text"}},
            schema_contract={"columns": "evolve"},
            loader_file_format="jsonl",
        )

    assert [sent["first_name"] for sent in emulator.customers.values()] == ["Ann"]
    table = make().default_schema.tables["customers"]
    assert table["columns"]["customer_id"]["primary_key"]


@pytest.mark.parametrize(
    ("given", "written"), [("jsonl", ".jsonl"), ("typed-jsonl", ".typed-jsonl"), (None, ".parquet")]
)
def test_the_columns_and_the_file_format_that_are_given_have_effect(
    make: MakePipeline, emulator: Emulator, given: Any, written: str
) -> None:
    pipeline = make(keep_completed_jobs=True)

    summary = flush_and_run(
        pipeline,
        [customer(1, points=7)],
        table_name="customers",
        columns={"points": {"data_type": "text"}, "added": {"data_type": "bool"}},
        loader_file_format=given,
    )

    columns = pipeline.default_schema.tables["customers"]["columns"]
    files = Path(pipeline.working_dir).glob("load/loaded/*/completed_jobs/customers.*")
    assert summary.created == 1
    assert (columns["points"]["data_type"], columns["added"]["data_type"]) == ("text", "bool")
    assert [written in file.name for file in files] == [True]


def test_an_argument_goes_before_the_resource(make: MakePipeline, emulator: Emulator) -> None:
    for first in ("Ada", "Ann"):
        data = declared([customer(1, first_name=first)], "append")
        flush_and_run(make(), data, write_disposition="merge")

    assert [sent["first_name"] for sent in emulator.customers.values()] == ["Ann"]


def test_a_resource_that_replaces_is_refused_before_a_row_is_extracted(make: MakePipeline) -> None:
    pipeline = make()
    with pytest.raises(DispositionError):
        flush_and_run(pipeline, declared([customer(1)], "replace"))
    assert not pipeline.has_pending_data


def test_dead_letters_come_from_the_configured_store(
    make: MakePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__BUNCE__STORE_URL", "sqlite:///mine.sqlite")
    monkeypatch.setenv("DESTINATION__BUNCE__ACCOUNT", "shop")
    flush_and_run(make(), [customer(1, phone_no="call me")], table_name="customers")

    [found] = dead_letters()
    assert found.column("customer_id").to_pylist() == ["c1"]


@dlt.resource(name="customers", write_disposition="merge")
def growing(*numbers: int, cursor: Any = dlt.sources.incremental("updated_at")) -> Any:
    """Customers by an incremental cursor."""
    yield [customer(n, updated_at=n) for n in numbers]


@pytest.mark.parametrize("how", DOORS)
def test_a_dry_run_leaves_the_cursor_where_it_was(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    def load(pipeline: dlt.Pipeline) -> RunSummary:
        if how == "flush_and_run":
            return flush_and_run(pipeline, growing(5))
        pipeline.run(growing(5))
        return run_summary(pipeline)

    assert (load(make(dry_run=True)).state, 1) == ("dry_run", 1)
    assert dict(emulator.customers) == {}
    assert load(make()).created == 1


@pytest.mark.parametrize("how", DOORS)
def test_a_dry_run_leaves_what_a_failed_run_has_left(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    with pytest.raises(PipelineStepFailed):
        make(base_url="http://127.0.0.1:9/v1").run(growing(5))

    with pytest.raises(Exception) as caught:  # noqa: PT011, dlt's own around ours in a plain run
        DOORS[how](make(dry_run=True), growing(5, 6))
    done = flush_and_run(make(), growing(5, 6))

    assert "pending rows from an earlier run" in str(bunce_error(caught.value))
    assert set(emulator.customers) == {"c5", "c6"}
    assert done.flushed is not None
    assert (done.created, done.flushed.created) == (1, 1)
