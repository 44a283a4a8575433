"""A sample of the tests that are repeated for every combination of their parameters."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import pytest

# parameters that are declared together, and the objects that a test gets for them
Value = tuple[tuple[str, ...], tuple[int, ...]]
ABOUT_FIXTURES = ("tests/invariants/", "tests/store/")
"""Folders whose tests are about the store, which a fixture of theirs gives them."""
LONGEST = "tests/pipelines/"
"""The folder whose tests take longest."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all-combinations",
        action="store_true",
        help="run every combination of parameters, not a sample that has each value",
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the longest tests; leave out combinations, unless all are asked for.

    Then the workers end together, and the longest tests share one worker's Airflow and Dagster.
    """
    items.sort(key=lambda test: not test.nodeid.startswith(LONGEST))
    if config.getoption("--all-combinations"):
        return
    kept = sample(items)
    config.hook.pytest_deselected(items=[test for test in items if test not in kept])
    items[:] = [test for test in items if test in kept]


def sample(tests: Iterable[pytest.Item]) -> set[pytest.Item]:
    """Return enough tests that every value of every parameter occurs: in each function those that
    it declares, and in each file those of its fixtures, of which the functions take turns.

    In the folders whose tests are about their fixtures, these values occur in each function, too.
    """
    functions: dict[str, dict[str, list[pytest.Item]]] = defaultdict(lambda: defaultdict(list))
    for test in tests:
        function = test.nodeid.partition("[")[0]
        functions[function.partition("::")[0]][function].append(test)
    chosen: set[pytest.Item] = set()
    for file, theirs in functions.items():
        used: Counter[Value] = Counter()
        for variants in theirs.values():
            wanted = set().union(*map(_declared, variants))
            if file.startswith(ABOUT_FIXTURES):
                wanted = wanted.union(*map(_of_fixtures, variants))
            chosen |= _covering(variants, wanted, used)
        there = [test for variants in theirs.values() for test in variants]
        unused = set().union(*map(_of_fixtures, there)) - used.keys()
        if unused:
            chosen |= _covering(there, unused, used)
    return chosen


def _covering(
    tests: list[pytest.Item], wanted: set[Value], used: Counter[Value]
) -> set[pytest.Item]:
    """Return at least one test, and as few as have all `wanted` values; count those of fixtures."""
    chosen: list[pytest.Item] = []
    while wanted or not chosen:
        # among equals, the one whose turn it is, and of these the first in the order of the file
        best = max(tests, key=lambda test: (len(_values(test) & wanted), -_uses(test, used)))
        chosen.append(best)
        used.update(_of_fixtures(best))
        wanted = wanted - _values(best)
    return set(chosen)


def _uses(test: pytest.Item, used: Counter[Value]) -> int:
    return sum(used[value] for value in _of_fixtures(test))


@cache
def _values(test: pytest.Item) -> set[Value]:
    return _declared(test) | _of_fixtures(test)


@cache
def _declared(test: pytest.Item) -> set[Value]:
    params = _params(test)
    together = [_names(mark.args[0]) for mark in test.iter_markers("parametrize")]
    return {(names, tuple(id(params[name]) for name in names)) for names in together}


@cache
def _of_fixtures(test: pytest.Item) -> set[Value]:
    declared = {name for names, _ in _declared(test) for name in names}
    return {
        ((name,), (id(value),)) for name, value in _params(test).items() if name not in declared
    }


def _params(test: pytest.Item) -> dict[str, Any]:
    # a test without parameters has no callspec
    return test.callspec.params if hasattr(test, "callspec") else {}


def _names(argument: str | Sequence[str]) -> tuple[str, ...]:
    names = argument.split(",") if isinstance(argument, str) else argument
    return tuple(name.strip() for name in names)
