"""`on_run_end` is called once with the summary of a run that has ended, however it has ended."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlt
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from dlt_bunce import RunSummary, flush_and_run
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.errors import (
    BunceError,
    ConfigurationError,
    CredentialsError,
    StoppedError,
    ThresholdError,
)

from .conftest import MakePipeline, customer
from .test_replay import replayed

ROWS = [customer(1), customer(2), customer(3, email="nobody")]


def rows(data: list[dict[str, Any]]) -> Any:
    """A resource of customers."""
    return dlt.resource(data, name="customers")


def plain(pipeline: dlt.Pipeline, data: list[dict[str, Any]]) -> None:
    """As dlt's users run it."""
    pipeline.run(rows(data))


def flushing(pipeline: dlt.Pipeline, data: list[dict[str, Any]]) -> None:
    """As ours run it."""
    flush_and_run(pipeline, rows(data))


Way = Callable[[dlt.Pipeline, list[dict[str, Any]]], None]
EITHER = pytest.mark.parametrize("run", [plain, flushing])


@EITHER
def test_a_completed_run_is_told_once_with_its_figures(make: MakePipeline, run: Way) -> None:
    told: list[RunSummary] = []
    pipeline = make(on_run_end=told.append)

    run(pipeline, ROWS)
    run(pipeline, [*ROWS, customer(4)])

    first, second = told
    assert (first.state, first.read, first.created, first.rejected) == ("completed", 3, 2, 1)
    assert first.reject_codes == {"invalid_email": 1}
    assert (second.read, second.created, second.held) == (4, 1, 1)
    assert (first.error, first.over_thresholds) == (None, {})


@EITHER
def test_a_run_over_a_threshold_is_told_so(make: MakePipeline, run: Way) -> None:
    told: list[RunSummary] = []
    pipeline = make(on_run_end=told.append, max_reject_count=0)

    with contextlib.suppress(ThresholdError):
        run(pipeline, ROWS)

    [summary] = told
    assert summary.state == "completed"
    assert (summary.over_thresholds) == {
        "max_reject_count": "1 of 3 rows are rejected (threshold: 0 rows)"
    }


@EITHER
def test_a_failed_run_is_told_once_with_the_reason_and_what_is_recorded(
    make: MakePipeline, emulator: Emulator, run: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[RunSummary] = []
    # dlt tries a job several times before it gives up
    monkeypatch.setenv("LOAD__RAISE_ON_MAX_RETRIES", "2")
    emulator.behavior = Behavior(
        rate_limit=0, faults=(Fault("error_after", probability=1.0),), lookup="absent"
    )
    pipeline = make(on_run_end=told.append, batch_size=1, concurrency=1, timeout_s=2.0)

    with pytest.raises((BunceError, PipelineStepFailed)):
        run(pipeline, [customer(1)])

    [summary] = told
    assert (summary.state, summary.read, summary.deferred) == ("failed", 1, 1)
    assert "A batch could not be delivered" in str(summary.error)
    assert summary.requests > 1


@EITHER
def test_a_run_that_fails_before_a_row_is_sent_is_told_too(
    make: MakePipeline, emulator: Emulator, run: Way
) -> None:
    told: list[RunSummary] = []
    pipeline = make(on_run_end=told.append)
    run(pipeline, ROWS)
    emulator.behavior = Behavior(rate_limit=0, api_keys=("sk_test_other",))

    with pytest.raises((CredentialsError, PipelineStepFailed)):
        run(pipeline, ROWS)

    first, summary = told
    # and not with the figures of the run before
    assert (summary.state, summary.read, summary.error_class) == ("failed", 0, "CredentialsError")
    assert first.run_id != summary.run_id
    assert "refuses the API key" in str(summary.error)


@EITHER
@pytest.mark.parametrize(
    ("kind", "state"), [(ValueError, "failed"), (KeyboardInterrupt, "stopped")]
)
def test_what_the_source_raises_is_told_by_its_type_alone(
    make: MakePipeline, run: Way, kind: type[BaseException], state: str
) -> None:
    told: list[RunSummary] = []

    def broken() -> Any:
        raise kind("marked-value")
        yield

    pipeline = make(on_run_end=told.append)
    with pytest.raises((kind, PipelineStepFailed, StoppedError)):
        run(pipeline, broken())  # type: ignore[arg-type]

    [summary] = told
    assert state == summary.state
    assert summary.error_class == ("ValueError" if state == "failed" else "StoppedError")
    assert f"Unexpected {kind.__name__} in " in str(summary.error) or state == "stopped"
    assert "marked-value" not in str(summary.error)


def test_a_first_run_whose_source_fails_logs_that_alone(
    make: MakePipeline,
    warned: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> Any:
        yield customer(1)
        raise ValueError

    pipeline = make()
    monkeypatch.setattr(logging.getLogger("dlt"), "propagate", True)
    with pytest.raises(PipelineStepFailed):
        pipeline.run(broken(), table_name="customers")

    assert [record.getMessage() for record in caplog.records] == []


def test_a_run_within_the_handling_of_an_error_has_not_failed(make: MakePipeline) -> None:
    told: list[RunSummary] = []

    try:
        raise ValueError
    except ValueError:
        make(on_run_end=told.append).run(rows(ROWS))

    assert [summary.state for summary in told] == ["completed"]


def test_a_flush_and_the_run_after_it_are_told_as_one(make: MakePipeline) -> None:
    told: list[RunSummary] = []
    make().extract(rows([customer(8), customer(9)]))

    flush_and_run(make(on_run_end=told.append), rows(ROWS))

    [summary] = told
    assert summary.flushed is not None
    assert (summary.read, summary.flushed.read) == (3, 2)


def test_steps_by_hand_are_told_when_they_have_loaded(make: MakePipeline) -> None:
    told: list[RunSummary] = []
    pipeline = make(on_run_end=told.append)

    pipeline.extract(rows(ROWS))
    pipeline.normalize()
    assert told == []
    pipeline.load()

    assert [summary.read for summary in told] == [3]


def test_a_run_with_nothing_to_load_is_told_as_such(make: MakePipeline) -> None:
    told: list[RunSummary] = []

    make(on_run_end=told.append).run(rows([]))

    assert [(summary.state, summary.read) for summary in told] == [("completed", 0)]


@EITHER
def test_dry_runs_and_replays_tell_nobody(make: MakePipeline, emulator: Emulator, run: Way) -> None:
    told: list[RunSummary] = []

    run(make(on_run_end=told.append, dry_run=True), ROWS)
    run(make(), ROWS)
    replayed(emulator, settings={"on_run_end": told.append})

    assert told == []


def test_other_destinations_are_left_alone(make: MakePipeline) -> None:
    told: list[RunSummary] = []
    make(on_run_end=told.append)

    pipeline = dlt.pipeline("other", destination=dlt.destinations.duckdb("other.duckdb"))
    pipeline.run(rows(ROWS))

    assert told == []


@EITHER
def test_a_hook_that_raises_fails_no_run_and_is_logged_without_its_text(
    make: MakePipeline, run: Way, warned: Callable[[], list[dict[str, Any]]]
) -> None:
    def broken(summary: RunSummary) -> None:
        raise RuntimeError("https://hooks.example.com/marked-secret")

    pipeline = make(on_run_end=broken)
    run(pipeline, ROWS)

    [event] = [event for event in warned() if event["event"] == "run.hook_failed"]
    assert event["error"] == "RuntimeError"
    assert event["hook"].endswith("broken")
    assert "marked" not in str(event)
    assert not pipeline.has_pending_data


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A module of the operator's in the working directory, under a name of its own."""
    name = f"alerts_{abs(hash(request.node.name))}"
    Path(f"{name}.py").write_text(
        "told = []\n"
        "class Team:\n    notify = staticmethod(told.append)\n"
        "def notify(summary): told.append(summary)\n"
    )
    Path(f"{name}_broken.py").write_text("raise RuntimeError('marked-secret')")
    monkeypatch.syspath_prepend(str(Path.cwd()))
    return name


@pytest.mark.parametrize("path", ["notify", "Team.notify"])
def test_an_import_path_from_the_environment_names_the_function(
    make: MakePipeline, module: str, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("DESTINATION__BUNCE__ON_RUN_END", f"{module}:{path}")

    make().run(rows(ROWS))

    assert [summary.read for summary in sys.modules[module].told] == [3]


@EITHER
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("{module}.notify", "does not name a function"),
        ("{module}:nothing", "was not found"),
        ("{module}:told", "is not a function"),
        ("nowhere_at_all:notify", "was not found"),
        ("{module}_broken:notify", "cannot be imported: RuntimeError"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused_before_anything_is_sent(
    make: MakePipeline, emulator: Emulator, module: str, run: Way, path: str, message: str
) -> None:
    pipeline = make(on_run_end=path.format(module=module))

    with pytest.raises((ConfigurationError, PipelineStepFailed), match=message) as failure:
        run(pipeline, ROWS)

    assert "marked" not in str(failure.value)
    assert [record for record in emulator.requests if record.call != "lookup"] == []
