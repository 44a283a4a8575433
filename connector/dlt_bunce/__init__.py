"""dlt destination for Bunce that counts exactly one fate for every row it reads."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlt_bunce.destination.factory import bunce
    from dlt_bunce.destination.mapping.adapter import bunce_adapter
    from dlt_bunce.destination.runs.run_summary import run_summary
    from dlt_bunce.errors import (
        AccountError,
        AccountRefusedError,
        BunceError,
        ConfigurationError,
        ConservationError,
        CredentialsError,
        DispositionError,
        ListingError,
        MappingError,
        RejectThresholdError,
        RowsDeferredError,
        RunInProgressError,
        SourceError,
        StoppedError,
        StoreError,
        ThresholdError,
        TooFewRowsError,
        UnavailableError,
        UnknownTableError,
        UsageError,
    )
    from dlt_bunce.model import RunSummary
    from dlt_bunce.operations.flush import flush_and_run
    from dlt_bunce.operations.functions import (
        Status,
        adopt,
        check,
        discard,
        erase,
        replay,
        status,
    )
    from dlt_bunce.operations.rejected_values import Retried
    from dlt_bunce.operations.value_functions import (
        RejectedValue,
        WaitingValues,
        discard_values,
        rejected_values,
        retry_values,
        waiting_values,
    )
    from dlt_bunce.sources.dead_letters import dead_letters
    from dlt_bunce.store.letters.selection import Selection
    from dlt_bunce.store.values.rejected_values import ValueSelection

__all__ = [
    "AccountError",
    "AccountRefusedError",
    "BunceError",
    "ConfigurationError",
    "ConservationError",
    "CredentialsError",
    "DispositionError",
    "ListingError",
    "MappingError",
    "RejectThresholdError",
    "RejectedValue",
    "Retried",
    "RowsDeferredError",
    "RunInProgressError",
    "RunSummary",
    "Selection",
    "SourceError",
    "Status",
    "StoppedError",
    "StoreError",
    "ThresholdError",
    "TooFewRowsError",
    "UnavailableError",
    "UnknownTableError",
    "UsageError",
    "ValueSelection",
    "WaitingValues",
    "adopt",
    "bunce",
    "bunce_adapter",
    "check",
    "dead_letters",
    "discard",
    "discard_values",
    "erase",
    "flush_and_run",
    "rejected_values",
    "replay",
    "retry_values",
    "run_summary",
    "status",
    "waiting_values",
]

_MODULES = {
    "AccountError": "errors",
    "AccountRefusedError": "errors",
    "BunceError": "errors",
    "ConfigurationError": "errors",
    "ConservationError": "errors",
    "CredentialsError": "errors",
    "DispositionError": "errors",
    "ListingError": "errors",
    "MappingError": "errors",
    "RejectThresholdError": "errors",
    "RejectedValue": "operations.value_functions",
    "Retried": "operations.rejected_values",
    "RowsDeferredError": "errors",
    "RunInProgressError": "errors",
    "RunSummary": "model",
    "Selection": "store.letters.selection",
    "SourceError": "errors",
    "Status": "operations.functions",
    "StoppedError": "errors",
    "StoreError": "errors",
    "ThresholdError": "errors",
    "TooFewRowsError": "errors",
    "UnavailableError": "errors",
    "UnknownTableError": "errors",
    "UsageError": "errors",
    "ValueSelection": "store.values.rejected_values",
    "WaitingValues": "operations.value_functions",
    "adopt": "operations.functions",
    "bunce": "destination.factory",
    "bunce_adapter": "destination.mapping.adapter",
    "check": "operations.functions",
    "dead_letters": "sources.dead_letters",
    "discard": "operations.functions",
    "discard_values": "operations.value_functions",
    "erase": "operations.functions",
    "flush_and_run": "operations.flush",
    "rejected_values": "operations.value_functions",
    "replay": "operations.functions",
    "retry_values": "operations.value_functions",
    "run_summary": "destination.runs.run_summary",
    "status": "operations.functions",
    "waiting_values": "operations.value_functions",
}


if not TYPE_CHECKING:  # type checkers would take any name for one of the package

    def __getattr__(name: str) -> Any:
        # dlt imports every installed plugin at start-up, so heavy modules are imported on first use
        if name in _MODULES:
            return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
