"""One id has one winner in a load, whatever its size and the number of its files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest

from dlt_bunce import bunce_adapter, flush_and_run
from dlt_bunce.emulator import Emulator
from dlt_bunce.load.chunks import CHUNK_ROWS

from .conftest import MakePipeline, customer, letters

MANY = CHUNK_ROWS + 1_000
Rows = list[dict[str, Any]]


def as_dicts(rows: Rows) -> Any:
    return rows


def as_arrow(rows: Rows) -> Any:
    return pa.Table.from_pylist(rows)


@pytest.fixture(params=[as_dicts, as_arrow])
def form(request: pytest.FixtureRequest) -> Callable[[Rows], Any]:
    """How the source gives its rows."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=[None, 4_000])
def file_rows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int | None:
    """How many rows of the source dlt puts into a file."""
    if request.param:
        monkeypatch.setenv("DATA_WRITER__FILE_MAX_ITEMS", str(request.param))
    return request.param  # type: ignore[no-any-return]


def twice(many: int = MANY, **of_the_first: Any) -> Rows:
    """Ten customers at the beginning and, with other names, at the end."""
    first = [customer(n, first_name="Early", **of_the_first) for n in range(10)]
    between = [customer(n, **dict.fromkeys(of_the_first)) for n in range(10, many)]
    last = [customer(n, first_name="Late", **dict.fromkeys(of_the_first)) for n in range(10)]
    return [*first, *between, *last]


def in_pages(data: Any) -> Iterator[Any]:
    """As a source yields them: what lies in several pages may end in several files."""
    if isinstance(data, list):
        yield from (data[n : n + 1_000] for n in range(0, len(data), 1_000))
    else:
        yield from (data.slice(n, 1_000) for n in range(0, data.num_rows, 1_000))


def test_the_last_row_of_an_id_counts_and_the_next_run_sends_nothing(
    make: MakePipeline, emulator: Emulator, form: Callable[[Rows], Any], file_rows: int | None
) -> None:
    rows = form(twice())

    first = flush_and_run(make(), in_pages(rows), table_name="customers")
    names = {emulator.customers[f"c{n}"]["first_name"] for n in range(10)}
    second = flush_and_run(make(), in_pages(rows), table_name="customers")

    # of files nobody knows which is the later
    assert {"Late"} == names or (file_rows and names <= {"Early", "Late"})
    assert (first.created, first.superseded) == (MANY, 10)
    assert first.warnings == {"ids_repeated": 10}
    assert (second.updated, second.unchanged, second.superseded) == (0, MANY, 10)
    assert second.bulk_requests == 0


@pytest.mark.usefixtures("file_rows")
def test_a_version_decides_against_the_order_of_reading(
    make: MakePipeline, emulator: Emulator, form: Callable[[Rows], Any]
) -> None:
    rows = twice(updated_at="2026-11-02T00:00:00Z")
    for row in rows[-10:]:
        row["updated_at"] = "2026-11-01T00:00:00Z"

    data = bunce_adapter(in_pages(form(rows)), version="updated_at")
    summary = flush_and_run(make(), data, table_name="customers")

    assert {"Early"} == {emulator.customers[f"c{n}"]["first_name"] for n in range(10)}
    assert (summary.created, summary.superseded) == (MANY, 10)
    assert summary.warnings == {}


def test_an_older_row_that_is_bad_leaves_no_letter(
    make: MakePipeline, form: Callable[[Rows], Any]
) -> None:
    rows = twice()
    for row in rows[:10]:
        row["phone_no"] = "none"
    pipeline = make()

    for _ in range(2):
        summary = flush_and_run(pipeline, in_pages(form(rows)), table_name="customers")
        assert (summary.rejected, summary.superseded) == (0, 10)
        assert letters() == []


def test_a_newer_row_that_is_bad_keeps_its_letter(
    make: MakePipeline, emulator: Emulator, form: Callable[[Rows], Any]
) -> None:
    rows = twice()
    for row in rows[-10:]:
        row["phone_no"] = "none"
    pipeline = make()
    flush_and_run(pipeline, twice()[:10], table_name="customers")

    for _ in range(2):
        summary = flush_and_run(pipeline, in_pages(form(rows)), table_name="customers")
        assert (summary.rejected + summary.held, summary.superseded) == (10, 10)
        assert [(f"c{n}", "invalid_phone_no", "open") for n in range(10)] == letters()
    assert {"Early"} == {emulator.customers[f"c{n}"]["first_name"] for n in range(10)}
