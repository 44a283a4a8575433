"""Numbers and truth values of NumPy, and single precision within objects: as Arrow has them."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import pyarrow as pa
import pytest

from dlt_bunce.records.text.value_texts import NUMBER, TEXT, types_in, value_text
from dlt_bunce.records.values.values import read_values


class Scalar:
    """A scalar that is shown as NumPy shows its own, which are no numbers of Python."""

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def __str__(self) -> str:
        return self._shown


@Integral.register
class Int64(Scalar):
    """A whole number."""

    def __int__(self) -> int:
        return int(str(self))


@Real.register
class Float32(Scalar):
    """A number of single precision: as a float of Python, it would have more digits."""


Float16 = Float32
Bool = type("bool_", (Scalar,), {"__bool__": lambda self: str(self) == "True"})


def texts(values: list[Any], kind: Any, data_type: str) -> list[str | None]:
    found: list[str | None] = read_values(pa.array(values, kind), data_type).texts.to_pylist()
    return found


@pytest.mark.parametrize("data_type", ["text", "numeric", "boolean"])
@pytest.mark.parametrize(
    ("scalars", "values", "kind"),
    [
        ([Bool("True"), Bool("False")], [True, False], pa.bool_()),
        ([Int64("7"), Int64("-9007199254740993")], [7, -9007199254740993], pa.int64()),
        ([Float32("0.1"), Float32("1e-10")], [0.1, 1e-10], pa.float32()),
        ([Float32("7.0"), Float32("1e+20")], [7.0, 1e20], pa.float32()),
        ([Float16("0.1"), Float16("1e-07")], [0.1, 1e-7], pa.float16()),
        ([Float16("65500.0"), Float16("nan")], [65504.0, float("nan")], pa.float16()),
        ([Float16("-inf"), Float16("0.333")], [float("-inf"), 0.333], pa.float16()),
        ([Float32("nan"), Float32("-inf")], [float("nan"), float("-inf")], pa.float32()),
    ],
    ids=["truth", "whole", "small", "large", "half", "large half", "fraction of half", "none"],
)
def test_scalars_of_another_library_in_dicts_have_the_text_of_a_column_of_these(
    scalars: list[Any], values: list[Any], kind: Any, data_type: str
) -> None:
    found = texts([value_text(scalar) for scalar in scalars], pa.string(), data_type)

    # a column of truth values is no column of numbers, whatever they are as text
    expected = texts(values, kind, data_type)
    assert found == expected


def test_attributes_are_created_as_numbers_for_numbers_of_another_library() -> None:
    rows = [{"seats": Int64("7"), "share": Float32("0.1"), "vip": Bool("True")}]

    assert types_in(rows, ["seats", "share", "vip"], {}) == {
        "seats": NUMBER,
        "share": NUMBER,
        "vip": TEXT,
    }


def test_single_precision_within_objects_and_lists_has_no_further_digits() -> None:
    numbers = [0.1, 1e-10, 3.4e38, None, float("nan"), 16777216.0]
    listed = "[0.1,1e-10,3.4e+38,null,null,16777216.0]"
    whole = pa.struct([("a", pa.float32()), ("b", pa.list_(pa.float32())), ("c", pa.float64())])

    assert texts([numbers], pa.list_(pa.float32()), "text") == [listed]
    assert texts([{"a": 0.1, "b": numbers, "c": 0.1}], whole, "text") == [
        f'{{"a":0.1,"b":{listed},"c":0.1}}'
    ]
    assert texts([[("k", 0.1)]], pa.map_(pa.string(), pa.float32()), "text") == ['[["k",0.1]]']
    assert texts([[[0.1], None]], pa.list_(pa.list_(pa.float16())), "text") == ["[[0.1],null]"]
    assert value_text({"a": Float32("0.1"), "b": [Bool("True"), Int64("3"), float("nan")]}) == (
        '{"a":0.1,"b":[true,3,null]}'
    )
