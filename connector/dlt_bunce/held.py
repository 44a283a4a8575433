"""Rows that Bunce calls taken: they wait until one look-up can ask for many of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.api.lookup import MOST_IDS
from dlt_bunce.api.settlement import Said
from dlt_bunce.records.batching import pack

_ENOUGH = MOST_IDS - 1
_MOST_CHUNKS = 4
"""Chunks that wait with their rows: what is in memory stays bounded where few rows are taken."""
_MOST_BYTES = 1_000_000


class Held:
    """Rows of several batches; each says what Bunce has said of it."""

    def __init__(self) -> None:
        self._parts: list[pa.Table] = []

    def add(self, batch: pa.Table, said: Mapping[int, Said]) -> None:
        """Keeps some rows of a batch."""
        rows = batch.take(pa.array(sorted(said), pa.int64()))
        texts, statuses = zip(*(said[i] for i in sorted(said)), strict=True)
        rows = rows.append_column("said", pa.array(texts, pa.string()))
        self._parts.append(rows.append_column("said_status", pa.array(statuses, pa.int64())))

    @property
    def is_due(self) -> bool:
        """Whether there are enough for a look-up, or they have waited long enough."""
        if not self._parts:
            return False
        rows = pa.concat_tables(self._parts)
        chunks: int = pc.count_distinct(rows.column("chunk")).as_py()
        return bool(rows.num_rows >= _ENOUGH or chunks > _MOST_CHUNKS)

    def batches(self) -> Iterator[pa.Table]:
        """Gives all of them up, as batches to be settled."""
        parts, self._parts = self._parts, []
        yield from pack(parts, lambda: _ENOUGH, _MOST_BYTES)


def said_of(batch: pa.Table) -> dict[int, Said]:
    """What Bunce has said of the rows of a batch that was held; nothing of any other batch."""
    if "said" not in batch.column_names:
        return {}
    columns = (batch.column(name).to_pylist() for name in ("said", "said_status"))
    return dict(enumerate(zip(*columns, strict=True)))
