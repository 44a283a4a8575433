"""A database that cannot be reached when its source is opened."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec

import dlt
from dlt.extract import DltResource

from dlt_bunce.sources.resources import TABLE

_P = ParamSpec("_P")
_OUTAGES = frozenset({"OperationalError", "InterfaceError", "IOException", "ConnectionException"})
_MODULES = frozenset({"sqlalchemy", "duckdb", "_duckdb"})


def raised_when_read(opening: Callable[_P, DltResource]) -> Callable[_P, DltResource]:
    """Let a resource raise, once it is read, why its database could not be reached.

    The error is then one of the run that reads: recorded, and passed to `on_run_end`. A mistake,
    such as a table that does not exist, is raised at once.
    """

    @functools.wraps(opening)
    def opened(*args: _P.args, **kwargs: _P.kwargs) -> DltResource:
        try:
            return opening(*args, **kwargs)
        except Exception as error:
            if not _is_outage(error):
                raise
            unreachable: DltResource = dlt.resource(
                _raising(error), name=TABLE, write_disposition="merge"
            )
            return unreachable

    return opened


def _raising(error: Exception) -> Iterator[Any]:
    raise error
    yield


def _is_outage(error: Exception) -> bool:
    kinds = type(error).__mro__
    return any(
        kind.__name__ in _OUTAGES and kind.__module__.partition(".")[0] in _MODULES
        for kind in kinds
    )
