"""What is odd about a run that went through: a closed list of codes, counted in rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class RunWarning:
    """Why somebody should look at a run, though no row of it failed for this."""

    code: str
    meaning: str
    remedy: str


def _warnings(*warnings: RunWarning) -> Mapping[str, RunWarning]:
    return MappingProxyType({warning.code: warning for warning in warnings})


WARNINGS: Mapping[str, RunWarning] = _warnings(
    RunWarning(
        "no_rows",
        "the source has no rows, or none that this user may see",
        "check the path, table, query, and row security; --min-rows 1 makes it a failure",
    ),
    RunWarning(
        "discarded_rows",
        "a schema contract has discarded rows before the load: they have no fate",
        "use the contract freeze, which stops the load, or none",
    ),
    RunWarning(
        "deleted_at_source",
        "rows that the source marks as deleted or archived are loaded like any others",
        "leave them out: --query 'SELECT … WHERE deleted_at IS NULL', or the resource's add_filter",
    ),
    RunWarning(
        "skipped_changes",
        "customers changed since Bunce accepted them and were not sent, since the disposition is "
        "append",
        'load with write_disposition="merge" if Bunce is to have the changes',
    ),
    RunWarning(
        "ids_repeated",
        "an id comes more than once with different content, and nothing says which is newer: the "
        "last row was taken, or, where dlt has made several files, always the same",
        "name a column that grows whenever a row changes, such as updated_at, as version",
    ),
    RunWarning(
        "devices_left_out",
        "a device has no type or no token, or devices are no list of them: they were left out, and "
        "the customer was sent",
        'correct them at the source, or set devices = "strict" to reject such rows',
    ),
    RunWarning(
        "names_damaged",
        "a name holds the replacement character U+FFFD or an HTML entity such as &#39;: they were "
        "sent as they are",
        "read the source in its own encoding; to decode entities set unescape_html = true",
    ),
    RunWarning(
        "phones_shortened",
        "something stood behind a phone number, such as a second number, a counter, or an "
        "extension: it was left out",
        "keep one number to a cell at the source, if another one was meant",
    ),
    RunWarning(
        "mostly_superseded",
        "more than half of the rows are older than what the ledger has",
        "compare the version column with the last run's; if it starts anew, run dlt-bunce account "
        "forget-versions",
    ),
    RunWarning(
        "versions_unreadable",
        "the version of a row cannot be read: it was taken for newer than whatever is known",
        "correct it at the source, or set version_format to how most of them are written",
    ),
    RunWarning(
        "version_in_future",
        "the version of a row lies more than a day ahead: until then no later row of that "
        "customer is newer",
        "correct these dates at the source, then run dlt-bunce account forget-versions",
    ),
)
