"""Data frames are read like Arrow tables, which dlt makes of them after the resource."""

from __future__ import annotations

import sys
from typing import Any

import dlt
import pyarrow as pa
import pytest

from dlt_bunce.emulator import Emulator

from .conftest import MakePipeline, customer
from .test_mappings import load

if sys.version_info < (3, 11):
    pytest.skip("polars' pinned version needs Python 3.11", allow_module_level=True)

import polars as pl

ROWS = [customer(1), customer(2)]


def frame(**columns: Any) -> pl.DataFrame:
    """Two customers, with more columns."""
    return pl.DataFrame(ROWS).with_columns(**columns)


def arrow(**columns: Any) -> list[pa.Table]:
    """The same in a list."""
    return [frame(**columns).to_arrow()]


@pytest.mark.parametrize("kind", [frame, arrow])
def test_a_column_without_any_value_is_blank(
    make: MakePipeline, emulator: Emulator, kind: Any
) -> None:
    rows = [kind(later=pl.lit(None))]

    customers = dlt.resource(rows, name="customers")
    done = load(make(), "flush_and_run", "rows", customers, version="later")

    assert done.created == 2


def test_types_that_dlt_has_no_column_for_stop_no_load(
    make: MakePipeline, emulator: Emulator
) -> None:
    rows = [frame(since=pl.duration(days=2), at=pl.time(1, 2, 3))]

    done = load(make(), "run", "rows", dlt.resource(rows, name="customers"))

    assert done.created == 2


@pytest.mark.parametrize("kind", [frame, arrow])
def test_a_page_without_values_in_a_column_follows_one_with_them(
    make: MakePipeline, emulator: Emulator, kind: Any
) -> None:
    """Text of data frames is of Arrow's large type, dlt's own columns of nulls are not."""
    pages = [kind(plan=pl.lit("pro")), kind(plan=pl.lit(None)), kind(), frame().clear()]

    done = load(make(), "flush_and_run", "rows", dlt.resource(pages, name="customers"))

    assert (done.read, done.created, done.rejected) == (6, 2, 0)


@pytest.mark.parametrize("empty", [pl.DataFrame([]), pa.Table.from_pylist([])])
def test_a_page_that_is_made_of_no_rows_has_no_columns_to_check(
    make: MakePipeline, emulator: Emulator, empty: Any
) -> None:
    def read(*pages: Any) -> tuple[int, int, int]:
        customers = dlt.resource(list(pages), name="customers", write_disposition="merge")
        done = load(make(), "flush_and_run", "rows", customers)
        return done.read, done.created, done.unchanged

    assert [read(empty), read(empty, frame()), read(frame(), empty), read(empty)] == [
        (0, 0, 0),
        (2, 2, 0),
        (2, 0, 2),
        (0, 0, 0),
    ]
