"""Values inside of a column, in every form in which a source may hold them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from dlt_bunce.records.mapping.paths import column_of_path
from dlt_bunce.records.mapping.source_columns import belonging, values_of

CELLS = [
    {"email": "ada@example.com", "phones": [{"number": "+1"}, {"number": "+2"}], "n": 7},
    {"email": None, "phones": []},
    None,
    {"phones": [{"number": None}, None, {"number": "+3"}]},
]


def structs(cells: list[Any]) -> pa.Array:
    return pa.array(cells)


def texts(cells: list[Any]) -> pa.Array:
    return pa.array([None if cell is None else json.dumps(cell) for cell in cells])


def wide_texts(cells: list[Any]) -> pa.Array:
    return texts(cells).cast(pa.large_string())


def dictionaries(cells: list[Any]) -> pa.Array:
    return texts(cells).dictionary_encode()


def json_type(cells: list[Any]) -> pa.Array:
    return pa.ExtensionArray.from_storage(pa.json_(), texts(cells))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("c.email", ["ada@example.com", None, None, None]),
        ("c.phones.0.number", ["+1", None, None, None]),
        ("c.phones.1.number", ["+2", None, None, None]),
        ("c.phones.2.number", [None, None, None, "+3"]),
        ("c.phones.first.number", [None] * 4),
        ("c.phones.-1.number", [None] * 4),
        ("c.nothing", [None] * 4),
        ("c.email.deeper", [None] * 4),
        ("c.", [None] * 4),
    ],
)
@pytest.mark.parametrize("form", [structs, texts, wide_texts, dictionaries, json_type])
def test_a_path_leads_to_the_same_values_in_every_form(
    form: Any, path: str, expected: list[str | None]
) -> None:
    whole = form(CELLS)
    table = pa.table({"c": pa.chunked_array([whole.slice(0, 2), whole.slice(2)])})

    assert values_of(table, path).to_pylist() == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": "007"}', "007"),
        ('{"a": 12345678901234567890123}', "12345678901234567890123"),
        ('{"a": 1.50}', "1.50"),
        ('{"a": true}', "true"),
        ('{"a": [{"device_type": "ios"}]}', '[{"device_type": "ios"}]'),
        ('{"a": ""}', ""),
        ("{'a': 1}", None),
        ("not json", None),
        ('["a"]', None),
        ('"a"', None),
        ("", None),
        ("NaN", None),
    ],
)
def test_what_json_says_is_read_as_it_is_written(text: str, expected: str | None) -> None:
    assert values_of(pa.table({"c": [text]}), "c.a").to_pylist() == [expected]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([[("a", 1), ("b", 2)], None], pa.map_(pa.string(), pa.int64())), [1, None]),
        (pa.array([{"a": Decimal("1.5")}, {"a": None}]), [Decimal("1.5"), None]),
        (pa.array([7, 8]), [None, None]),
        (pa.array([[1, 2], [3]], pa.list_(pa.int64())), [None, None]),
        (pa.array([{}, {}], pa.struct([])), [None, None]),
        (pa.nulls(2), [None, None]),
    ],
)
def test_other_kinds_hold_what_they_hold(array: pa.Array, expected: list[Any]) -> None:
    assert values_of(pa.table({"c": array}), "c.a").to_pylist() == expected


def test_a_column_of_the_whole_name_goes_first_then_the_longest_beginning() -> None:
    table = pa.table({"a.b.c": ["whole"], "a.b": ['{"d": "longer"}'], "a": ['{"e": "short"}']})

    assert [values_of(table, path)[0].as_py() for path in ("a.b.c", "a.b.d", "a.e")] == [
        "whole",
        "longer",
        "short",
    ]
    assert column_of_path("x.y", table.column_names) is None
    assert belonging(table.column_names, ["a.b.d"]) == ["a.b", "a"]
