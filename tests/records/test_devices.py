"""devices: one canonical JSON array, whichever way the source holds the list."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_bunce.records.fields.devices import parse_devices
from dlt_bunce.records.text.text import flat

STRUCT = pa.struct([("device_type", pa.string()), ("device_token", pa.string())])
IOS = {"device_type": "ios", "device_token": "t1"}
ANDROID = {"device_type": "android", "device_token": "t2"}


def compact(*devices: dict[str, str]) -> str:
    return json.dumps(devices, ensure_ascii=False, separators=(",", ":"))


def judged(array: pa.Array) -> list[object]:
    column = parse_devices(array, strict=True)
    assert column.reason.is_valid().to_pylist() == column.invalid.to_pylist()
    return [
        False if invalid else value
        for value, invalid in zip(
            column.values.to_pylist(), column.invalid.to_pylist(), strict=True
        )
    ]


CASES = [
    (None, None),
    ([], None),
    ([IOS], compact(IOS)),
    ([IOS, ANDROID], compact(IOS, ANDROID)),
    ([ANDROID, IOS], compact(ANDROID, IOS)),
    ([IOS, ANDROID, IOS], compact(IOS, ANDROID)),
    ([{"device_type": " iOS ", "device_token": " t1 "}, IOS], compact(IOS)),
    (
        [{"device_type": "ios", "device_token": 'q"\\\n'}],
        r'[{"device_type":"ios","device_token":"q\"\\"}]',
    ),
    (
        [{"device_type": "ios", "device_token": "a\tb"}],
        r'[{"device_type":"ios","device_token":"a\tb"}]',
    ),
    ([{"device_type": "ios", "device_token": None}], False),
    ([{"device_type": None, "device_token": "t1"}], False),
    ([{"device_type": "ios", "device_token": "  "}], False),
    ([IOS, {"device_type": "", "device_token": "t1"}], False),
    ([None], False),
]


@pytest.mark.parametrize(
    "kind", [pa.list_, pa.large_list, pa.list_view, pa.large_list_view], ids=lambda k: k.__name__
)
def test_lists_of_structs_of_any_list_type(kind: Callable[[Any], Any]) -> None:
    array = pa.array([value for value, _ in CASES], kind(STRUCT))

    assert [expected for _, expected in CASES] == judged(array)
    assert [expected for _, expected in CASES[3:8]] == judged(array.slice(3, 5))


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.binary()], ids=str
)
def test_json_text_gives_the_same(kind: object) -> None:
    array = pa.array([None if v is None else json.dumps(v) for v, _ in CASES]).cast(kind)

    assert [expected for _, expected in CASES] == judged(array)


def test_dictionary_encoded_json_gives_the_same() -> None:
    array = pa.array([None if v is None else json.dumps(v, indent=2) for v, _ in CASES])

    assert [expected for _, expected in CASES] == judged(flat(array.dictionary_encode()))


def test_lists_of_fixed_size() -> None:
    assert judged(pa.array([[IOS, IOS], None], pa.list_(STRUCT, 2))) == [compact(IOS), None]


@pytest.mark.parametrize(
    "text",
    [
        str([IOS]),
        "{'device_type': 'ios'}",
        json.dumps(IOS),
        "ios",
        '"ios"',
        "1",
        "[1]",
        '["ios"]',
        '[{"device_type": "ios"}]',
        '[{"device_type": "ios", "device_token": true}]',
        '[{"device_type": "ios", "device_token": ["t"]}]',
        '[{"device_type": "ios", "device_token": "\\ud800"}]',
        '[{"device_type": "ios", "device_token": "t1"}',
        "[" * 100_000,
    ],
    ids=lambda text: text[:40],
)
def test_other_text_is_refused(text: str) -> None:
    assert judged(pa.array([text])) == [False]


@pytest.mark.parametrize("text", ["", "  ", "null", "[]", " [ ] "])
def test_text_for_nothing_is_left_out(text: str) -> None:
    assert judged(pa.array([text])) == [None]


def test_whole_numbers_pass_as_tokens() -> None:
    kind = pa.list_(pa.struct([("device_type", pa.string()), ("device_token", pa.int64())]))
    value = [{"device_type": "ios", "device_token": 123456}]
    expected = ['[{"device_type":"ios","device_token":"123456"}]']

    assert expected == judged(pa.array([value], kind))
    assert expected == judged(pa.array([json.dumps(value)]))


def test_extra_keys_and_other_orders_do_not_matter() -> None:
    value = [{"device_id": 7, "device_token": "t1", "model": {"a": 1}, "device_type": "ios"}]

    assert judged(pa.array([value])) == judged(pa.array([json.dumps(value)])) == [compact(IOS)]


def test_structs_inside_may_be_dictionary_encoded() -> None:
    types = pa.array(["ios", "ios"]).dictionary_encode()
    tokens = pa.array(["t1", "t2"], pa.large_string())
    items = pa.StructArray.from_arrays([types, tokens], ["device_type", "device_token"])
    lists = pa.ListArray.from_arrays([0, 1, 2], items)

    assert judged(lists) == [compact(IOS), compact({**IOS, "device_token": "t2"})]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([IOS, None]),
        pa.array([["ios"], None]),
        pa.array([1, None]),
        pa.array([True, None]),
        pa.array([[{"type": "ios"}], None]),
        pa.array([[None], None]),
    ],
    ids=lambda array: str(array.type),
)
def test_other_types_are_refused_where_there_is_a_value(array: pa.Array) -> None:
    assert judged(array) == [False, None]


def test_a_bad_list_is_known_again_from_structs_and_from_json() -> None:
    bad = [{"device_type": "ios", "device_token": None}]

    structs = parse_devices(pa.array([bad], pa.list_(STRUCT)), strict=True)
    text = parse_devices(pa.array(['[ {"device_type": "ios"} ]']), strict=True)

    assert structs.raw.to_pylist() == text.raw.to_pylist()


def test_reasons() -> None:
    column = parse_devices(
        pa.array([str([IOS]), json.dumps(IOS), "[1]", '[{"device_type":"x"}]']), strict=True
    )

    assert column.reason.to_pylist() == [
        "not JSON: 46 characters",
        "JSON, but not a list: 44 characters",
        "an item is not an object",
        "an item lacks device_type or device_token",
    ]


devices = st.lists(
    st.fixed_dictionaries(
        {
            "device_type": st.sampled_from(["ios", "Android", " web "]),
            "device_token": st.sampled_from(["a", "b", "ü", '"', "\\", "x\ty", "  "]),
        }
    ),
    max_size=5,
)


@given(st.lists(st.none() | devices, max_size=6))
def test_structs_and_json_agree_with_the_plain_definition(rows: list[Any]) -> None:
    expected: list[object] = []
    for row in rows:
        items: list[dict[str, str]] = []
        for device in row or []:
            kind, token = device["device_type"].strip().lower(), device["device_token"].strip()
            items += [{"device_type": kind, "device_token": token}]
        if any(not item["device_token"] for item in items):
            expected.append(False)
        else:
            unique = [item for at, item in enumerate(items) if item not in items[:at]]
            expected.append(compact(*unique) if unique else None)

    assert expected == judged(pa.array(rows, pa.list_(STRUCT)))
    assert expected == judged(
        pa.array([None if row is None else json.dumps(row) for row in rows], pa.string())
    )


LOGGED_OUT = {"device_type": "ios", "device_token": None}
SPELLED = {"type": "iOS", "token": "t1"}
CAMEL = {"deviceType": "ios", "deviceToken": "t1"}


@pytest.mark.parametrize(
    ("value", "expected", "noted"),
    [
        ([LOGGED_OUT], None, 1),
        ([LOGGED_OUT, ANDROID], compact(ANDROID), 1),
        ([IOS, {"device_type": "", "device_token": "t1"}, ANDROID], compact(IOS, ANDROID), 1),
        ([None, IOS], compact(IOS), 1),
        ([SPELLED], compact(IOS), 0),
        ([CAMEL], compact(IOS), 0),
        (IOS, compact(IOS), 0),
        (SPELLED, compact(IOS), 0),
        (LOGGED_OUT, None, 1),
        ({"device_type": None, "device_token": None}, None, 0),
    ],
)
def test_an_optional_field_costs_no_customer(value: Any, expected: object, noted: int) -> None:
    twice = json.dumps(json.dumps(value))
    for array in (pa.array([value, None]), pa.array([json.dumps(value), None]), pa.array([twice])):
        column = parse_devices(array)

        assert expected == column.values[0].as_py()
        assert not column.invalid[0].as_py()
        assert noted == column.notes


@pytest.mark.parametrize("text", ["{}", "[{}]", "ios", "1", '["ios"]', "[[1]]", "{'a': 1}", "["])
def test_what_is_no_list_of_devices_is_left_out(text: str) -> None:
    column = parse_devices(pa.array([text]))

    assert column.values.to_pylist() == [None]
    assert column.invalid.to_pylist() == [False]
    assert (text != "{}") is bool(column.notes)


@pytest.mark.parametrize(
    "array",
    [pa.array([1]), pa.array([True]), pa.array([["ios"]]), pa.array([[None]])],
    ids=lambda array: str(array.type),
)
def test_other_types_are_left_out_and_noted(array: pa.Array) -> None:
    column = parse_devices(array)

    assert (
        column.values.to_pylist(),
        column.invalid.to_pylist(),
        column.notes,
    ) == ([None], [False], 1)
