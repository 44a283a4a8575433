"""customer_id: any honest key becomes one text; a doubtful one is refused."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pyarrow as pa
import pytest

from dlt_bunce.records.fields.identifiers import parse_identifiers
from dlt_bunce.records.text.text import flat

UUID = "0190d4c8-6f3b-7c1e-8a2d-0123456789ab"


def judged(values: list[object], kind: object = None) -> list[object]:
    """The canonical values, with False where a value is invalid."""
    array = values if isinstance(values, pa.Array) else pa.array(values, kind)
    column = parse_identifiers(array)
    assert column.reason.is_valid().to_pylist() == column.invalid.to_pylist()
    return [
        False if invalid else value
        for value, invalid in zip(
            column.values.to_pylist(), column.invalid.to_pylist(), strict=True
        )
    ]


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("c-1", pa.string(), "c-1"),
        ("  c-1\u00a0\u3000\t", pa.string(), "c-1"),
        ("a b", pa.string(), "a b"),
        ("Ünï-😀", pa.string(), "Ünï-😀"),
        ("ABC", pa.string(), "ABC"),
        (" \t\u2003", pa.string(), None),
        ("", pa.string(), None),
        (None, pa.string(), None),
        (None, pa.null(), None),
        ("a\x00b", pa.string(), False),
        ("a\nb", pa.string(), False),
        ("a\u0085b", pa.string(), False),
        ("x" * 255, pa.string(), "x" * 255),
        ("x" * 256, pa.string(), False),
        ("é" * 255, pa.string(), "é" * 255),
        ("007", pa.string(), "007"),
        (42, pa.int64(), "42"),
        (0, pa.int64(), "0"),
        (-7, pa.int64(), "-7"),
        (-128, pa.int8(), "-128"),
        (2**63, pa.uint64(), "9223372036854775808"),
        (Decimal(2**63), pa.decimal128(19, 0), "9223372036854775808"),
        (Decimal("12.5000"), pa.decimal128(18, 4), False),
        (Decimal("500.0000"), pa.decimal128(18, 4), "500"),
        (Decimal("0E-10"), pa.decimal128(38, 10), "0"),
        (Decimal(-3), pa.decimal128(38, 10), "-3"),
        (Decimal(10) ** 75, pa.decimal256(76, 0), "1" + "0" * 75),
        (Decimal("5E+2"), pa.decimal128(5, -2), "500"),
        (42.0, pa.float64(), "42"),
        (-0.0, pa.float64(), "0"),
        (1e15, pa.float64(), "1000000000000000"),
        (2.0**53, pa.float64(), "9007199254740992"),
        (2.0**54, pa.float64(), False),
        (42.5, pa.float64(), False),
        (float("inf"), pa.float64(), False),
        (float("nan"), pa.float64(), None),
        (2.0**24, pa.float32(), "16777216"),
        (2.0**25, pa.float32(), False),
        (uuid.UUID(UUID).bytes, pa.binary(16), False),
        (b"CUST000000000001", pa.binary(16), "CUST000000000001"),
        (b"CUST0001", pa.binary(8), "CUST0001"),
        ((7).to_bytes(16, "little"), pa.binary(16), False),
        ("7.0", pa.string(), "7"),
        ("7.10", pa.string(), "7.10"),
        ("1.70000E+12", pa.string(), False),
        ("2E5", pa.string(), False),
        ("E25", pa.string(), "E25"),
        ("1.2345678901234568e+17", pa.string(), False),
        ("1.2345678901234568e17", pa.string(), False),
        ("1e+16", pa.string(), False),
        ("-1e+22", pa.string(), False),
        ("9007199254740992.0", pa.string(), False),
        ("-9007199254740994.0", pa.string(), False),
        ("9007199254740991.0", pa.string(), "9007199254740991"),
        ("12345678901234567890.00", pa.string(), "12345678901234567890"),
        ("9" * 5_000 + ".0", pa.string(), False),
        ("Infinity", pa.string(), False),
        ("-inf", pa.string(), False),
        ("info", pa.string(), "info"),
        ("1e5", pa.string(), "1e5"),
        ("12e4", pa.string(), "12e4"),
        ("1e16", pa.string(), "1e16"),
        ("1.5e3", pa.string(), "1.5e3"),
        ("a1e+16", pa.string(), "a1e+16"),
        ("#N/A", pa.string(), False),
        ("#REF!", pa.string(), False),
        ("#12", pa.string(), "#12"),
        ("\u200b2", pa.string(), "2"),
        ("\ufeff2\u200f", pa.string(), "2"),
        ("\u200b", pa.string(), None),
        (UUID.upper(), pa.string(), UUID.upper()),
        (b"c-1", pa.binary(), "c-1"),
        (b"c-1", pa.large_binary(), "c-1"),
        (b"c-1", pa.binary_view(), "c-1"),
        (b" c1", pa.binary(3), "c1"),
        (b"\xff\xfe", pa.binary(), False),
        ("c-1", pa.large_string(), "c-1"),
        ("c-1", pa.string_view(), "c-1"),
        (True, pa.bool_(), False),
        (["a"], pa.list_(pa.string()), False),
        ({"a": 1}, pa.struct([("a", pa.int64())]), False),
        (None, pa.bool_(), None),
    ],
)
def test_a_value_becomes_this_id(value: object, kind: object, expected: object) -> None:
    assert [expected] == judged([value], kind)


def test_uuids_of_the_extension_type_are_written_as_uuids() -> None:
    array = pa.array([uuid.UUID(UUID).bytes, None], pa.uuid())

    assert judged(flat(array)) == [UUID, None]


def test_one_bad_byte_costs_its_own_row_only() -> None:
    assert judged([b"a", b"\xff", None, b"b"], pa.binary()) == ["a", False, None, "b"]


def test_bytes_marked_as_text_but_not_utf8_are_refused() -> None:
    buffers = pa.array([b"a", b"\xff"], pa.binary()).buffers()
    broken = pa.StringArray.from_buffers(2, buffers[1], buffers[2])

    assert judged(broken) == ["a", False]


def test_a_reason_tells_shapes_and_never_the_value() -> None:
    column = parse_identifiers(pa.array(["sec\x01ret", "y" * 300]))

    assert column.reason.to_pylist() == [
        "7 characters, 1 of them control characters",
        "300 characters; at most 255 are allowed",
    ]
