"""Dead letters that one run can send: those of tables of one name that were loaded alike.

Which pipelines loaded them makes no difference: a file a day would be a run a day to replay.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from dlt_bunce.store.database import Database
from dlt_bunce.store.runs import mappings

Letter = dict[str, Any]


class Group(NamedTuple):
    """What such dead letters share; `mapping` and `targets` are JSON."""

    table_name: str
    mapping: str
    targets: str
    disposition: str


def grouped(
    db: Database, account: str, page: Sequence[Letter], before: int
) -> dict[Group, list[Letter]]:
    """Group the dead letters that hold a row and that this replay has not just written."""
    sendable = [
        letter
        for letter in page
        if letter["source_row"] is not None and (letter["run_number"] or 0) <= before
    ]
    readers = [mappings.reader_of(letter) for letter in sendable]
    used = mappings.of_runs(db, account, (run_id for run_id, _ in readers))
    groups: dict[Group, list[Letter]] = defaultdict(list)
    for letter, reader in zip(sendable, readers, strict=True):
        table = letter["table_name"]
        run = used.get(mappings.key(*reader), mappings.UNKNOWN)
        disposition = run.disposition_of(table)
        group = Group(table, run.mapping_of(table), run.targets_of(table), disposition)
        groups[group].append(letter)
    return groups
