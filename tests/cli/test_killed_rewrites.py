"""A process that is killed while it writes extracted rows again leaves no row that nobody finds."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlt
import pytest
from tests.forks import Forks

from dlt_bunce import bunce, flush_and_run
from dlt_bunce.emulator import Emulator

from .conftest import Run
from .test_erase_packages import files_with

KILLED = """
import os, signal, sys

import dlt
from dlt_bunce import bunce

moves = 0


def kill_in_the_second_file(event, arguments):
    global moves
    to = str(arguments[1]) if event == "os.rename" else ""
    if "extracted" in to and "new_jobs" in to:
        moves += 1
        if moves == 2:
            os.kill(os.getpid(), signal.SIGKILL)


rows = [
    {
        "customer_id": f"c{n}",
        "email": f"c{n}@example.com",
        "first_name": "Ada",
        "last_name": "Obi",
        "phone_no": f"+23481{n:08d}",
        "spent": n,
    }
    for n in (1, 2)
]
sys.addaudithook(kill_in_the_second_file)
settings = {"create_attributes": True, "attributes": {"spent": "Spent"}}
pipeline = dlt.pipeline("crm", destination=bunce(**settings))
pipeline.run(rows, table_name="customers", write_disposition="merge")
"""
SETTINGS: Any = {"create_attributes": True, "attributes": {"spent": "Spent"}}


def pipeline() -> dlt.Pipeline:
    return dlt.pipeline("crm", destination=bunce(**SETTINGS))


def people(*numbers: int) -> list[dict[str, Any]]:
    return [
        {
            "customer_id": f"c{n}",
            "email": f"c{n}@example.com",
            "first_name": "Ada",
            "last_name": "Obi",
            "phone_no": f"+23481{n:08d}",
        }
        for n in numbers
    ]


def parts() -> list[Path]:
    """Files that were being written."""
    return [path for path in Path().rglob("extracted/*/.*") if path.is_file()]


@pytest.fixture(autouse=True)
def _killed(run: Run, monkeypatch: pytest.MonkeyPatch, loading: Forks) -> None:
    """A plain run of two files, after a complete one, is killed when the first is written again."""
    flush_and_run(dlt.pipeline("crm", destination=bunce()), people(9), table_name="customers")
    monkeypatch.setenv("DATA_WRITER__FILE_MAX_ITEMS", "1")
    monkeypatch.setenv("DATA_WRITER__BUFFER_MAX_ITEMS", "1")
    done = subprocess.run(loading.python(KILLED), capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(parts()) == 1


def test_erasure_removes_what_was_being_written(run: Run) -> None:
    for number in (1, 2):
        assert run("erase", f"c{number}", "--yes", "--json").json["package_rows"] == 1
        assert files_with(f"c{number}@example.com".encode()) == []

    assert parts() == []


def _plain() -> None:
    pipeline().run(people(3), table_name="customers", write_disposition="merge")


def _flushed() -> None:
    flush_and_run(pipeline(), people(3), table_name="customers")


@pytest.mark.parametrize("again", [_plain, _flushed])
def test_the_next_run_goes_on_with_the_types_that_were_found_before(
    emulator: Emulator, again: Callable[[], None]
) -> None:
    again()

    made = [(a["name"], a["data_type"]) for a in emulator.attributes.attributes]
    assert made == [("Spent", "numeric")]
    assert [emulator.attributes.values_of(f"c{n}") for n in (1, 2)] == [
        {"Spent": "1"},
        {"Spent": "2"},
    ]
    assert parts() == []
