"""Full batches across chunks, none of which holds an email or a customer twice."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

# so many batches' worth of rows are searched for rows that do not collide before a batch goes
# short: it bounds both the search and the rows held back
_WINDOW = 4


class Packer:
    """Gives every row of the tables added (equal schemas) exactly once, in batches of one `verb`.

    A batch has at most `size()` rows, asked anew for each, and at most `max_bytes` of payload,
    unless a single row exceeds them. Rows that share an email or a customer_id go into different
    batches, in the order in which they came. Left-overs of a table wait for the next one.
    """

    def __init__(self, size: Callable[[], int], max_bytes: int) -> None:
        self._size = size
        self._max_bytes = max_bytes
        self._pools: dict[str, pa.Table] = {}

    def add(self, table: pa.Table) -> Iterator[pa.Table]:
        """The batches that are full."""
        pools = self._pools
        verbs = pc.unique(table.column("verb")).to_pylist()
        for verb in verbs:
            alone = len(verbs) == 1
            rows = table if alone else table.filter(pc.equal(table.column("verb"), verb))
            pool = pa.concat_tables([pools[verb], rows]) if verb in pools else rows
            pools[verb] = yield from _batches(pool, self._size, self._max_bytes, last=False)

    def rest(self) -> Iterator[pa.Table]:
        """The others, when all has been added."""
        for pool in self._pools.values():
            yield from _batches(pool, self._size, self._max_bytes, last=True)


def pack(tables: Iterable[pa.Table], size: Callable[[], int], max_bytes: int) -> Iterator[pa.Table]:
    """All tables through a `Packer`."""
    packer = Packer(size, max_bytes)
    for table in tables:
        yield from packer.add(table)
    yield from packer.rest()


def _batches(
    pool: pa.Table, size: Callable[[], int], max_bytes: int, *, last: bool
) -> Generator[pa.Table, None, pa.Table]:
    """Yields batches of a pool and returns what remains of it for a full one."""
    while pool.num_rows:
        batch, pool = _cut(pool, max(size(), 1), max_bytes, last=last)
        if batch is None:
            break
        yield batch
    return pool


def _cut(
    pool: pa.Table, limit: int, max_bytes: int, *, last: bool
) -> tuple[pa.Table | None, pa.Table]:
    """The next batch and what remains; no batch if it would go short and more may come."""
    head = pool.slice(0, limit)
    fitting = _fitting(head, max_bytes)
    if fitting == head.num_rows < limit and not last:
        return None, pool
    head = head.slice(0, fitting)
    if _distinct(head, "email") and _distinct(head, "customer_id"):
        return head, pool.slice(fitting)
    return _pick(pool, limit, max_bytes, last=last)


def _fitting(head: pa.Table, max_bytes: int) -> int:
    sizes = pc.binary_length(head["payload"]).cast(pa.int64())
    if int(pc.sum(sizes, min_count=0).as_py()) <= max_bytes:
        return int(head.num_rows)
    within = pc.less_equal(pc.cumulative_sum(sizes), max_bytes)
    return max(int(pc.sum(within).as_py()), 1)


def _distinct(head: pa.Table, name: str) -> bool:
    values = [value for value in head[name].to_pylist() if value is not None]
    return len(set(values)) == len(values)


def _pick(
    pool: pa.Table, limit: int, max_bytes: int, *, last: bool
) -> tuple[pa.Table | None, pa.Table]:
    window = pool.slice(0, _WINDOW * limit)
    sizes = pc.binary_length(window["payload"]).to_pylist()
    pairs = zip(window["email"].to_pylist(), window["customer_id"].to_pylist(), strict=True)
    taken: list[int] = []
    left: list[int] = []
    emails: set[str] = set()
    keys: set[str] = set()
    room = max_bytes
    full = False
    for at, (email, key) in enumerate(pairs):
        collides = email in emails or key in keys
        if not full and not collides:
            full = len(taken) == limit or (bool(taken) and sizes[at] > room)
        if full or collides:
            left.append(at)
        else:
            taken.append(at)
            room -= sizes[at]
        # a row that waits makes those that collide with it wait too, which keeps their order
        emails.add(email)
        keys.add(key)
    full = full or len(taken) == limit
    if not (full or last or pool.num_rows >= _WINDOW * limit):
        return None, pool
    rest = pa.concat_tables([window.take(left), pool.slice(window.num_rows)])
    return window.take(taken), rest
