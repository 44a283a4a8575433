"""The chunks of a file whose rows are on their way: claimed, and not settled yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import pyarrow as pa


class InFlightChunks:
    """What is kept of a chunk until its last row is settled."""

    def __init__(self) -> None:
        self.tables: dict[int, pa.Table] = {}
        """As read, by chunk, so that a dead letter can hold its source row."""
        self._unsettled = Counter[int]()
        self._marked_in_flight: dict[int, int] = {}

    def chunks(self) -> list[int]:
        """Numbers of the chunks, for their leases; asked from another thread."""
        return list(self._unsettled)

    def add(self, chunk: int, table: pa.Table, rows: int) -> None:
        """So many rows of `table` are to be sent."""
        if rows:
            self.tables[chunk] = table
            self._unsettled[chunk] += rows

    def announce(self, batch: pa.Table, ahead: int) -> dict[int, int]:
        """Below which rows, by chunk, the ledger must know of sending before `batch` (row, chunk)
        goes; empty where it does. `ahead` rows more are named, so that few batches need a commit.
        """
        last = batch.group_by("chunk", use_threads=False).aggregate([("row", "max")]).to_pydict()
        further = {
            chunk: row + 1 + ahead
            for chunk, row in zip(last["chunk"], last["row_max"], strict=True)
            if row >= self._marked_in_flight.get(chunk, 0)
        }
        self._marked_in_flight |= further
        return further

    def settled(self, chunks: pa.ChunkedArray) -> list[int]:
        """One row of each of these is settled; returns those chunks that are done with."""
        for count in chunks.value_counts().to_pylist():
            self._unsettled[count["values"]] -= count["counts"]
        return [chunk for chunk, left in self._unsettled.items() if not left]

    def forget(self, chunks: Collection[int]) -> None:
        """Lets go of chunks that are done with."""
        for chunk in chunks:
            del self._unsettled[chunk]
            self.tables.pop(chunk, None)
            self._marked_in_flight.pop(chunk, None)
