"""`make test` leaves out combinations of parameters, and no value of any."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

@pytest.fixture(params=["sqlite", "postgres"])
def store(request):
    return request.param

@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize(("text", "expected"), [("a", 1), ("b", 1), ("c", 2), ("c", 1)])
def test_a_grid(store, size, text, expected): ...

@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_list(size): ...

def test_alone(): ...
"""
LISTS = {"test_a_list[1]", "test_a_list[2]", "test_a_list[3]", "test_alone"}


@pytest.mark.parametrize("options", [[], ["--all-combinations"]])
def test_each_value_occurs_and_what_is_declared_together_stays_together(
    tmp_path: Path, options: list[str]
) -> None:
    (tmp_path / "test_theirs.py").write_text(TESTS, "utf-8")

    command = "-m pytest --collect-only -q -p no:cacheprovider -p tests.sampling"
    done = subprocess.run(
        [sys.executable, *command.split(), f"--rootdir={tmp_path}", str(tmp_path), *options],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )

    found = {line.partition("::")[2] for line in done.stdout.splitlines() if "::" in line}
    grid = [name.partition("[")[2][:-1].split("-") for name in found - LISTS]
    assert found >= LISTS
    assert {store for store, *_ in grid} == {"sqlite", "postgres"}
    assert {size for *_, size in grid} == {"1", "2", "3"}
    assert {tuple(pair) for _, *pair, _ in grid} == {("a", "1"), ("b", "1"), ("c", "2"), ("c", "1")}
    assert len(grid) == (24 if options else 4)
