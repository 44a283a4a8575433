"""The story of a file that holds values of customers whom others bring: no row is a customer."""

from __future__ import annotations

from dataclasses import dataclass

from dlt_bunce.errors import AccountRefusedError, StoppedError
from dlt_bunce.load.chunks import Chunk
from dlt_bunce.load.conservation import check_value_rows, check_values
from dlt_bunce.load.load import Load
from dlt_bunce.records.bad_mapping import detect_bad_mapping
from dlt_bunce.store.runs import runs
from dlt_bunce.store.runs.value_fates import ROWS


@dataclass
class ValuesLoad(Load):
    """One file of values. Values of customers whom the ledger does not know as accepted wait."""

    def _load(self) -> None:
        """Nobody is claimed: all that the rows bring is delivered as values."""
        assert self.values is not None  # noqa: S101, such a file has some
        self.values.on_chunk = self._look

    def _look(self, chunk: Chunk) -> None:
        rows = chunk.table.num_rows
        if chunk.number == 0 and self.settings.check_mapping:
            fault = detect_bad_mapping(chunk.prepared, chunk.table, self.settings.mapping)
            if fault is not None:
                raise fault
        self.settings.on_chunk(chunk)
        self._count(read=rows, settled=rows)

    def _check(self) -> dict[str, int]:
        """Return the counts of the file's rows, proven to add up; raise what kept values from
        being settled.
        """
        assert self.values is not None  # noqa: S101, such a file has some
        runs.add_traffic(self.database, self.load_file, self.sender.take_traffic())
        if isinstance(self._fault, AccountRefusedError):
            self.values.release_rejected(self._fault.words)
        found = self.values.counts()
        rows = found.get(ROWS, {"read": 0, "deferred": 0})
        if self._interrupted and (self.values.is_cut_short or rows["deferred"]):
            raise StoppedError(
                f"Stopped: {rows['deferred']:,} of {rows['read']:,} rows of values "
                "that were read are not settled.",
                remedy="The next run takes up the others; what is settled is not sent again.",
            )
        if self._fault is not None:
            raise self._fault
        read = self.source.row_count
        check_values(
            found, rows["read"] if read is None else read, self.values.targets, stopped=False
        )
        check_value_rows(rows, read)
        return rows
