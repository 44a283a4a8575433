"""The same customers give the same bytes, whatever source, type, order, or chunking."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_bunce.records.fields.rules import Rules
from dlt_bunce.records.mapping.mapping import resolve_mapping
from dlt_bunce.records.prepare import Prepared, prepare

IDS = [str(uuid.UUID(int=at)) for at in range(6)]
PHONE = "+234803123456"
PEOPLE: list[dict[str, Any]] = [
    {
        "customer_id": IDS[at],
        "email": f"Person{at}@example.com" if at < 4 else "bro@ken@example.com",
        "first_name": name,
        "last_name": 'O"Hara \\',
        "phone_no": f"{PHONE}{at}",
        "devices": devices,
    }
    for at, (name, devices) in enumerate(
        [
            ("Ada", [{"device_type": "iOS", "device_token": "t1"}]),
            ("Zoe\u0308", []),
            ("李", None),
            (
                "😀",
                [
                    {"device_type": "ios", "device_token": "é"},
                    {"device_type": "android", "device_token": '"'},
                    {"device_type": "ios", "device_token": "é"},
                ],
            ),
            ("Bad", None),
            ("Bad", [{"device_type": "ios", "device_token": None}]),
        ]
    )
]
TABLE = pa.Table.from_pylist(PEOPLE)


def outcome(table: pa.Table) -> Prepared:
    return prepare(table, resolve_mapping(table.column_names), Rules())


def replaced(
    name: str, change: Callable[[pa.ChunkedArray], Any], table: pa.Table = TABLE
) -> pa.Table:
    at = table.column_names.index(name)
    return table.set_column(at, name, change(table[name]))


def all_text(kind: Any) -> pa.Table:
    table = as_json(TABLE)
    return pa.table({name: table[name].cast(kind) for name in table.column_names})


def as_json(table: pa.Table) -> pa.Table:
    lists = table["devices"].to_pylist()
    texts = [None if devices is None else json.dumps(devices) for devices in lists]
    return replaced("devices", lambda _: pa.array(texts, pa.string()), table)


def encoded(table: pa.Table) -> pa.Table:
    return pa.table({name: table[name].dictionary_encode() for name in table.column_names})


def chunked(table: pa.Table) -> pa.Table:
    # each part has a dictionary of its own
    return pa.concat_tables([encoded(table.slice(at, 2)) for at in range(0, table.num_rows, 2)])


def as_uuids(kind: Any) -> Callable[[pa.ChunkedArray], pa.Array]:
    def change(column: pa.ChunkedArray) -> pa.Array:
        storage = pa.array([uuid.UUID(text).bytes for text in column.to_pylist()], pa.binary(16))
        return storage if kind is None else pa.ExtensionArray.from_storage(kind, storage)

    return change


def from_duckdb() -> pa.Table:
    people = TABLE  # noqa: F841 - DuckDB finds it by name
    relation = duckdb.sql("SELECT * REPLACE (customer_id::uuid AS customer_id) FROM people")
    assert relation is not None
    return relation.to_arrow_table()


def from_parquet() -> pa.Table:
    sink = pa.BufferOutputStream()
    pq.write_table(TABLE, sink)
    return pq.read_table(pa.BufferReader(sink.getvalue()))


SOURCES: dict[str, Callable[[], pa.Table]] = {
    "json text": lambda: as_json(TABLE),
    "python dicts": lambda: pa.Table.from_pylist(
        [
            {k: json.dumps(v) if k == "devices" and v is not None else v for k, v in p.items()}
            for p in PEOPLE
        ]
    ),
    "duckdb": from_duckdb,
    "parquet": from_parquet,
    "dictionary-encoded": lambda: encoded(as_json(TABLE)),
    "dictionaries in chunks": lambda: chunked(as_json(TABLE)),
    "large_string": lambda: all_text(pa.large_string()),
    "string_view": lambda: all_text(pa.string_view()),
    "binary": lambda: all_text(pa.binary()),
    "large_binary": lambda: all_text(pa.large_binary()),
    "uuid extension": lambda: replaced("customer_id", as_uuids(pa.uuid())),
    "large_list": lambda: replaced("devices", lambda c: c.cast(pa.large_list(c.type.value_type))),
    "aliases": lambda: TABLE.rename_columns(
        ["ID", "Email-Address", "firstname", "Surname", "mobile", "devices"]
    ),
}

if hasattr(pa, "json_"):
    SOURCES["json extension"] = lambda: replaced(
        "devices",
        lambda c: pa.ExtensionArray.from_storage(pa.json_(), c.combine_chunks()),
        as_json(TABLE),
    )


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_values_and_fingerprints_are_byte_identical(source: Callable[[], pa.Table]) -> None:
    expected, actual = outcome(TABLE), outcome(source())

    assert expected.accepted.num_rows == 4
    assert expected.accepted == actual.accepted
    columns = ["row", "customer_id", "code", "field", "fingerprint"]
    assert expected.rejected.select(columns) == actual.rejected.select(columns)


@given(st.permutations(TABLE.column_names), st.lists(st.integers(0, 6), max_size=3))
def test_column_order_and_chunking_do_not_matter(columns: list[str], cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), 6]
    parts = [TABLE.slice(a, b - a) for a, b in pairwise(edges)]

    actual = outcome(pa.concat_tables(parts).select(columns))

    assert outcome(TABLE).accepted == actual.accepted
    assert outcome(TABLE).rejected == actual.rejected
