"""dlt destination for Bunce: every row read ends in exactly one counted fate."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlt_bunce.adapter import bunce_adapter
    from dlt_bunce.destinations import bunce
    from dlt_bunce.errors import BunceError
    from dlt_bunce.letters import dead_letters
    from dlt_bunce.model import RunSummary
    from dlt_bunce.running import flush_and_run
    from dlt_bunce.summary import run_summary

__all__ = [
    "BunceError",
    "RunSummary",
    "bunce",
    "bunce_adapter",
    "dead_letters",
    "flush_and_run",
    "run_summary",
]

_HOMES = {
    "BunceError": "errors",
    "RunSummary": "model",
    "bunce": "destinations",
    "bunce_adapter": "adapter",
    "dead_letters": "letters",
    "flush_and_run": "running",
    "run_summary": "summary",
}


def __getattr__(name: str) -> Any:
    # dlt imports its plugins at every start of every user: nothing heavy may come along
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
