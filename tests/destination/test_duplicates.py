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


Form = Callable[[Rows], Any]
# how the source gives its rows
FORMS = pytest.mark.parametrize("form", [as_dicts, as_arrow])


@pytest.fixture
def several_files(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether dlt puts the rows of the source into several files."""
    if request.param:
        monkeypatch.setenv("DATA_WRITER__FILE_MAX_ITEMS", "4000")
    return bool(request.param)


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


# one file of dicts and several of Arrow tables are tried below
@pytest.mark.parametrize(
    ("form", "several_files"), [(as_dicts, True), (as_arrow, False)], indirect=["several_files"]
)
def test_the_last_row_of_an_id_counts_and_the_next_run_sends_nothing(
    make: MakePipeline, emulator: Emulator, form: Form, *, several_files: bool
) -> None:
    rows = form(twice())

    first = flush_and_run(make(), in_pages(rows), table_name="customers")
    names = {emulator.customers[f"c{n}"]["first_name"] for n in range(10)}
    second = flush_and_run(make(), in_pages(rows), table_name="customers")

    # of files nobody knows which is the later
    assert {"Late"} == names or (several_files and names <= {"Early", "Late"})
    assert (first.created, first.superseded) == (MANY, 10)
    assert first.warnings == {"ids_repeated": 10}
    assert (second.updated, second.unchanged, second.superseded) == (0, MANY, 10)
    assert second.bulk_requests == 0


@pytest.mark.usefixtures("several_files")
@pytest.mark.parametrize(
    ("form", "several_files"), [(as_dicts, False), (as_arrow, True)], indirect=["several_files"]
)
def test_a_version_decides_against_the_order_of_reading(
    make: MakePipeline, emulator: Emulator, form: Form
) -> None:
    rows = twice(updated_at="2026-11-02T00:00:00Z")
    for row in rows[-10:]:
        row["updated_at"] = "2026-11-01T00:00:00Z"

    data = bunce_adapter(in_pages(form(rows)), version="updated_at")
    summary = flush_and_run(make(), data, table_name="customers")

    assert {emulator.customers[f"c{n}"]["first_name"] for n in range(10)} == {"Early"}
    assert (summary.created, summary.superseded) == (MANY, 10)
    assert summary.warnings == {}


@FORMS
def test_an_older_row_that_is_bad_leaves_no_letter(make: MakePipeline, form: Form) -> None:
    rows = twice()
    for row in rows[:10]:
        row["phone_no"] = "no number"
    pipeline = make()

    for _ in range(2):
        summary = flush_and_run(pipeline, in_pages(form(rows)), table_name="customers")
        assert (summary.rejected, summary.superseded) == (0, 10)
        assert letters() == []


@FORMS
def test_a_newer_row_that_is_bad_keeps_its_letter(
    make: MakePipeline, emulator: Emulator, form: Form
) -> None:
    rows = twice()
    for row in rows[-10:]:
        row["phone_no"] = "no number"
    pipeline = make()
    flush_and_run(pipeline, twice()[:10], table_name="customers")

    for _ in range(2):
        summary = flush_and_run(pipeline, in_pages(form(rows)), table_name="customers")
        assert (summary.rejected + summary.held, summary.superseded) == (10, 10)
        assert [(f"c{n}", "invalid_phone_no", "open") for n in range(10)] == letters()
    assert {emulator.customers[f"c{n}"]["first_name"] for n in range(10)} == {"Early"}
