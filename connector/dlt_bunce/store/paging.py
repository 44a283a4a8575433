"""Read the rows of a query page by page, however many there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from dlt_bunce.store.database import Database

PAGE = 10_000


def pages_by(
    key: Sequence[str],
    db: Database,
    select: str,
    parameters: Sequence[object],
    *,
    schema: pa.Schema,
    size: int = PAGE,
) -> Iterator[pa.Table]:
    """Yield what `select` finds in the order of its `key`, columns such as `r.code` that no two
    rows share and that it returns under their own names.

    `select` ends with its condition, whose `parameters` are numbered from $1.
    """
    columns, after = ", ".join(key), ""
    last: tuple[object, ...] = ()
    while True:
        page = db.query(
            f"{select}{after} ORDER BY {columns} LIMIT {int(size)}",
            (*parameters, *last),
            schema=schema,
        )
        if page.num_rows:
            yield page
        if page.num_rows < size:
            return
        marks = ", ".join(f"${len(parameters) + number}" for number in range(1, len(key) + 1))
        after = f" AND ({columns}) > ({marks})"
        last = tuple(page.column(name.rpartition(".")[2])[-1].as_py() for name in key)
