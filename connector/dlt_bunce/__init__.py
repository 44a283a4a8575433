"""dlt destination for Bunce that counts exactly one fate for every row it reads."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlt_bunce.destination.adapter import bunce_adapter
    from dlt_bunce.destination.factory import bunce
    from dlt_bunce.destination.run_summary import run_summary
    from dlt_bunce.errors import BunceError
    from dlt_bunce.model import RunSummary
    from dlt_bunce.operations.flush import flush_and_run
    from dlt_bunce.sources.dead_letters import dead_letters

__all__ = [
    "BunceError",
    "RunSummary",
    "bunce",
    "bunce_adapter",
    "dead_letters",
    "flush_and_run",
    "run_summary",
]

_MODULES = {
    "BunceError": "errors",
    "RunSummary": "model",
    "bunce": "destination.factory",
    "bunce_adapter": "destination.adapter",
    "dead_letters": "sources.dead_letters",
    "flush_and_run": "operations.flush",
    "run_summary": "destination.run_summary",
}


def __getattr__(name: str) -> Any:
    # dlt imports every installed plugin at start-up, so heavy modules are imported on first use
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
