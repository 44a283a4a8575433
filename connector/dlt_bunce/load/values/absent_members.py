"""Members of segments who are absent from a table that is declared whole: found, and removed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.errors import AccountRefusedError, RowsDeferredError, StoppedError
from dlt_bunce.load.chunks import CHUNK_ROWS, Source
from dlt_bunce.load.dispatch import prefetch
from dlt_bunce.load.values.value_batches import repeat, to_send
from dlt_bunce.load.values.values import ValueDelivery
from dlt_bunce.load.values.values_in_flight import RowLeft
from dlt_bunce.records.fields.fields import identifiers
from dlt_bunce.records.fields.rules import Rules
from dlt_bunce.records.mapping.mapping import FieldMapping
from dlt_bunce.records.mapping.source_columns import variants_of
from dlt_bunce.records.values.targets import Target, value_seed
from dlt_bunce.records.values.value_digests import membership, possible_members
from dlt_bunce.records.values.values import either, read_values
from dlt_bunce.store.database import Database
from dlt_bunce.store.runs import runs, value_fates
from dlt_bunce.store.values import members


@dataclass(frozen=True)
class Absence:
    """How many members of a segment are absent, and how many it had before the load: whom the load
    has added tells nothing of whether the others should go.
    """

    segment: Target
    absent: int
    members: int

    def is_within(self, min_share: float) -> bool:
        """Return whether the table has enough of the members that the segment had."""
        if not self.absent:
            return True
        there = max(0, self.members - self.absent)
        # divide rather than multiply, as for other thresholds
        return (there / self.members if self.members else 0.0) >= min_share


def note_seen(
    db: Database,
    files: Iterable[Source],
    mapping: FieldMapping,
    rules: Rules,
    segments: Iterable[Target],
) -> int:
    """Note who is in the files of a table, and return how many rows have no usable id."""
    members.begin(db)
    segments = list(segments)
    columns = [*mapping.columns_of("customer_id"), *(target.column for target in segments)]
    nameless = 0
    for table in prefetch(table for file in files for table in file.chunks(CHUNK_ROWS, columns)):
        ids = identifiers(table, mapping, rules.traces).values
        nameless += ids.null_count
        for target in segments:
            members.add_seen(db, _seen(table, ids, target))
    return nameless


def _seen(table: pa.Table, ids: pa.Array, target: Target) -> pa.Table:
    values = either(read_values(array, "boolean") for array in variants_of(table, target.column))
    # what is neither true nor false is no blank
    says = pc.if_else(values.invalid, 0, pc.equal(values.texts, "true").cast(pa.int64()))
    slots = repeat(target.slot, pa.int64(), len(ids))
    return pa.table([slots, ids, says], schema=members.SEEN).filter(pc.is_valid(ids))


def absences(db: Database, account: str, segments: Iterable[Target], key: bytes) -> list[Absence]:
    """Return how many members of each segment are absent, by what `note_seen` has noted."""
    possible = possible_members(value_seed(key))
    return [
        Absence(
            target,
            members.list_absent(db, account, target.slot, possible),
            members.count_before(db, account, target.slot, possible),
        )
        for target in segments
    ]


def keep_members_before(db: Database, account: str, segments: Iterable[Target], key: bytes) -> None:
    """Keep how many members segments have, before a table that is declared whole adds some."""
    for target in segments:
        members.keep_before(db, account, target.slot, possible_members(value_seed(key)))


@dataclass
class AbsentMembers(ValueDelivery):
    """Removes absent members, by the way that values go: what is in doubt is sent again."""

    def remove(self, found: Iterable[Absence], stop: threading.Event) -> None:
        """Remove them all; raise what kept some from being removed."""
        found = list(found)
        left = sum(absence.absent for absence in found)
        settled = value_fates.expect_absent(self.database, self.load_file, left)
        segments = [absence.segment for absence in found if absence.absent]
        fault = self._send(self._removals(segments, settled, stop), stop, _no_progress)
        runs.add_traffic(self.database, self.load_file, self.sender.take_traffic())
        if isinstance(fault, AccountRefusedError):
            self.release_rejected(fault.words)
        if fault is not None:
            raise fault
        counts = self.counts()[value_fates.ABSENT]
        if counts["deferred"] and stop.is_set():
            raise StoppedError(
                f"Stopped: {counts['deferred']:,} of {counts['read']:,} absent members of segments "
                "are not removed.",
                remedy="The next run goes on; who is removed is not removed again.",
            )
        if counts["deferred"]:
            raise RowsDeferredError(
                f"{counts['deferred']} of {counts['read']} absent members of segments could not be "
                "removed: Bunce names no reason within the bound on requests.",
                remedy="Run again; who is removed is not removed again.",
            )

    def _removals(
        self, segments: Iterable[Target], settled: int, stop: threading.Event
    ) -> Iterator[pa.Table]:
        """Yield what to send, numbered on from what earlier tries have settled: they have sent in
        the same order, so lower numbers than their mark are in doubt.
        """
        _, leaves = membership(value_seed(self.email_key))
        for target in segments:
            for page in members.pages(self.database, target.slot):
                if stop.is_set():
                    return
                count = page.num_rows
                rows = range(settled, settled + count)
                settled += count
                self._rows.update({(0, row): RowLeft(1) for row in rows})
                yield to_send(
                    target,
                    0,
                    rows=pa.array(rows, pa.int64()),
                    ids=page.column("customer_id").combine_chunks(),
                    sent_ids=page.column("sent_id").combine_chunks(),
                    texts=repeat("false", pa.string(), count),
                    digests=repeat(leaves, pa.binary(), count),
                )

    def _counted_as(self, kind: str) -> str:
        return value_fates.ABSENT


_no_progress: Callable[[int], None] = lambda _requests: None  # noqa: E731
