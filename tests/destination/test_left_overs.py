"""A package that fails by a mistake before a row of it was sent does not block the next run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlt_bunce import bunce_adapter, flush_and_run, run_summary
from dlt_bunce.emulator import Emulator, Fault
from dlt_bunce.errors import BunceError, MappingError, UsageError, bunce_error
from dlt_bunce.model import RunSummary

from .conftest import MakePipeline, customer

DOWN = Fault("error_before", on_request=1, until_request=999)
_NAMELESS = {key: value for key, value in customer(1).items() if key != "first_name"}


def _with_orders() -> Any:
    @dlt.source(name="shop")
    def shop() -> Any:
        return [
            dlt.resource([customer(1)], name="customers"),
            dlt.resource([{"order": 1}], name="orders"),
        ]

    return shop()


def _with_adapted_people() -> Any:
    @dlt.source(name="shop")
    def shop() -> Any:
        return [
            bunce_adapter(dlt.resource([customer(1)], name="everyone", table_name="people")),
            dlt.resource([{"order": 1}], name="orders"),
        ]

    return shop()


def _hard_delete() -> Any:
    rows = [customer(1, gone=True)]
    return dlt.resource(rows, name="customers", columns={"gone": {"hard_delete": True}})


def _with_children() -> Any:
    rows = [customer(1, orders=[{"order": 1}])]
    return dlt.resource(rows, name="customers", max_table_nesting=2)


WRONG: dict[str, Callable[[], Any]] = {
    "an orders table beside customers": _with_orders,
    "an orders table beside adapted people": _with_adapted_people,
    "a hard_delete hint": _hard_delete,
    "a table of what is nested": _with_children,
    "a required field without a column": lambda: dlt.resource([_NAMELESS], name="customers"),
    "a version without order": lambda: bunce_adapter(
        dlt.resource([customer(1, at="yesterday")], name="customers"), version="at"
    ),
}

REMEDIES = {
    "an orders table beside customers": 'source.with_resources("customers")',
    "an orders table beside adapted people": 'source.with_resources("everyone")',
    "a hard_delete hint": "Filter out such rows and remove the hint.",
    "a table of what is nested": "max_table_nesting=0",
    "a required field without a column": "--default FIELD=VALUE",
}


@pytest.mark.parametrize("how", ["flush_and_run", "run"])
@pytest.mark.parametrize("wrong", WRONG)
def test_after_a_mistake_the_next_correct_run_brings_its_rows(
    make: MakePipeline, emulator: Emulator, wrong: str, how: str
) -> None:
    pipeline = make()
    run = pipeline.run if how == "run" else partial(flush_and_run, pipeline)
    with pytest.raises(Exception) as raised:  # noqa: PT011, dlt wraps what run() raises
        run(WRONG[wrong]())
    error = bunce_error(raised.value)
    assert isinstance(error, UsageError)
    assert REMEDIES.get(wrong, "") in str(error)
    assert "customers_table" not in str(error)
    assert emulator.customers == {}

    pipeline = make()
    good = dlt.resource([customer(2), customer(3)], name="customers")
    if how == "run":
        pipeline.run(good, write_disposition="merge")
        summary = run_summary(pipeline)
    else:
        summary = flush_and_run(pipeline, good)

    assert (summary.read, summary.created) == (2, 2)
    assert set(emulator.customers) == {"c2", "c3"}
    assert not pipeline.has_pending_data


def test_the_cursor_goes_back_with_the_package(make: MakePipeline, emulator: Emulator) -> None:
    def resource(**more: Any) -> Any:
        def people(cursor: Any = dlt.sources.incremental("at")) -> Iterator[Any]:
            yield [customer(n, at=n, **more) for n in range(1, 6)]

        return dlt.resource(people, name="customers")

    pipeline = make()
    with pytest.raises(MappingError):
        flush_and_run(pipeline, bunce_adapter(resource(stamp="yesterday"), version="stamp"))

    summary = flush_and_run(make(), resource())

    assert (summary.read, summary.created) == (5, 5)


def test_rows_that_cannot_be_read_again_are_kept_and_can_be_loaded(
    make: MakePipeline, emulator: Emulator
) -> None:
    queue = iter([_NAMELESS, _NAMELESS | {"customer_id": "c2", "email": "c2@example.com"}])
    pipeline = make()

    with pytest.raises(BunceError, match="dlt-bunce load ") as raised:
        flush_and_run(pipeline, dlt.resource(queue, name="customers"))

    kept = Path(str(raised.value).rpartition("dlt-bunce load ")[2])
    assert sum(pq.read_metadata(file).num_rows for file in kept.glob("*.parquet")) == 2
    assert {path.stat().st_mode & 0o777 for path in (kept, kept.parent)} == {0o700}
    assert {
        path.stat().st_mode & 0o777 for path in [*kept.glob("*"), *kept.parent.glob("*.json")]
    } == {0o600}
    rows = pa.concat_tables([pq.read_table(file) for file in kept.glob("*")])
    again = make("again", defaults={"first_name": "-"})
    assert flush_and_run(again, dlt.resource(rows, name="customers")).created == 2


def test_the_remedies_for_other_tables_work(make: MakePipeline, emulator: Emulator) -> None:
    flush_and_run(make(), _with_orders().with_resources("customers"))
    flush_and_run(make(), _with_adapted_people().with_resources("everyone"))
    nested = [customer(2, orders=[{"order": 1}])]
    flush_and_run(make(), dlt.resource(nested, name="customers", max_table_nesting=0))

    assert set(emulator.customers) == {"c1", "c2"}


@pytest.mark.parametrize("how", ["flush_and_run", "run"])
def test_no_rows_need_no_columns(make: MakePipeline, emulator: Emulator, how: str) -> None:
    def nobody() -> Iterator[Any]:
        yield dlt.mark.materialize_table_schema()

    pipeline = make()
    run = pipeline.run if how == "run" else partial(flush_and_run, pipeline)
    run(dlt.resource(nobody, name="customers"), write_disposition="merge")
    run(dlt.resource([customer(1)], name="customers"), write_disposition="merge")

    assert set(emulator.customers) == {"c1"}


@pytest.mark.parametrize("how", ["flush_and_run", "run"])
@pytest.mark.parametrize("kind", ["dicts", "arrow"])
def test_an_empty_table_first_blocks_nobody(
    make: MakePipeline, emulator: Emulator, kind: str, how: str
) -> None:
    empty = pa.Table.from_pylist([customer(1)]).slice(0, 0)
    rows: Any = [customer(1)] if kind == "dicts" else pa.Table.from_pylist([customer(1)])
    for data in (empty, [empty, rows] if kind == "arrow" else rows, rows):
        pipeline = make()
        run = pipeline.run if how == "run" else partial(flush_and_run, pipeline)
        run(dlt.resource(data, name="customers"), write_disposition="merge")

    assert emulator.times_sent == {"c1": 1}
    assert not make().has_pending_data


@pytest.mark.parametrize("how", ["flush_and_run", "run"])
def test_a_date_of_zeros_is_no_version_and_blocks_nobody(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    dates = ["2026-01-01", "0000-00-00", "2026-01-02"]

    def load() -> RunSummary:
        rows = [customer(n, at=at) for n, at in enumerate(dates)]
        data = bunce_adapter(dlt.resource(rows, name="customers"), version="at")
        pipeline = make()
        if how == "run":
            pipeline.run(data, write_disposition="merge")
            return run_summary(pipeline)
        return flush_and_run(pipeline, data, write_disposition="merge")

    first, second = load(), load()

    assert (first.created, second.unchanged) == (3, 3)
    assert not make().has_pending_data


def test_an_outage_gives_nothing_up(make: MakePipeline, emulator: Emulator) -> None:
    rows = iter([customer(1)])
    pipeline = make(base_url="http://127.0.0.1:9/v1")
    with pytest.raises(Exception):  # noqa: B017, PT011, whatever dlt makes of it
        pipeline.run(dlt.resource(rows, name="customers"), write_disposition="merge")

    summary = flush_and_run(make(), dlt.resource([customer(2)], name="customers"))

    assert summary.flushed is not None
    assert (summary.created, summary.flushed.created) == (1, 1)
    assert set(emulator.customers) == {"c1", "c2"}


def test_a_resource_whose_table_depends_on_its_rows_is_loaded(
    make: MakePipeline, emulator: Emulator
) -> None:
    @dlt.resource(table_name=lambda _row: "customers")
    def people() -> Any:
        yield customer(1)

    assert flush_and_run(make(), people, write_disposition="merge").created == 1


@pytest.mark.parametrize("refresh", ["drop_data", "drop_resources", "drop_sources"])
@pytest.mark.parametrize("how", ["flush_and_run", "run"])
def test_a_refresh_blocks_no_later_run(
    make: MakePipeline, emulator: Emulator, how: str, refresh: Any
) -> None:
    def load(*numbers: int, **options: Any) -> None:
        data = bunce_adapter([customer(n) for n in numbers])
        run = make().run if how == "run" else partial(flush_and_run, make())
        run(data.with_name("customers"), write_disposition="merge", **options)

    load(1)
    if refresh == "drop_data":  # asks for a deletion; the others begin anew with schema and cursor
        with pytest.raises(Exception) as caught:  # noqa: PT011, dlt's own around ours in a run()
            load(2, refresh=refresh)
        assert isinstance(bunce_error(caught.value), UsageError)
    else:
        load(2, refresh=refresh)
    load(3)

    refused = {"c2"} if refresh == "drop_data" else set()
    assert {"c1", "c2", "c3"} - refused == set(emulator.customers)
