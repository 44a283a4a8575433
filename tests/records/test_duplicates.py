"""Among all rows of a load, wherever they lie, one of each id counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from itertools import chain

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_bunce.records import duplicates
from dlt_bunce.records.duplicates import find_duplicates
from dlt_bunce.records.fingerprint import text_digests
from dlt_bunce.records.mapping.mapping import FieldMapping
from dlt_bunce.records.mapping.source_columns import contents_of

from .conftest import prepared

MAPPING = FieldMapping({"customer_id": "id", "first_name": "name"}, {}, "seen")
Row = tuple[object, object, object]

IDS = st.sampled_from(["1", "2", "3", "4", "\u200b4", " 4 ", None, "", "x" * 300])
ROWS = st.tuples(IDS, st.sampled_from(["Ada", "Eve", None]), st.sampled_from([1, 2, None]))
TABLES = st.lists(st.lists(ROWS, max_size=5), max_size=6)


def digest(name: str) -> str:
    """Decides between files."""
    rows = pa.table({"name": pa.array([None if name == "None" else name], pa.string())})
    return str(text_digests(contents_of(rows, MAPPING))[0])


def wanted(tables: list[list[Row]], *, in_order: bool) -> list[tuple[int, bool]]:
    """The same, row by row."""
    rows: dict[str, list[tuple[tuple[bool, int], str, int]]] = defaultdict(list)
    for row, (given_id, name, seen) in enumerate(chain.from_iterable(tables)):
        key = str(given_id or "").replace("\u200b", "").strip()
        if key and len(key) < 256:
            rows[key].append(((seen is not None, seen or 0), str(name), row))
    found = []
    for several in rows.values():
        best = max(several, key=lambda r: (r[0], "" if in_order else digest(r[1]), r[2]))
        found += [(row, True) for _, _, row in several if row != best[2]]
        if len({name for seen, name, _ in several if seen == best[0]}) > 1:
            found.append((best[2], False))
    return sorted(found)


@given(
    tables=TABLES,
    in_order=st.booleans(),
    pass_ids=st.sampled_from([1, 3, 1_000]),
    portion=st.sampled_from([1, 4, 1_000]),
)
def test_the_newest_of_each_id_is_found_wherever_it_lies(
    tables: list[list[Row]], pass_ids: int, portion: int, *, in_order: bool
) -> None:
    def read(columns: Collection[str]) -> Iterator[tuple[int, pa.Table]]:
        first_row = 0
        for rows in tables:
            yield first_row, table(rows, columns)
            first_row += len(rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_PORTION_ROWS", portion)
        count = sum(map(len, tables))
        found = find_duplicates(read, count, MAPPING, None, in_order=in_order, pass_ids=pass_ids)

    assert [tuple(row.values()) for row in found.to_pylist()] == wanted(tables, in_order=in_order)


def table(rows: list[Row], columns: Collection[str]) -> pa.Table:
    """The columns of rows that are asked for."""
    values = zip(*rows, strict=True) if rows else ([], [], [])
    kinds = (pa.string(), pa.string(), pa.int64())
    whole = {
        name: pa.array(column, kind)
        for name, column, kind in zip(("id", "name", "seen"), values, kinds, strict=True)
    }
    return pa.table({name: whole[name] for name in whole if name in columns})


def test_an_id_with_the_emails_of_many_people_is_told() -> None:
    def emails_of(count: int) -> dict[str, int]:
        rows = [{"email": f"c{n % count}@example.com", "seen": n} for n in range(12)]
        return dict(prepared(*rows, {"customer_id": "other"}, versioned=True).warnings)

    assert emails_of(5) == {"ids_shared": 12}
    assert emails_of(4) == {}  # a person who changed the email a few times
