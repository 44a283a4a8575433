"""pack(): every row in exactly one batch, batches full, no email or customer twice in one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from dlt_bunce.records.batching import pack

Row = tuple[str, str, str]


def table(rows: list[Row]) -> pa.Table:
    names = ("customer_id", "email", "payload")
    columns = {n: pa.array([row[i] for row in rows], pa.string()) for i, n in enumerate(names)}
    return pa.table(columns | {"verb": pa.array(["create"] * len(rows), pa.string())})


def distinct(count: int, start: int = 0) -> list[Row]:
    return [(f"c{at}", f"{at}@example.com", "x" * 10) for at in range(start, start + count)]


def packed(tables: list[list[Row]], size: int, max_bytes: int = 10**9) -> list[list[Row]]:
    batches = pack(map(table, tables), lambda: size, max_bytes)
    return [[tuple(row.values())[:3] for row in batch.to_pylist()] for batch in batches]


def test_batches_are_full_across_tables() -> None:
    tables = [distinct(3), distinct(4, 3), [], distinct(4, 7)]

    batches = packed(tables, 5)

    assert [len(batch) for batch in batches] == [5, 5, 1]
    assert list(chain(*tables)) == list(chain(*batches))


def test_bytes_bound_a_batch_as_well() -> None:
    assert [len(batch) for batch in packed([distinct(7)], 100, 39)] == [3, 3, 1]


def test_a_row_above_the_bound_goes_alone() -> None:
    assert [len(batch) for batch in packed([distinct(2)], 100, 5)] == [1, 1]


def test_rows_of_one_email_go_one_after_the_other_and_others_fill_up() -> None:
    same = [("a", "same@example.com", "1"), ("b", "same@example.com", "2")]

    batches = packed([[*same, *distinct(3)]], 2)

    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert same[0] in batches[0]
    assert same[1] in batches[1]


def test_no_tables_no_batches() -> None:
    assert packed([], 5) == packed([[]], 5) == []


def test_the_size_is_asked_anew_for_each_batch() -> None:
    sizes = iter([2, 3, 4, 4])

    batches = list(pack([table(distinct(9))], lambda: next(sizes), 10**9))

    assert [batch.num_rows for batch in batches] == [2, 3, 4]


def test_a_size_below_one_still_moves_on() -> None:
    assert [len(batch) for batch in packed([distinct(2)], 0)] == [1, 1]


def test_a_full_batch_is_not_held_back() -> None:
    taken: list[int] = []

    def source() -> Iterator[pa.Table]:
        for at in range(3):
            taken.append(at)
            yield table(distinct(5, at * 5))

    first = next(pack(source(), lambda: 5, 10**9))

    assert (first.num_rows, taken) == (5, [0])


def test_rows_held_back_stay_bounded() -> None:
    rows = [(f"c{at}", "same@example.com", "x") for at in range(100)]
    given_out = 0

    def source() -> Iterator[pa.Table]:
        nonlocal given_out
        for at in range(100):
            given_out += 1
            yield table(rows[at : at + 1])

    waiting = max(given_out - at for at, _ in enumerate(pack(source(), lambda: 3, 10**9)))

    assert waiting <= 12


def test_slices_are_not_copied() -> None:
    source = table(distinct(4))

    (batch,) = pack([source], lambda: 4, 10**9)

    address = source["payload"].chunk(0).buffers()[2].address
    assert batch["payload"].chunk(0).buffers()[2].address == address


rows = st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvwxyz"), st.text("p", max_size=9))


@given(
    st.lists(st.lists(rows, max_size=8), max_size=5),
    st.lists(st.integers(1, 6), min_size=1, max_size=5),
    st.integers(1, 30),
)
def test_batches_partition_the_rows(
    tables: list[list[Row]], sizes: list[int], max_bytes: int
) -> None:
    numbered = [
        [
            (key, email, f"{payload}{at}-{number}")
            for number, (key, email, payload) in enumerate(part)
        ]
        for at, part in enumerate(tables)
    ]
    asked: list[int] = []

    def size() -> int:
        asked.append(sizes[len(asked) % len(sizes)])
        return asked[-1]

    batches: list[list[Row]] = []
    for batch in pack(map(table, numbered), size, max_bytes):
        batches.append([tuple(row.values())[:3] for row in batch.to_pylist()])
        assert len(batches[-1]) <= asked[-1]

    everything = list(chain(*numbered))
    assert sorted(everything) == sorted(chain(*batches))
    for batch in batches:
        assert batch
        assert len({row[0] for row in batch}) == len({row[1] for row in batch}) == len(batch)
        assert len(batch) == 1 or sum(len(row[2]) for row in batch) <= max_bytes
    for position in (0, 1):
        for value in {row[position] for row in everything}:
            came = [row for row in everything if row[position] == value]
            assert came == [row for row in chain(*batches) if row[position] == value]
