"""A column that nobody mapped stops no load, whatever Arrow type it has; a mapped one is read."""

from __future__ import annotations

import json
import uuid
from decimal import Decimal
from typing import Any

import dlt
import pyarrow as pa
import pytest

from dlt_bunce import bunce_adapter, flush_and_run
from dlt_bunce.emulator import Emulator
from dlt_bunce.records.text.plain import plain
from dlt_bunce.records.text.python_values import rows_of

from .conftest import MakePipeline, letters
from .test_mappings import DOORS, load

UUIDS = [uuid.UUID(int=1).bytes, uuid.UUID(int=2).bytes]
NOT_UTF8 = [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\3\0\0\0"), pa.py_buffer(b"a\xff\xfe")]
FAR = 253_402_300_800_000_000
"""The year 10000 in microseconds."""

PARTS = [pa.array([1, 2]), pa.array(["a", "b"])]


def stored(kind: Any, values: list[Any], storage: Any) -> pa.Array:
    return pa.ExtensionArray.from_storage(kind, pa.array(values, storage))


# the second row is the one that becomes a letter, with what its letter says
KINDS: dict[str, tuple[pa.Array, Any]] = {
    "bytes": (pa.array([b"x", b"\xff\xfe"]), {"base64": "//4="}),
    "bytes of a width": (pa.array([b"xx", b"\xff\xfe"], pa.binary(2)), {"base64": "//4="}),
    "view of bytes": (pa.array([b"x", b"\xff\xfe"], pa.binary_view()), {"base64": "//4="}),
    "view of text": (pa.array(["a", "b"], pa.string_view()), "b"),
    "text that is none": (pa.Array.from_buffers(pa.string(), 2, NOT_UTF8), {"base64": "//4="}),
    "nanoseconds": (pa.array([1, 2_001], pa.timestamp("ns")), "1970-01-01T00:00:00.000002+00:00"),
    "time in nanoseconds": (pa.array([1, 2_001], pa.time64("ns")), "00:00:00.000002"),
    "nanoseconds in a list": (
        pa.array([[1], [2_001]], pa.list_(pa.timestamp("ns"))),
        ["1970-01-01T00:00:00.000002"],
    ),
    "far dates": (pa.array([0, 3_000_000], pa.date32()), "10183-09-21"),
    "far times": (pa.array([0, FAR], pa.timestamp("us")), "10000-01-01 00:00:00.000000"),
    "durations": (pa.array([1, 2], pa.duration("s")), "PT2S"),
    "intervals": (pa.array([(1, 2, 3)] * 2, pa.month_day_nano_interval()), None),
    "wide decimals": (pa.array([Decimal(1), Decimal(10) ** 60], pa.decimal256(76, 0)), 10**60),
    "decimals of hundreds": (pa.array([Decimal(100)] * 2, pa.decimal128(5, -2)), "100"),
    "structs": (pa.array([{"a": b"b"}, {"a": b"\xff"}]), {"a": {"base64": "/w=="}}),
    "runs": (pa.RunEndEncodedArray.from_arrays(pa.array([1, 2], pa.int32()), ["a", "b"]), "b"),
    "uuids": (stored(pa.uuid(), UUIDS, pa.binary(16)), str(uuid.UUID(int=2))),
    "json": (stored(pa.json_(), ["{}", '{"a":1}'], pa.string()), '{"a":1}'),
    "bool8": (stored(pa.bool8(), [0, 1], pa.int8()), 1),
    "unions": (
        pa.UnionArray.from_sparse(
            pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])]
        ),
        "b",
    ),
    "unsigned": (pa.array([1, 2**64 - 1], pa.uint64()), 2**64 - 1),
    "no numbers": (pa.array([1.5, float("nan")]), None),
    "nothing": (pa.nulls(2), None),
}
PEOPLE = {
    "customer_id": ["1", "2"],
    "email": ["a@example.com", "b@example.com"],
    "first_name": ["Ada", "Eve"],
    "last_name": ["Obi", "Obi"],
    "phone_no": ["+2348100000001", "oops"],
}


@pytest.mark.parametrize("how", DOORS)
def test_no_column_stops_a_load_and_letters_hold_them_all(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    columns = {name: column for name, (column, _) in KINDS.items()}
    table = pa.table(PEOPLE | columns)

    def data() -> Any:
        yield table

    done = load(make(), how, "arrow", dlt.resource(data, name="customers"))

    assert (done.created, done.rejected) == (1, 1)
    [(text,)] = letters("source_row")
    row = json.loads(text)
    told = {name: said for name, (_, said) in KINDS.items() if said is not None}
    assert told == {name: row[name] for name in told}


@pytest.mark.parametrize("field", ["customer_id", "email", "first_name", "phone_no"])
@pytest.mark.parametrize("kind", ["far dates", "far times"])
def test_a_date_that_python_does_not_have_makes_a_letter_of_its_row(
    make: MakePipeline, emulator: Emulator, kind: str, field: str
) -> None:
    table = pa.table(PEOPLE | {field: KINDS[kind][0]})

    done = flush_and_run(make(), bunce_adapter(dlt.resource([table], name="customers")))

    assert (done.read, done.rejected, emulator.customers) == (2, 2, {})
    assert f'"{field}": "{KINDS[kind][1]}"' in "".join(row for (row,) in letters("source_row"))


@pytest.mark.parametrize(
    ("kind", "expected"), [("uuids", str(uuid.UUID(int=1))), ("decimals of hundreds", "100")]
)
def test_ids_of_any_type_are_read_as_what_they_mean(
    make: MakePipeline, emulator: Emulator, kind: str, expected: str
) -> None:
    table = pa.table(PEOPLE | {"customer_id": KINDS[kind][0]})

    load(make(), "flush_and_run", "arrow", dlt.resource([table.slice(0, 1)], name="customers"))

    assert {expected} == set(emulator.customers)


@pytest.mark.parametrize("asked", ["run", "resource"])
@pytest.mark.parametrize("file_format", ["jsonl", "typed-jsonl"])
def test_a_table_keeps_its_types_where_json_is_asked_for(
    make: MakePipeline, emulator: Emulator, file_format: Any, asked: str
) -> None:
    emulator.attributes.add("Score", "text")
    ids = pa.array([b"7", b"\xff"])
    people = PEOPLE | {"customer_id": ids, "score": pa.array([0.1, 0.1], pa.float32())}
    options = {"file_format": file_format} if asked == "resource" else {}
    data = dlt.resource([pa.table(people)], name="customers", **options)

    done = flush_and_run(
        make(),
        bunce_adapter(data, attributes={"score": "Score"}),
        loader_file_format=None if options else file_format,
    )

    assert (done.created, done.reject_codes) == (1, {"invalid_customer_id": 1})
    assert set(emulator.customers) == {"7"}
    assert emulator.attributes.values_of("7") == {"Score": "0.1"}


@pytest.mark.parametrize("name", KINDS)
def test_a_plain_table_has_the_same_rows(name: str) -> None:
    table = pa.table({"x": KINDS[name][0]})

    made = plain(table)

    assert 2 == len(rows_of(made)) == made.num_rows
    assert plain(made) is made
    assert plain(pa.RecordBatch.from_arrays([KINDS[name][0]], ["x"])).num_rows == 2
