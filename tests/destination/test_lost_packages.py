"""Rows that were read, and whose package was deleted before they were loaded, are read again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pytest
from dlt.common.runtime.collector import NullCollector
from dlt.common.storages.exceptions import LoadPackageNotFound

from dlt_bunce import run_summary
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.errors import RunInProgressError, bunce_error
from dlt_bunce.operations.adopt import adopt

from .conftest import MakePipeline, customer
from .test_mappings import DOORS
from .test_state import people
from .test_whose_folder import go, go_refused, known, leave_behind, numbered

Lose = Callable[[dlt.Pipeline], None]


def by_hand(pipeline: dlt.Pipeline) -> None:
    """Somebody has deleted the files of what is pending."""
    folder = Path(pipeline.working_dir)
    packages = [*folder.glob("load/normalized/*"), *folder.glob("normalize/extracted/*")]
    assert packages
    for package in packages:
        shutil.rmtree(package)


def by_dlt(pipeline: dlt.Pipeline) -> None:
    """What `dlt pipeline … abort-packages` does, and `drop-pending-packages`, its older name."""
    pipeline.abort_packages()
    assert not pipeline.has_pending_data


@pytest.mark.parametrize("lose", [by_hand, by_dlt])
@pytest.mark.parametrize("how", DOORS)
def test_rows_whose_package_was_deleted_are_read_again(
    make: MakePipeline,
    emulator: Emulator,
    how: str,
    lose: Lose,
    warned: Callable[[], list[dict[str, Any]]],
) -> None:
    go(how, make(), people(3))
    leave_behind(make, emulator, 6, batches=1)
    lose(make())
    warned()
    seen: list[int] = []

    go(how, make(), people(7, seen))
    told = [event["pipeline"] for event in warned() if event["event"] == "cursor.put_back"]
    go(how, make(), people(8, seen))
    shutil.rmtree(make().working_dir)
    go(how, make(), people(8, seen))

    assert seen == [3, 7, 8]
    # dlt's own command puts it back itself
    assert told == (["crm"] if lose is by_hand else [])
    assert known() == numbered(8)


@pytest.mark.parametrize("how", DOORS)
def test_rows_of_a_table_are_read_again_by_the_pipeline_that_lost_them(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    @dlt.resource(name="customers")
    def table(at: dlt.sources.incremental[int] = dlt.sources.incremental("position")) -> Any:
        yield pa.Table.from_pylist([customer(n, position=n) for n in range(1, 6)])

    pipeline = make()
    go(how, pipeline, people(3))
    emulator.behavior = Behavior(rate_limit=0, faults=(Fault("error_before", probability=1.0),))
    with pytest.raises(Exception, match="500"):
        go(how, pipeline, table())
    emulator.behavior = Behavior(rate_limit=0)
    by_hand(pipeline)

    go(how, pipeline, table())

    assert known() == numbered(5)


@pytest.mark.parametrize("how", DOORS)
def test_a_first_run_whose_package_was_deleted_does_not_go_on_from_its_cursor(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    leave_behind(make, emulator, 3)
    by_hand(make())

    said = go_refused(how, make(), people(5))
    shutil.rmtree(make().working_dir)
    go(how, make(), people(5))

    assert "has no completed run of it: rows before the cursor would never be loaded" in said
    assert f"delete {make().working_dir}" in said
    assert known() == numbered(5)


@pytest.mark.parametrize("how", DOORS)
def test_an_account_that_was_adopted_before_reads_from_the_start_then(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    with make().destination_client() as client:
        adopt(client)  # type: ignore[arg-type]
    leave_behind(make, emulator, 3)
    by_hand(make())

    go(how, make(), people(5))

    assert known() == numbered(5)


class DeletesAfter(NullCollector):
    """Progress of a run during which somebody deletes its packages, once a step has ended."""

    def __init__(self, step: str) -> None:
        self.last_step = step

    def on_end_trace_step(self, trace: Any, step: Any, pipeline: Any, *rest: Any) -> None:
        if step.step == self.last_step:
            by_hand(pipeline)


@pytest.mark.parametrize("step", ["extract", "normalize"])
@pytest.mark.parametrize("how", DOORS)
def test_a_run_whose_package_is_deleted_meanwhile_says_so(
    make: MakePipeline, emulator: Emulator, how: str, step: str
) -> None:
    go(how, make(), people(3))
    pipeline = make()
    pipeline.collector = DeletesAfter(step)

    with pytest.raises(Exception) as caught:  # noqa: PT011, dlt's own around ours in a plain run
        go(how, pipeline, people(5))
    go(how, make(), people(6))

    error = bunce_error(caught.value)
    assert isinstance(error, RunInProgressError)
    assert str(error).startswith(f"2 rows were extracted into {pipeline.working_dir!r}, but are g")
    assert emulator.times_sent == dict.fromkeys(numbered(6), 1)


class DropsInLoad(NullCollector):
    """A progress collector that drops a pipeline while it loads, as its next run may do."""

    def __init__(self, pipeline: dlt.Pipeline) -> None:
        super().__init__()
        self.pipeline = pipeline

    def update(self, name: str, *rest: Any, **options: Any) -> None:
        if name == "Jobs":
            self.pipeline.drop()


@pytest.mark.parametrize("how", DOORS)
def test_a_run_whose_folder_is_dropped_while_it_loads_says_so(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    pipeline = make()
    pipeline.collector = DropsInLoad(make())

    with pytest.raises(LoadPackageNotFound):
        go(how, pipeline, people(5))
    told = run_summary(pipeline).error or ""
    go(how, make(), people(6))

    assert told.startswith("The rows that this run was loading are gone from its working folder")
    assert "Run again: settled rows are not sent again." in told
    assert emulator.times_sent == dict.fromkeys(numbered(6), 1)
