"""Warnings about runs that succeeded: a closed list of codes, each counted in rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class RunWarning:
    """Reason to review a run even though no row failed because of it."""

    code: str
    meaning: str
    remedy: str


def _warnings(*warnings: RunWarning) -> Mapping[str, RunWarning]:
    return MappingProxyType({warning.code: warning for warning in warnings})


WARNINGS: Mapping[str, RunWarning] = _warnings(
    RunWarning(
        "no_rows",
        "the source has no rows, or none that this database user may see",
        "check the path, table, query, and row-level security; --min-rows 1 makes this a failure",
    ),
    RunWarning(
        "discarded_rows",
        "a schema contract discarded rows before the load; they have no fate",
        "set the contract to freeze, which stops the load, or remove it",
    ),
    RunWarning(
        "deleted_at_source",
        "rows marked as deleted or archived at the source were loaded like any others",
        "leave them out: --query 'SELECT … WHERE deleted_at IS NULL', or the resource's add_filter",
    ),
    RunWarning(
        "skipped_changes",
        "customers that changed since Bunce accepted them were not sent, because the disposition "
        "is append",
        'to send the changes, load with write_disposition="merge"',
    ),
    RunWarning(
        "ids_repeated",
        "an id occurs more than once with different content, and no column says which row is "
        "newer: the last row was loaded or, if dlt wrote several files, one that is always the "
        "same",
        "name a column that grows whenever a row changes, such as updated_at, as version",
    ),
    RunWarning(
        "ids_shared",
        "rows share an id with rows of at least four other emails: they may be different people, "
        "of whom only the newest row was loaded",
        "check that the id column identifies a customer, and that no spreadsheet rounded it; map "
        "another with --map customer_id=COLUMN",
    ),
    RunWarning(
        "id_may_change",
        "the column of the customer id is mapped to another field as well, such as the email: if "
        "it changes for a person, Bunce gets another customer",
        "if the source has an id that stays the same, map it: --map customer_id=COLUMN",
    ),
    RunWarning(
        "devices_left_out",
        "a device has no type or no token, or devices is not a list: those devices were left out, "
        "and the customer was sent",
        'correct them at the source, or set devices = "strict" to reject such rows',
    ),
    RunWarning(
        "names_damaged",
        "a name contains the replacement character U+FFFD or an HTML entity such as &#39;; it was "
        "sent unchanged",
        "read the source in its own encoding; to decode entities, set unescape_html = true",
    ),
    RunWarning(
        "placeholders_blank",
        "a name, an email, a phone number, or an id was a word for nothing, such as NULL, N/A, or "
        "-; it was treated as blank",
        "correct it at the source; to send such values as they are, set blank_placeholders = false",
    ),
    RunWarning(
        "phones_shortened",
        "a phone number was followed by other text, such as a second number, a counter, or an "
        "extension; that text was left out",
        "if another number was meant, keep one number per cell at the source",
    ),
    RunWarning(
        "links_ended",
        "the source has a row with the id of a customer in Bunce that another of its customers was "
        "linked to; the link was ended, and that customer is sent again when its row is next read; "
        "attribute values that the other row brought stay until this row brings its own",
        "find out whether the two rows are one person: dlt-bunce links list --ended shows them",
    ),
    RunWarning(
        "linked_from_a_part",
        "customers were linked by a load that read a part of the source: a row that it did not "
        "read may have the id or the email of one of them",
        "make one complete load with links; dlt-bunce links list shows them",
    ),
    RunWarning(
        "append_overwrites",
        "customers were created under append, and a probe found that Bunce overwrites an id that "
        "is created again: those whom Bunce had under the same id have been overwritten",
        "run dlt-bunce adopt before the next load, so that they are known",
    ),
    RunWarning(
        "mapping_changed",
        "a field is mapped to another column than in the last run, and the source is read by a "
        "cursor: customers who were not read keep what the earlier mapping sent (counted in "
        "customers)",
        'read all rows once: run with refresh="drop_resources", or under another pipeline name',
    ),
    RunWarning(
        "mostly_superseded",
        "more than half of the rows are older than the ledger's version of them",
        "compare the version column with the last run's; if its values started over, run dlt-bunce "
        "account forget-versions",
    ),
    RunWarning(
        "versions_unreadable",
        "a row's version cannot be parsed; the row was treated as newer than any other",
        "correct it at the source, or set version_format to the format that most versions have",
    ),
    RunWarning(
        "targets_not_compared",
        "a dry run could not ask Bunce for its attributes and segments, so values were counted "
        "with the types of the last load, or with those that follow from the columns",
        "set an API key, check that Bunce can be reached, and try again",
    ),
    RunWarning(
        "version_in_future",
        "a row's version is more than a day in the future; until that date, no later row of the "
        "customer counts as newer",
        "correct these dates at the source, then run dlt-bunce account forget-versions",
    ),
    RunWarning(
        "value_rows_without_id",
        "rows that hold values alone have no usable customer id, so nobody can be given them",
        "check the column of customer_id; name another with --map customer_id=COLUMN",
    ),
    RunWarning(
        "value_rows_waiting",
        "rows that hold values alone are of customers whom Bunce does not have: nothing was sent, "
        "and the rows are not kept, so no later run sends them unless it reads them again",
        "load these customers, which dlt-bunce rejected-values waiting lists, then read the rows "
        "again: all of them once, without the cursor, if the table is read by one",
    ),
    RunWarning(
        "absent_members_kept",
        "members of segments are absent from a table that is declared whole, but too many of them, "
        "or too few rows were read: no absent member of these segments was removed (counted in "
        "members)",
        "check that the source is complete; if it is, load once with --segments-min-share 0",
    ),
    RunWarning(
        "absent_members_unknown",
        "rows of a table that is declared whole have no usable customer id, were not loaded, or "
        "are a part of the source, so it is not known who is absent: no absent member was removed",
        "correct the ids at the source; the next complete read tells who is absent",
    ),
    RunWarning(
        "values_resent",
        "attribute values or segment members were sent again, because an earlier try of the same "
        "load file ended before it recorded whether Bunce took them",
        "none: writing the same value twice does no harm",
    ),
)
