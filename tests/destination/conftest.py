"""The destination as a dlt user meets it: real pipelines against the emulated API."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import dlt
import pyarrow as pa
import pytest
from dlt.common.schema import Schema
from dlt.pipeline.exceptions import PipelineStepFailed

from dlt_bunce import bunce
from dlt_bunce.destination.client import BunceClient
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import bunce_error
from dlt_bunce.operations.replay import Replayed, replay
from dlt_bunce.store.database import Database

STORE = "sqlite:///bunce.sqlite"
MakePipeline = Callable[..., dlt.Pipeline]
Form = Callable[[list[dict[str, Any]]], Any]


def customer(number: int, **changes: Any) -> dict[str, Any]:
    """A good row, with changes."""
    return {
        "customer_id": f"c{number}",
        "email": f"c{number}@example.com",
        "first_name": "Ada",
        "last_name": "Obi",
        "phone_no": f"+23481{number:08d}",
    } | changes


@pytest.fixture
def make(emulator: Emulator) -> MakePipeline:
    """Makes a pipeline into the emulator."""

    def make(name: str = "crm", **settings: Any) -> dlt.Pipeline:
        settings = {"credentials": "sk_test_marked", "base_url": emulator.base_url} | settings
        return dlt.pipeline(name, destination=bunce(requests_per_minute=0, **settings))

    return make


@pytest.fixture(params=["dicts", "arrow"])
def form(request: pytest.FixtureRequest) -> Form:
    """Makes rows of either kind: dicts, or an Arrow table."""
    return list if request.param == "dicts" else pa.Table.from_pylist


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> str:
    """A store_url of an empty store, of either kind."""
    return STORE if request.param == "sqlite" else str(request.getfixturevalue("postgres_store"))


@pytest.fixture
def warned(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Gives the events that were logged since the last call, at the level of warnings."""
    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "WARNING")
    logger = logging.getLogger("dlt")
    before = logger.level
    logger.setLevel(logging.WARNING)

    def events() -> list[dict[str, Any]]:
        lines = capsys.readouterr().err.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    yield events
    logger.setLevel(before)


def replayed(emulator: Emulator, **options: Any) -> Replayed:
    """Replays the open letters with the configuration of `make`, and `settings` of its own."""
    settings = {"base_url": emulator.base_url, **options.pop("settings", {})}
    destination = bunce(credentials="sk_test_marked", requests_per_minute=0, **settings)
    client = destination.client(Schema("replay"), initial_config=destination.spec())
    assert isinstance(client, BunceClient)
    return replay(client, **options)


def letters(columns: str = "customer_id, code, status") -> list[tuple[Any, ...]]:
    """Dead letters in the store, ordered by customer."""
    with Database(STORE) as db:
        rows = db.rows(f"SELECT {columns} FROM bunce_dead_letters ORDER BY customer_id, code")
    return [tuple(row.values()) for row in rows]


def refused(pipeline: dlt.Pipeline, data: Any, **options: Any) -> Exception:
    """The error of ours behind a run that must fail."""
    with pytest.raises(PipelineStepFailed) as failure:
        pipeline.run(data, **options)
    error = bunce_error(failure.value)
    assert error is not None
    return error
