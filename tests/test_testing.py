"""The pytest plugin for users, in a test file of theirs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CONFTEST = 'pytest_plugins = ["dlt_bunce.testing"]\n'
TESTS = """
import dlt
from dlt_bunce import bunce, flush_and_run, status
from dlt_bunce.emulator import Behavior

ROW = {"id": 1, "email": "a@example.com", "first_name": "Ada", "last_name": "Obi",
       "phone": "+2348031234567"}

def load():
    pipeline = dlt.pipeline("crm", destination=bunce())
    return flush_and_run(pipeline, [ROW], table_name="customers")

def test_a_load(bunce_emulator):
    assert load().created == 1
    assert set(bunce_emulator.customers) == {"1"}
    assert status().delivered == 1
    bunce_emulator.behavior = Behavior(api_keys=("sk_test_other",))

def test_another_is_empty_again(bunce_emulator):
    assert bunce_emulator.customers == {}
    assert load().created == 1
"""


def test_the_fixture_gives_every_test_an_empty_workspace(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST, "utf-8")
    (tmp_path / "test_theirs.py").write_text(TESTS, "utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "2 passed" in done.stdout, done.stdout
