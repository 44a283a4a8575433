"""Structured log events: JSON lines, or readable text on a terminal, at dlt's log level.

Events carry counts, table and setting names, and statuses, never customer data.
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TextIO

EVENTS: Mapping[str, str] = MappingProxyType(
    {
        "source.read_as": "what was assumed about a file, such as its encoding",
        "load.started": "a file of customers has started to load: table, disposition, job",
        "load.progress": "once a minute: rows, requests, rate, and estimated time remaining",
        "load.mapped": "which source column maps to which field, and how the mapping was chosen",
        "load.finished": "a file is settled: its row counts by fate",
        "values.started": "customers of a file are settled, and some of its attribute values or "
        "segment members have changed: the chunks to read again",
        "values.before_customers": "a file of values alone goes ahead of files of customers that "
        "no worker is free to load; values of new customers wait for the next run",
        "values.left_out": "a replay leaves out an attribute or segment that the run of its dead "
        "letters had: it no longer fits, or Bunce has it no more",
        "segments.absent_kept": "members of a segment are absent from a table that is declared "
        "whole, but too many of them, or too few rows were read: none of them was removed",
        "segments.absent_unknown": "rows of a table that is declared whole have no usable customer "
        "id, were not loaded, or are a part of the source, so no absent member of its segments was "
        "removed",
        "attribute.created": "an attribute was created in Bunce, with the type of its column",
        "load.waiting": "another run has claimed some of the rows; waiting until its lease ends",
        "probe.finished": "a probe ended: requests sent, test customers that may have been created",
        "probe.contradicted": "a load found another answer to these questions than the probe did",
        "probe.cut_short": "a probe has used up its requests; questions that are left are unknown",
        "run.waiting": "another run holds the working folder; waiting for up to at_most_s",
        "package.given_up": "a package failed before any of its rows was sent, because of a "
        "mistake in the settings or the source; it was dropped and the incremental cursor "
        "restored; rows_kept_in says where its rows are, if they were kept",
        "cursor.put_back": "the package with the rows before an incremental cursor was deleted "
        "before it was loaded; the cursor is that of the last completed load again, so its rows "
        "are read again",
        "package.kept": "a failed package was kept, because the store could not be read to find "
        "out whether any of its rows was sent",
        "lease.not_released": "the store was unreachable, so this load could not release its "
        "claims; they expire with its lease",
        "budget.brought_back": "the next request was scheduled later than possible because a "
        "clock was wrong; it is now due immediately",
        "lease.brought_back": "an earlier load had claimed rows for longer than possible because a "
        "clock was wrong; its claims have expired, and rows that it may have sent are looked up",
        "load.stopped": "a file could not be finished; dlt keeps its rows for the next run",
        "run.finished": "a run is loaded: its counts of rows by fate, and of attribute values "
        "and segment members if it has any; at level WARNING, with the commands that list them, if "
        "rows of a plain pipeline.run() were rejected or held, or values rejected",
        "run.not_recorded": "a run failed and could not be recorded, because of the "
        "store; the next run records it",
        "run.warnings": "a run was loaded with warnings: row counts by warning code",
        "run.over_threshold": "a run was loaded and recorded, but is outside a threshold",
        "telemetry.unsupported": "OpenTelemetry's API is too old for metrics; telemetry is off",
        "run.hook_failed": "on_run_end raised an exception, so the end of the run was not reported",
        "load.flushed": "rows left over from an earlier run are loaded before the new ones",
        "load.earlier_mapping": "a plain pipeline.run() loads rows left over from an earlier run "
        "with the mapping of that run, since it was given no other: columns by field, and when the "
        "rows were read; flush_and_run(pipeline, data) loads them with the mapping of data",
        "erase.finished": "customers were erased: rows removed, by place",
        "adopt.finished": "all customers that Bunce lists are in the ledger",
        "adopt.restarted": "Bunce no longer accepts the cursor of an earlier adoption; starting "
        "over",
        "budget.paused": "requests are paused after Bunce rejected one for exceeding the rate "
        "limit; every load that shares the limit waits",
        "lease.not_renewed": "the store was unreachable, so this load could not renew its lease",
        "package.removed": "the remains of a package that dlt was deleting when it was killed "
        "were removed",
        "load.chunk": "a chunk of the file was compared with the ledger",
        "batch.settled": "a batch is settled: its row counts by fate, and how many calls it took",
        "batch.halved": "Bunce refused a batch without naming a row, so it is sent in two halves",
        "request.done": "a request was answered or failed",
        "request.retry": "a request will be retried after a wait",
        "links.made": "customers were linked to ids that Bunce has, and others refused to be",
        "links.lost": "Bunce does not know linked customers any more; their links have ended",
        "lookup.unsupported": "Bunce offers no lookup of customers by id",
    }
)


def _level() -> int:
    from dlt.common import logger as dlt_logger

    return dlt_logger.LOGGER.level if dlt_logger.LOGGER else logging.WARNING


def logger() -> Any:
    """Return the package's logger, filtered by dlt's current `[runtime] log_level`."""
    return _logger(_level())


def always() -> Any:
    """Return a logger that ignores dlt's log level, for output that the user asked for."""
    return _logger(logging.INFO)


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a stream is a terminal; Python has None for one that is closed."""
    return stream is not None and not stream.closed and stream.isatty()


def _logger(level: int) -> Any:
    import structlog

    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.dev.ConsoleRenderer()
        if is_terminal(sys.stderr)
        else structlog.processors.JSONRenderer(),
    ]
    return structlog.wrap_logger(
        structlog.WriteLogger(sys.stderr or io.StringIO()),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
