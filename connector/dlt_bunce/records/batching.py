"""Full batches across chunks, none of which contains an email or a customer twice."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

# How many batches' worth of rows to search for rows that do not collide before emitting a short
# batch. It bounds both the search and the number of rows held back.
_WINDOW = 4
UNIQUE = ("email", "customer_id")
"""Columns of which no batch of customers contains a value twice."""


class Packer:
    """A packer that yields every row of the added tables exactly once, in batches of one `verb`.

    All tables must have equal schemas. A batch has at most `size()` rows (called again for each
    batch) and at most `max_bytes` of payload, unless a single row exceeds that. Rows that share an
    email or a customer_id go into different batches, in the order in which they were added. Rows
    left over from one table wait for the next. With `unique` empty, rows may share anything.
    """

    def __init__(
        self, size: Callable[[], int], max_bytes: int, *, unique: Sequence[str] = UNIQUE
    ) -> None:
        self._size = size
        self._max_bytes = max_bytes
        self._unique = unique
        self._pools: dict[str, pa.Table] = {}

    def add(self, table: pa.Table) -> Iterator[pa.Table]:
        """Add a table and yield the batches that are now full."""
        pools = self._pools
        verbs = pc.unique(table.column("verb")).to_pylist()
        for verb in verbs:
            is_only_verb = len(verbs) == 1
            rows = table if is_only_verb else table.filter(pc.equal(table.column("verb"), verb))
            pool = pa.concat_tables([pools[verb], rows]) if verb in pools else rows
            pools[verb] = yield from self._batches(pool, last=False)

    def rest(self) -> Iterator[pa.Table]:
        """Yield the remaining rows once all tables have been added."""
        for pool in self._pools.values():
            yield from self._batches(pool, last=True)

    def _batches(self, pool: pa.Table, *, last: bool) -> Generator[pa.Table, None, pa.Table]:
        """Yield batches from a pool and return the rows left over."""
        while pool.num_rows:
            limit = max(self._size(), 1)
            batch, pool = _cut(pool, limit, self._max_bytes, self._unique, last=last)
            if batch is None:
                break
            yield batch
        return pool


def pack(tables: Iterable[pa.Table], size: Callable[[], int], max_bytes: int) -> Iterator[pa.Table]:
    """Pack all tables with a `Packer`."""
    packer = Packer(size, max_bytes)
    for table in tables:
        yield from packer.add(table)
    yield from packer.rest()


def _cut(
    pool: pa.Table, limit: int, max_bytes: int, unique: Sequence[str], *, last: bool
) -> tuple[pa.Table | None, pa.Table]:
    """Return the next batch and the remaining rows; no batch if it is short and more may follow."""
    head = pool.slice(0, limit)
    fitting = _count_fitting(head, max_bytes)
    if fitting == head.num_rows < limit and not last:
        return None, pool
    head = head.slice(0, fitting)
    if all(_is_unique(head, name) for name in unique):
        return head, pool.slice(fitting)
    return _pick(pool, limit, max_bytes, last=last)


def _count_fitting(head: pa.Table, max_bytes: int) -> int:
    """Return how many of the first rows fit into `max_bytes`, at least one."""
    sizes = pc.binary_length(head["payload"]).cast(pa.int64())
    if int(pc.sum(sizes, min_count=0).as_py()) <= max_bytes:
        return int(head.num_rows)
    within = pc.less_equal(pc.cumulative_sum(sizes), max_bytes)
    return max(int(pc.sum(within).as_py()), 1)


def _is_unique(head: pa.Table, name: str) -> bool:
    values = [value for value in head[name].to_pylist() if value is not None]
    return len(set(values)) == len(values)


def _pick(
    pool: pa.Table, limit: int, max_bytes: int, *, last: bool
) -> tuple[pa.Table | None, pa.Table]:
    """Cut like `_cut`, skipping rows that share an email or customer with an earlier row."""
    window = pool.slice(0, _WINDOW * limit)
    sizes = pc.binary_length(window["payload"]).to_pylist()
    pairs = zip(window["email"].to_pylist(), window["customer_id"].to_pylist(), strict=True)
    picked: list[int] = []
    skipped: list[int] = []
    emails: set[str] = set()
    keys: set[str] = set()
    remaining_bytes = max_bytes
    full = False
    for index, (email, key) in enumerate(pairs):
        collides = email in emails or key in keys
        if not full and not collides:
            full = len(picked) == limit or (bool(picked) and sizes[index] > remaining_bytes)
        if full or collides:
            skipped.append(index)
        else:
            picked.append(index)
            remaining_bytes -= sizes[index]
        # rows that collide with a skipped row are skipped too, which keeps their order
        emails.add(email)
        keys.add(key)
    full = full or len(picked) == limit
    if not (full or last or pool.num_rows >= _WINDOW * limit):
        return None, pool
    rest = pa.concat_tables([window.take(skipped), pool.slice(window.num_rows)])
    return window.take(picked), rest
