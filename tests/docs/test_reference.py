"""Pages that follow from the code say what the code does."""

from __future__ import annotations

import pytest
from docs.generate.pages import PAGES
from docs.generate.written import logged, store_columns
from tests.docs.pages import DOCS

from dlt_bunce.logs import EVENTS
from dlt_bunce.store.schema.descriptions import TABLES

WRITTEN = DOCS / "reference"


@pytest.mark.parametrize("name", PAGES)
def test_generating_a_page_again_changes_nothing(name: str) -> None:
    assert PAGES[name]() == (WRITTEN / name).read_text("utf-8")


def test_every_page_of_the_reference_is_generated() -> None:
    assert PAGES.keys() == {path.name for path in WRITTEN.iterdir()}


def test_every_table_and_column_of_the_store_is_described() -> None:
    found = {table: {column[0] for column in columns} for table, columns in store_columns().items()}

    assert found == {table: set(told.columns) for table, told in TABLES.items()}


def test_every_event_is_found_where_it_is_logged() -> None:
    assert EVENTS.keys() == logged().keys()
