"""A sample of the tests that are repeated for every combination of their parameters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import pytest

# parameters that are declared together, and the objects that a test gets for them
Value = tuple[tuple[str, ...], tuple[int, ...]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all-combinations",
        action="store_true",
        help="run every combination of parameters, not a sample that has each value",
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out combinations of parameters, unless all are asked for."""
    if config.getoption("--all-combinations"):
        return
    kept = sample(items)
    config.hook.pytest_deselected(items=[test for test in items if test not in kept])
    items[:] = [test for test in items if test in kept]


def sample(tests: Iterable[pytest.Item]) -> set[pytest.Item]:
    """Return enough tests of each function that every value of every parameter occurs."""
    functions = defaultdict(list)
    for test in tests:
        functions[test.nodeid.partition("[")[0]].append(test)
    return {test for variants in functions.values() for test in _covering(variants)}


def _covering(variants: list[pytest.Item]) -> list[pytest.Item]:
    values = {test: _values(test) for test in variants}
    missing = set().union(*values.values())
    if not missing:
        return variants
    chosen = []
    while missing:
        # among equals, the first in the order of the file
        best = max(variants, key=lambda test: len(values[test] & missing))
        chosen.append(best)
        missing -= values[best]
    return chosen


def _values(test: pytest.Item) -> set[Value]:
    # a test without parameters has no callspec
    params = test.callspec.params if hasattr(test, "callspec") else {}
    declared = [_names(mark.args[0]) for mark in test.iter_markers("parametrize")]
    named = {name for names in declared for name in names}
    of_fixtures = [(name,) for name in params if name not in named]
    return {(names, tuple(id(params[name]) for name in names)) for names in declared + of_fixtures}


def _names(argument: str | Sequence[str]) -> tuple[str, ...]:
    names = argument.split(",") if isinstance(argument, str) else argument
    return tuple(name.strip() for name in names)
