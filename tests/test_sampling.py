"""`make test` leaves out combinations of parameters, and no value of any."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_STORE = """
import pytest

@pytest.fixture(params=["sqlite", "postgres"])
def store(request):
    return request.param
"""
GRID = f"""{_STORE}
@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize(("text", "expected"), [("a", 1), ("b", 1), ("c", 2), ("c", 1)])
def test_a_grid(store, size, text, expected): ...

@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_list(size): ...

def test_alone(): ...
"""
LISTS = {"test_a_list[1]", "test_a_list[2]", "test_a_list[3]", "test_alone"}
TURNS = f"""{_STORE}
def test_a(store): ...
def test_b(store): ...
def test_c(): ...
def test_d(store): ...
"""
ONE = f"""{_STORE}
def test_a(store): ...
"""


def collected(folder: Path, file: str, tests: str, *options: str) -> set[str]:
    """Return the names of a file's tests that would run."""
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(tests, "utf-8")
    command = "-m pytest --collect-only -q -p no:cacheprovider -p tests.sampling"
    done = subprocess.run(
        [sys.executable, *command.split(), f"--rootdir={folder}", str(folder / file), *options],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return {line.partition("::")[2] for line in done.stdout.splitlines() if "::" in line}


@pytest.mark.parametrize("options", [[], ["--all-combinations"]])
def test_each_value_occurs_and_what_is_declared_together_stays_together(
    tmp_path: Path, options: list[str]
) -> None:
    found = collected(tmp_path, "test_theirs.py", GRID, *options)

    grid = [name.partition("[")[2][:-1].split("-") for name in found - LISTS]
    assert found >= LISTS
    assert {store for store, *_ in grid} == {"sqlite", "postgres"}
    assert {size for *_, size in grid} == {"1", "2", "3"}
    assert {tuple(pair) for _, *pair, _ in grid} == {("a", "1"), ("b", "1"), ("c", "2"), ("c", "1")}
    assert len(grid) == (24 if options else 4)


def test_the_functions_of_a_file_take_turns_with_the_stores_and_one_alone_has_both(
    tmp_path: Path,
) -> None:
    turns = collected(tmp_path, "test_turns.py", TURNS)
    one = collected(tmp_path, "test_one.py", ONE)

    assert turns == {"test_a[sqlite]", "test_b[postgres]", "test_c", "test_d[sqlite]"}
    assert one == {"test_a[sqlite]", "test_a[postgres]"}


@pytest.mark.parametrize("folder", ["invariants", "store"])
def test_what_is_about_the_store_has_each_in_every_function(tmp_path: Path, folder: str) -> None:
    found = collected(tmp_path, f"tests/{folder}/test_theirs.py", TURNS)

    stores = ("sqlite", "postgres")
    expected = {f"test_{name}[{store}]" for name in "abd" for store in stores}
    assert found == expected | {"test_c"}
