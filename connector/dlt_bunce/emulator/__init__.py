"""A local emulator of Bunce's API, for tests, demos, and benchmarks.

    with Emulator(Behavior(failure="atomic")) as bunce:
        requests.post(f"{bunce.base_url}/customers/bulk", ...)

The defaults are the behavior that Bunce documents. Each point its documentation leaves open is a
switch of `Behavior`, and each failure is a `Fault`. Requires `pip install dlt-bunce[emulator]`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from dlt_bunce.emulator.behavior import Behavior, Fault, FaultKind

if TYPE_CHECKING:
    from dlt_bunce.emulator.app import create_app
    from dlt_bunce.emulator.server import Emulator, serve
    from dlt_bunce.emulator.traffic import RequestRecord

__all__ = [
    "Behavior",
    "Emulator",
    "Fault",
    "FaultKind",
    "RequestRecord",
    "create_app",
    "serve",
]

_MODULES = {
    "Emulator": "server",
    "RequestRecord": "traffic",
    "create_app": "app",
    "serve": "server",
}


def __getattr__(name: str) -> object:
    # starlette and uvicorn are optional: switches can be imported without them
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
