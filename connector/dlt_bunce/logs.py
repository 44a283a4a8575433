"""Structured log events: JSON lines, or readable text on a terminal, at dlt's log level.

Events carry counts, names of tables and settings, and statuses; never values of customers.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

EVENTS: Mapping[str, str] = MappingProxyType(
    {
        "load.started": "a file of customers begins: table, disposition, job",
        "load.progress": "once a minute: rows, requests, rate, and the time that is left",
        "load.mapped": "which source column feeds which field, and how that was decided",
        "load.finished": "a file is settled: its counts by fate",
        "load.waiting": "another run has claimed rows: they are waited for until its lease is over",
        "run.waiting": "another run holds the working folder: it is waited for, so long at most",
        "package.given_up": "a package failed by a mistake before a row was sent: it is dropped, "
        "and the cursor put back; where its rows are kept, if they are",
        "package.kept": "the store could not say whether a row of a failed package was sent",
        "lease.not_released": "the store could not be reached to give up this load's claims",
        "budget.brought_back": "the next request was due further ahead than it can be, since a "
        "clock was wrong: it is due now",
        "load.stopped": "a file cannot be finished now; its rows stay with dlt for the next run",
        "run.warnings": "a run is loaded, and something about it is odd: rows by code",
        "run.over_threshold": "a run is loaded and recorded, but not what a threshold allows",
        "telemetry.unsupported": "OpenTelemetry's API is too old for metrics: nothing is measured",
        "run.hook_failed": "on_run_end has raised, so nobody was told how the run has ended",
        "load.flushed": "rows that an earlier run left behind are loaded before the new ones",
        "erase.finished": "persons are erased: rows removed, by place",
        "adopt.finished": "all customers of Bunce's listing are in the ledger",
        "adopt.restarted": "the cursor of an earlier adoption is known no longer",
        "budget.paused": "Bunce refused a request for its number; all who share the address wait",
        "lease.not_renewed": "the store could not be reached to keep this load's rows its own",
        "package.removed": "what a kill left of a package that dlt was deleting is gone",
        "load.chunk": "a part of the file was compared with the ledger",
        "batch.settled": "a batch is settled: its counts by fate, and how many calls it took",
        "batch.halved": "nobody was named in a refusal, so the batch is sent in halves",
        "request.done": "a request was answered, or not",
        "request.retry": "a request will be tried again after a wait",
        "lookup.unsupported": "customers cannot be looked up by id here",
    }
)


def _level() -> int:
    from dlt.common import logger as dlt_logger

    return dlt_logger.LOGGER.level if dlt_logger.LOGGER else logging.WARNING


def logger() -> Any:
    """The package's logger, filtered by dlt's present log level (`[runtime] log_level`)."""
    return _logger(_level())


def always() -> Any:
    """The same at any log level, for what somebody has asked to see."""
    return _logger(logging.INFO)


def _logger(level: int) -> Any:
    import structlog

    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.dev.ConsoleRenderer()
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer(),
    ]
    return structlog.wrap_logger(
        structlog.WriteLogger(sys.stderr),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
