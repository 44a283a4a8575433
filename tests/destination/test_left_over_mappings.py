"""What an earlier run left over is loaded with the mapping of now, however that is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlt_bunce import bunce_adapter, flush_and_run
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.errors import BunceError
from dlt_bunce.model import RunSummary

from .conftest import MakePipeline, customer

DOWN = Fault("error_before", on_request=1, until_request=999)


@pytest.mark.parametrize("kind", ["dicts", "arrow"])
def test_a_left_over_is_loaded_with_the_mapping_of_now(
    make: MakePipeline, emulator: Emulator, kind: str
) -> None:
    def load(*rows: dict[str, Any], **hints: str) -> RunSummary:
        data: Any = list(rows) if kind == "dicts" else pa.Table.from_pylist(list(rows))
        return flush_and_run(make(), bunce_adapter(dlt.resource(data, name="customers"), **hints))

    wrong, right = customer(1, work="w@example.com"), customer(2, work="v@example.com")
    emulator.behavior = Behavior(rate_limit=0, faults=(DOWN,))
    with pytest.raises(BunceError):
        load(wrong, email="work")
    emulator.behavior = Behavior(rate_limit=0)

    done = load(right, email="email")

    assert done.flushed is not None
    assert (done.created, done.flushed.created) == (1, 1)
    assert emulator.customers["c1"]["email"] == "c1@example.com"


def _by_steps(pipeline: dlt.Pipeline, resource: Any) -> None:
    pipeline.extract(resource)
    pipeline.normalize()
    pipeline.load()


DOORS: dict[str, Callable[[dlt.Pipeline, Any], Any]] = {
    "a list": lambda pipeline, each: flush_and_run(pipeline, [each]),
    "another table": lambda pipeline, each: flush_and_run(pipeline, each, table_name="customers"),
    "a table by its rows": lambda pipeline, each: flush_and_run(
        pipeline, each.apply_hints(table_name=lambda _: "customers")
    ),
    "a table by its rows, run": lambda pipeline, each: pipeline.run(
        each.apply_hints(table_name=lambda _: "customers")
    ),
    "steps": _by_steps,
}


@pytest.mark.parametrize("door", DOORS)
def test_a_mapping_of_now_is_found_wherever_it_is_given(
    make: MakePipeline, emulator: Emulator, door: str
) -> None:
    def load(email: str) -> None:
        rows = [customer(1, work="w@example.com")]
        resource = dlt.resource(rows, name="crm", write_disposition="merge")
        DOORS[door](make(customers_table="customers,crm"), bunce_adapter(resource, email=email))

    emulator.behavior = Behavior(rate_limit=0, faults=(DOWN,))
    with pytest.raises(Exception):  # noqa: B017, PT011, whatever dlt makes of it
        load("work")
    emulator.behavior = Behavior(rate_limit=0)

    load("email")

    assert emulator.customers["c1"]["email"] == "c1@example.com"


def test_rows_of_a_list_that_cannot_be_read_again_are_kept(
    make: MakePipeline, emulator: Emulator
) -> None:
    nameless = {key: value for key, value in customer(1).items() if key != "first_name"}

    with pytest.raises(BunceError, match="dlt-bunce load ") as raised:
        flush_and_run(make(), [dlt.resource(iter([nameless]), name="customers")])

    kept = Path(str(raised.value).rpartition("dlt-bunce load ")[2])
    assert sum(pq.read_metadata(file).num_rows for file in kept.glob("*.parquet")) == 1
