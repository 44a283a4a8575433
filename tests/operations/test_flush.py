"""What the command line and the shipped pipelines run: pending first, mistakes early."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from dlt_bunce import bunce, bunce_adapter
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.errors import (
    BunceError,
    CredentialsError,
    DispositionError,
    MappingError,
    RunInProgressError,
    UnavailableError,
    bunce_error,
)
from dlt_bunce.operations.flush import flush_and_run


def customers(*numbers: int, **changes: Any) -> pa.Table:
    """Good customers as an Arrow table."""
    return pa.Table.from_pylist(
        [
            {
                "id": n,
                "email": f"c{n}@example.com",
                "first_name": "Ada",
                "last_name": "Obi",
                "phone_no": f"+23481{n:08d}",
            }
            | changes
            for n in numbers
        ]
    )


@pytest.fixture
def make(emulator: Emulator) -> Callable[..., dlt.Pipeline]:
    """Makes a pipeline into the emulator."""

    def make(**settings: Any) -> dlt.Pipeline:
        settings = {"credentials": "sk_test_x", "base_url": emulator.base_url} | settings
        return dlt.pipeline("crm", destination=bunce(requests_per_minute=0, **settings))

    return make


def resource(*tables: pa.Table, extracted: list[pa.Table] | None = None) -> Any:
    """A resource of tables; `extracted` collects what dlt has pulled."""

    @dlt.resource(name="customers")
    def customers() -> Any:
        for table in tables:
            if extracted is not None:
                extracted.append(table)
            yield table

    return bunce_adapter(customers())


def fails(kind: type[BunceError], pipeline: dlt.Pipeline, data: Any, **options: Any) -> None:
    """The run raises our own error, without dlt's wrapping."""
    with pytest.raises(kind):
        flush_and_run(pipeline, data, **options)


def test_a_wrong_mapping_leaves_nothing_behind_that_blocks_the_corrected_run(
    make: Callable[..., dlt.Pipeline], emulator: Emulator
) -> None:
    fails(MappingError, make(mapping={"email": "mail"}), resource(customers(1)))

    summary = flush_and_run(make(), resource(customers(2)))

    assert (summary.read, summary.created) == (1, 1)
    assert list(emulator.customers) == ["2"]


@pytest.mark.parametrize(
    ("kind", "behavior", "settings", "options"),
    [
        (CredentialsError, Behavior(rate_limit=0, api_keys=("other",)), {}, {}),
        (UnavailableError, Behavior(rate_limit=0), {"base_url": "http://127.0.0.1:9/v1"}, {}),
        (DispositionError, Behavior(rate_limit=0), {}, {"write_disposition": "replace"}),
    ],
)
def test_what_is_wrong_from_the_start_stops_before_a_row_is_extracted(
    make: Callable[..., dlt.Pipeline],
    emulator: Emulator,
    kind: type[BunceError],
    behavior: Behavior,
    settings: dict[str, Any],
    options: dict[str, Any],
) -> None:
    emulator.behavior = behavior
    extracted: list[pa.Table] = []
    pipeline = make(**settings)

    fails(kind, pipeline, resource(customers(1), extracted=extracted), **options)

    assert extracted == []
    assert not pipeline.has_pending_data


def test_pending_rows_are_loaded_first_and_the_new_ones_too(
    make: Callable[..., dlt.Pipeline], emulator: Emulator
) -> None:
    pipeline = make()
    pipeline.extract(resource(customers(1)))
    assert pipeline.has_pending_data

    summary = flush_and_run(make(), resource(customers(2, 3)))

    assert (summary.read, summary.created) == (2, 2)
    assert summary.flushed is not None
    assert (summary.flushed.read, summary.flushed.created) == (1, 1)
    assert set(emulator.customers) == {"1", "2", "3"}


def test_an_extraction_that_was_killed_before_its_state_was_kept_leaves_no_row_out(
    make: Callable[..., dlt.Pipeline], emulator: Emulator
) -> None:
    pipeline = make()
    state = Path(pipeline.working_dir) / "state.json"
    before = state.read_bytes()
    pipeline.extract(resource(customers(1)))
    state.write_bytes(before)

    summary = flush_and_run(make(), resource(customers(1, 2, 3)))

    assert summary.created == 3
    assert set(emulator.customers) == {"1", "2", "3"}
    assert not make().has_pending_data


@pytest.mark.parametrize("rows", [customers(1, 2), customers(1, 2).to_pylist()])
def test_rows_that_another_run_has_deleted_from_the_folder_are_an_error(
    make: Callable[..., dlt.Pipeline], monkeypatch: pytest.MonkeyPatch, rows: Any
) -> None:
    pipeline = make()
    normalize = pipeline.normalize

    def normalize_after_another(*arguments: Any, **options: Any) -> Any:
        # as dlt does for a run whose machine the lock of the folder does not reach
        for package in Path(pipeline.working_dir, "normalize", "extracted").iterdir():
            shutil.rmtree(package)
        return normalize(*arguments, **options)

    monkeypatch.setattr(pipeline, "normalize", normalize_after_another)

    with pytest.raises(RunInProgressError, match="2 rows were extracted"):
        flush_and_run(pipeline, bunce_adapter(rows))


def test_nothing_to_load_is_no_mistake(make: Callable[..., dlt.Pipeline]) -> None:
    assert flush_and_run(make(), resource()).read == 0

    assert flush_and_run(make(), resource(customers(1))).created == 1


def test_a_run_after_a_flush_that_found_nothing_to_load_counts_no_row_twice(
    make: Callable[..., dlt.Pipeline],
) -> None:
    flush_and_run(make(), resource(customers(1)))
    make().extract(resource())

    summary = flush_and_run(make(), resource(customers(2)))

    assert (summary.read, summary.created) == (1, 1)


@pytest.mark.parametrize("left", ["schema.json", "new_jobs", "everything"])
def test_a_package_that_dlt_was_killed_over_while_deleting_it_blocks_nothing(
    make: Callable[..., dlt.Pipeline], emulator: Emulator, left: str
) -> None:
    pipeline = make()
    pipeline.extract(resource(customers(1)))
    extracted = Path(pipeline.working_dir, "normalize", "extracted")
    shutil.copytree(extracted, "kept")
    pipeline.normalize()
    shutil.copytree("kept", extracted, dirs_exist_ok=True)
    for part in next(extracted.iterdir()).iterdir():
        if left not in {part.name, "everything"}:
            shutil.rmtree(part) if part.is_dir() else part.unlink()

    summary = flush_and_run(make(), resource(customers(2)))

    assert summary.flushed is not None
    assert (summary.created, summary.flushed.created) == (1, 1)
    assert emulator.times_sent == {"1": 1, "2": 1}


@pytest.mark.parametrize("missing", ["new", "normalized", "loaded"])
def test_a_working_folder_that_dlt_was_killed_over_while_making_it_blocks_nothing(
    make: Callable[..., dlt.Pipeline], missing: str
) -> None:
    pipeline = make()
    pipeline.extract(resource(customers(1)))
    load = Path(pipeline.working_dir, "load")
    for folder in ("new", "normalized", "loaded"):
        (load / folder).mkdir(parents=True, exist_ok=True)
    (load / ".version").write_text("1.0.0")
    (load / missing).rmdir()

    summary = flush_and_run(make(), resource(customers(2)))

    assert summary.flushed is not None
    assert (summary.created, summary.flushed.created) == (1, 1)


def test_a_schema_that_dlt_was_killed_over_while_writing_it_blocks_nothing(
    make: Callable[..., dlt.Pipeline],
) -> None:
    pipeline = make()
    flush_and_run(pipeline, resource(customers(1)))
    Path(pipeline.working_dir, "schemas", "81d0b7c9cc4f37cd").write_text("{")
    make().extract(resource(customers(2)))

    summary = flush_and_run(make(), resource(customers(2, 3)))

    assert summary.flushed is not None
    assert (summary.created, summary.flushed.created) == (1, 1)


def test_a_package_that_dlt_was_killed_over_while_moving_it_away_blocks_nothing(
    make: Callable[..., dlt.Pipeline], emulator: Emulator
) -> None:
    pipeline = make()
    flush_and_run(pipeline, resource(customers(1)))
    load = Path(pipeline.working_dir, "load")
    (package,) = (load / "loaded").iterdir()
    package.rename(load / "normalized" / package.name)

    summary = flush_and_run(make(), resource(customers(2)))

    assert (summary.read, summary.created) == (1, 1)
    assert emulator.times_sent == {"1": 1, "2": 1}


def test_a_run_asks_once_whether_the_key_is_good(
    make: Callable[..., dlt.Pipeline], emulator: Emulator
) -> None:
    for number in (1, 2):
        summary = flush_and_run(make(), resource(customers(number)))
        assert (summary.created, summary.bulk_requests, summary.lookups) == (1, 1, 1)

    make().run(resource(customers(3)))

    asked = [record for record in emulator.requests if record.call == "lookup"]
    assert len(asked) == 3


def test_a_key_that_was_good_for_an_earlier_run_is_asked_about_again(
    make: Callable[..., dlt.Pipeline], emulator: Emulator
) -> None:
    flush_and_run(make(), resource(customers(1)))
    emulator.behavior = Behavior(rate_limit=0, api_keys=("another",))

    with pytest.raises(CredentialsError):
        flush_and_run(make(), resource(customers(2)))
    with pytest.raises(PipelineStepFailed) as failure:
        make().run(resource(customers(2)))

    assert isinstance(bunce_error(failure.value), CredentialsError)
    assert len([record for record in emulator.requests if record.call == "create"]) == 1


@pytest.mark.parametrize("destination", [None, "dlt.destinations.dummy"])
def test_a_pipeline_into_nothing_or_something_else_is_an_error_that_says_so(
    destination: str | None,
) -> None:
    pipeline = dlt.pipeline("crm", destination=destination)

    with pytest.raises(TypeError, match=r"pipeline 'crm' (has no|does not use the) "):
        flush_and_run(pipeline, customers(1))


def test_rows_of_a_generator_expression_are_data(make: Callable[..., dlt.Pipeline]) -> None:
    rows = (row for row in customers(1, 2).to_pylist())

    assert flush_and_run(make(), bunce_adapter(rows)).created == 2


def test_no_data_is_an_error_that_says_so() -> None:
    with pytest.raises(TypeError, match="given None"):
        bunce_adapter(None)
