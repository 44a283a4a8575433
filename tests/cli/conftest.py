"""The command line as a user meets it: arguments in; output, errors, and an exit code out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click.testing
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlt_bunce.cli import main
from dlt_bunce.emulator import Emulator

PROGRAM = Path(sys.executable).with_name("dlt-bunce")


@dataclass(frozen=True)
class Done:
    """What a command left on the screen."""

    output: str
    errors: str
    code: int

    @property
    def json(self) -> Any:
        """The JSON document that was printed."""
        return json.loads(self.output)


Run = Callable[..., Done]


@pytest.fixture
def run(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `dlt-bunce` in this process, configured for the emulator as a shell would be."""
    monkeypatch.setenv("DESTINATION__BUNCE__BASE_URL", emulator.base_url)
    monkeypatch.setenv("DESTINATION__BUNCE__CREDENTIALS__API_KEY", "sk_test_marked_key")
    monkeypatch.setenv("DESTINATION__BUNCE__REQUESTS_PER_MINUTE", "0")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str, stdin: str = "") -> Done:
        result = click.testing.CliRunner().invoke(main, words, input=stdin)
        return Done(result.stdout, result.stderr, result.exit_code)

    return run


@pytest.fixture
def program(run: Run) -> Run:
    """Runs `dlt-bunce` as a program of its own."""

    def run_program(*words: str) -> Done:
        done = subprocess.run(
            [PROGRAM, *words], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        return Done(done.stdout, done.stderr, done.returncode)

    return run_program


def people(*numbers: int, **changes: Any) -> list[dict[str, Any]]:
    """Good customers under the column names of a CRM."""
    return [
        {
            "id": n,
            "email": f"c{n}@example.com",
            "first_name": "Zoë",
            "last_name": 'Ọbí, "the" one',
            "mobile": f"+23481{n:08d}",
            "updated_at": 10,
        }
        | changes
        for n in numbers
    ]


def write(rows: list[dict[str, Any]], name: str = "customers.parquet") -> str:
    """A Parquet file of the rows in the working directory; its name."""
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), name)
    return name
