"""Of the rows of one id in a chunk, the newest version counts, whatever becomes of it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_bunce.records.fields.rules import Rules
from dlt_bunce.records.mapping.schema import FIELDS
from dlt_bunce.records.prepare import prepare

from .conftest import BY_SEEN, VERSIONED, assert_balanced, prepared


def test_rows_of_one_id_that_differ_are_counted_unless_a_version_decides() -> None:
    rows = [
        {},
        {"phone_no": "+2348031234568"},
        {"phone_no": "+2348031234568"},
        {"customer_id": "c-2"},
        {"customer_id": "c-2"},
        {"customer_id": None},
        {"customer_id": None, "first_name": "Eve"},
    ]

    assert prepared(*rows).warnings == {"ids_repeated": 1}
    told = [row | {"seen": number} for number, row in enumerate(rows)]
    assert prepared(*told, versioned=True).warnings == {}


def test_the_newest_version_of_a_key_wins() -> None:
    result = prepared(
        {"seen": 2, "first_name": "new"},
        {"seen": 1, "first_name": "old"},
        {"seen": None, "first_name": "oldest"},
        {"customer_id": "c-2", "seen": None},
        versioned=True,
    )

    assert result.accepted.select(["row", "first_name", "version"]).to_pylist() == [
        {"row": 0, "first_name": "new", "version": 2},
        {"row": 3, "first_name": "Ada", "version": None},
    ]
    assert result.superseded == 2


@pytest.mark.parametrize("versioned", [False, True])
def test_of_equal_versions_the_last_row_wins(*, versioned: bool) -> None:
    seen = {"seen": 5} if versioned else {}

    result = prepared({"first_name": "a", **seen}, {"first_name": "b", **seen}, versioned=versioned)

    assert result.accepted["first_name"].to_pylist() == ["b"]
    assert result.superseded == 1


def test_the_newest_version_wins_even_if_it_is_bad() -> None:
    result = prepared({"seen": 1}, {"seen": 2, "email": "bad"}, versioned=True)

    assert result.accepted.num_rows == 0
    assert result.rejected.select(["row", "code", "version"]).to_pylist() == [
        {"row": 1, "code": "invalid_email", "version": 2}
    ]
    assert result.superseded == 1


def test_keys_are_compared_in_canonical_form() -> None:
    assert prepared({"customer_id": "c-1 "}, {"customer_id": "\tc-1"}).superseded == 1


def test_rows_without_a_usable_key_are_never_merged() -> None:
    result = prepared(
        {"customer_id": None},
        {"customer_id": " "},
        {"customer_id": "a\x00"},
        {"customer_id": "a\x00"},
    )

    assert result.rejected["row"].to_pylist() == [0, 1, 2, 3]
    assert result.superseded == 0


values = st.sampled_from(
    ["c-1", "c-2", "", None, "ada@example.com", "+2348031234567", "[]", "x\x00"]
)
row = st.fixed_dictionaries(
    {**dict.fromkeys(FIELDS, values), "seen": st.none() | st.integers(0, 3)}
)


@given(st.lists(row, max_size=12), st.randoms(use_true_random=False))
def test_each_row_lands_in_one_place_and_order_does_not_matter(
    rows: list[dict[str, Any]], random: Any
) -> None:
    # distinct versions, since of equal ones the order decides
    rows = [{**row, "seen": at} for at, row in enumerate(rows)]
    shuffled = random.sample(rows, len(rows))

    result = prepare(pa.Table.from_pylist(rows, VERSIONED), BY_SEEN, Rules())
    in_other_order = prepare(pa.Table.from_pylist(shuffled, VERSIONED), BY_SEEN, Rules())

    assert_balanced(result)
    assert_balanced(in_other_order)
    seen = result.accepted["row"].to_pylist() + result.rejected["row"].to_pylist()
    assert len(seen) == len(set(seen))
    for part in ("accepted", "rejected"):
        first, second = getattr(result, part), getattr(in_other_order, part)
        order = [(name, "ascending") for name in ("fingerprint", "version")]
        parts = [rows.sort_by(order).drop_columns(["row"]) for rows in (first, second)]
        assert parts[0] == parts[1]
