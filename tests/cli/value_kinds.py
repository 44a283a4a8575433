"""Values of every type as each source has them, and the text that attributes get."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa

BIG = Decimal("12345678901234567890123456789.123456789")
SOME_UUID = UUID("123e4567-e89b-12d3-a456-426655440000")
WINTER = datetime(2024, 1, 1, 9, 30, 0, 999_000, tzinfo=timezone.utc)
OLD = datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=timezone.utc)
BARE = datetime(2024, 1, 1, 9, 30)  # noqa: DTZ001, the point of it
OBJECT = {"b": 1, "a": [1.1, None], "c": None, "d": {"é": "x"}}
OBJECT_TEXT = '{"a":[1.1,null],"b":1,"d":{"é":"x"}}'
STRUCT = {"plan": "gold", "seats": 2, "until": None}


@dataclass(frozen=True)
class Kind:
    """A column of two values: their types by place, and what attributes of each type get.

    `expected` has the text by type of attribute; None for a value that is rejected, or blank.
    `literals` are those of SQL, where they are not those of the values.
    """

    values: tuple[Any, Any]
    arrow: Any
    postgres: str
    duckdb: str
    expected: dict[str, tuple[str | None, str | None]]
    literals: tuple[str, str] | None = None
    cells: tuple[Any, Any] | None = None

    def sql(self, kind: str) -> list[str]:
        """The values as literals of a database's type."""
        texts = self.literals or tuple(None if v is None else f"'{v}'" for v in self.values)
        return ["NULL" if text is None else f"CAST({text} AS {kind})" for text in texts]


def same(first: str | None, second: str | None, *types: str) -> dict[str, Any]:
    return dict.fromkeys(types, (first, second))


AWARE = same("2024-01-01T09:30:00Z", "1969-12-31T23:59:59Z", "text", "timestamp")
# a timestamp without a time zone is one only for an attribute that takes text
NAIVE = same("2024-01-01T09:30:00", "2024-01-01T09:30:00", "text") | same(None, None, "timestamp")
NUMBER = ("text", "numeric")
FLAG = same("true", "false", "boolean")


def naive(unit: str, postgres: str, duck: str) -> Kind:
    return Kind((BARE, BARE), pa.timestamp(unit), postgres, duck, NAIVE)


KINDS = {
    "int64": Kind((7, -(2**63)), pa.int64(), "bigint", "BIGINT", same("7", f"{-(2**63)}", *NUMBER)),
    "uint64": Kind(
        (0, 2**64 - 1), pa.uint64(), "numeric(20)", "UBIGINT", same("0", f"{2**64 - 1}", *NUMBER)
    ),
    "flags": Kind((1, 0), pa.int32(), "integer", "INTEGER", FLAG),
    "decimal flags": Kind(
        (Decimal(1), Decimal(0)), pa.decimal128(1, 0), "numeric(1)", "DECIMAL(1, 0)", FLAG
    ),
    "double": Kind(
        (0.1, 1e21), pa.float64(), "float8", "DOUBLE", same("0.1", f"1{'0' * 21}", *NUMBER)
    ),
    "small double": Kind(
        (-0.0, 1e-7), pa.float64(), "float8", "DOUBLE", same("0", "0.0000001", *NUMBER)
    ),
    "no numbers": Kind(
        (float("nan"), float("inf")),
        pa.float64(),
        "float8",
        "DOUBLE",
        same(None, None, "numeric") | same(None, "Infinity", "text"),
    ),
    "float": Kind(
        (0.1, 16_777_216.0), pa.float32(), "real", "FLOAT", same("0.1", "16777216", *NUMBER)
    ),
    "decimal": Kind(
        (Decimal("12.500"), BIG),
        pa.decimal128(38, 9),
        "numeric(38, 9)",
        "DECIMAL(38, 9)",
        same("12.5", str(BIG), *NUMBER),
    ),
    "any decimal": Kind(
        (Decimal("0.1"), Decimal("NaN")),
        pa.decimal128(38, 9),
        "numeric",
        "DECIMAL(18, 4)",
        same("0.1", None, *NUMBER),
        literals=("0.1", "NULL"),
        cells=(Decimal("0.1"), None),
    ),
    "bool": Kind(
        (True, False), pa.bool_(), "boolean", "BOOLEAN", same("true", "false", "text", "boolean")
    ),
    "date": Kind(
        (date(2024, 2, 29), date(1969, 12, 31)),
        pa.date32(),
        "date",
        "DATE",
        same("2024-02-29", "1969-12-31", "text")
        | same("2024-02-29T00:00:00Z", "1969-12-31T00:00:00Z", "timestamp"),
    ),
    "aware s": Kind(
        (WINTER.replace(microsecond=0), OLD.replace(microsecond=0)),
        pa.timestamp("s", "UTC"),
        "timestamptz(0)",
        "TIMESTAMPTZ",
        AWARE,
    ),
    "aware ms": Kind(
        (WINTER, OLD), pa.timestamp("ms", "America/Lima"), "timestamptz(3)", "TIMESTAMPTZ", AWARE
    ),
    "aware us": Kind(
        (WINTER, OLD), pa.timestamp("us", "Africa/Lagos"), "timestamptz", "TIMESTAMPTZ", AWARE
    ),
    "aware ns": Kind((WINTER, OLD), pa.timestamp("ns", "UTC"), "timestamptz", "TIMESTAMPTZ", AWARE),
    "naive s": naive("s", "timestamp(0)", "TIMESTAMP_S"),
    "naive ms": naive("ms", "timestamp(3)", "TIMESTAMP_MS"),
    "naive us": naive("us", "timestamp", "TIMESTAMP"),
    "naive ns": naive("ns", "timestamp", "TIMESTAMP_NS"),
    "text": Kind(
        ("gold", " {VIP} "), pa.string(), "text", "VARCHAR", same("gold", "{VIP}", "text")
    ),
    "large text": Kind(
        ("1e3", "007"), pa.large_string(), "varchar(9)", "VARCHAR", same("1000", "7", "numeric")
    ),
    "moments in text": Kind(
        ("2024-01-01T10:30:00+01:00", "1969-12-31 23:59:59.5Z"),
        pa.string(),
        "text",
        "VARCHAR",
        same("2024-01-01T09:30:00Z", "1969-12-31T23:59:59Z", "timestamp"),
    ),
    "dictionary": Kind(
        ("gold", "yes"),
        pa.dictionary(pa.int8(), pa.string()),
        "text",
        "ENUM('gold', 'yes')",
        same("gold", "yes", "text") | same(None, "true", "boolean"),
    ),
    "uuid": Kind(
        (SOME_UUID, UUID(int=0)),
        pa.uuid(),
        "uuid",
        "UUID",
        same(f"{SOME_UUID}", f"{UUID(int=0)}", "text"),
    ),
    "json": Kind(
        (OBJECT, [2, 1]),
        pa.string(),
        "json",
        "JSON",
        same(OBJECT_TEXT, "[2,1]", "text"),
        literals=(f"'{json.dumps(OBJECT)}'", "'[2, 1]'"),
        cells=(json.dumps(OBJECT), "[2, 1]"),
    ),
    "struct": Kind(
        (STRUCT, STRUCT),
        pa.struct([("plan", pa.string()), ("seats", pa.int64()), ("until", pa.string())]),
        "jsonb",
        "STRUCT(plan VARCHAR, seats BIGINT, until VARCHAR)",
        same('{"plan":"gold","seats":2}', '{"plan":"gold","seats":2}', "text"),
        literals=(f"'{json.dumps(STRUCT)}'", f"'{json.dumps(STRUCT)}'"),
    ),
    "list": Kind(
        (["b", "a"], []),
        pa.list_(pa.string()),
        "jsonb",
        "VARCHAR[]",
        same('["b","a"]', "[]", "text"),
        literals=('\'["b", "a"]\'', "'[]'"),
    ),
    "binary": Kind(
        (b"gold", b"\xff"),
        pa.binary(),
        "bytea",
        "BLOB",
        same("gold", None, "text"),
        literals=("'gold'", r"'\xff'"),
    ),
    "time": Kind(
        (time(12, 30), time(12, 30, 0, 500_000)),
        pa.time64("us"),
        "time",
        "TIME",
        same("12:30:00", "12:30:00.5", "text"),
    ),
    "interval": Kind(
        (timedelta(1, 7_384), -timedelta(milliseconds=500)),
        pa.duration("us"),
        "interval",
        "INTERVAL",
        same("P1DT2H3M4S", "-PT0.5S", "text"),
        literals=("'1 day 02:03:04'", "'-00:00:00.5'"),
    ),
    "nothing": Kind((None, None), pa.null(), "text", "VARCHAR", same(None, None, *NUMBER)),
}
