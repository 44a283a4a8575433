"""One process_pool for all tests, and a store of each kind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .scenario import ProcessPool, process_pool


@pytest.fixture(scope="session")
def loads() -> Iterator[ProcessPool]:
    """Where loads are run as processes."""
    with process_pool() as loads:
        yield loads


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> str:
    """A store_url of each engine."""
    if request.param == "sqlite":
        return "sqlite:///bunce.sqlite"
    return str(request.getfixturevalue("postgres_store"))
