"""Payloads are exactly what Python's json would write, and so are their digests."""

from __future__ import annotations

import hashlib
import json

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from dlt_bunce.records.fingerprint import email_digests, fingerprint
from dlt_bunce.records.payload import payloads

texts = st.lists(
    st.tuples(*[st.text(max_size=8) | st.text('"\\\x00\n\x1f\x7f\u2028é', max_size=8)] * 3),
    min_size=1,
    max_size=5,
)


@given(texts, st.booleans())
def test_a_payload_is_compact_json_in_the_order_of_the_fields(
    rows: list[tuple[str, ...]],
    holes: bool,
) -> None:
    columns = {
        name: pa.array([None if holes and i == 1 else row[i] for row in rows], pa.string())
        for i, name in enumerate(("customer_id", "first_name", "last_name"))
    }

    expected = [
        json.dumps(
            {name: array[at].as_py() for name, array in columns.items() if array[at].is_valid},
            ensure_ascii=False,
            separators=(",", ":"),
        )
        for at in range(len(rows))
    ]
    assert expected == payloads(columns).to_pylist()


def test_devices_are_json_already_and_left_out_when_null() -> None:
    columns = {"customer_id": pa.array(["1", "2"]), "devices": pa.array(["[{}]", None])}

    assert payloads(columns).to_pylist() == [
        '{"customer_id":"1","devices":[{}]}',
        '{"customer_id":"2"}',
    ]


def test_a_slice_does_not_change_a_payload() -> None:
    column = pa.array(['a"', "b", "c\\"])

    assert payloads({"customer_id": column.slice(1, 1)}).to_pylist() == ['{"customer_id":"b"}']
    assert payloads({"customer_id": column.slice(2)}).to_pylist() == ['{"customer_id":"c\\\\"}']


@given(st.lists(st.none() | st.text(max_size=10), max_size=5))
def test_a_fingerprint_is_blake2b_of_the_text(values: list[str | None]) -> None:
    array = pa.array(values, pa.string())

    expected = [
        None if v is None else hashlib.blake2b(v.encode(), digest_size=16).hexdigest()
        for v in values
    ]
    assert expected == fingerprint(array).to_pylist()
    assert expected == fingerprint(pa.chunked_array([array, array.slice(0, 0)])).to_pylist()


def test_an_email_digest_depends_on_the_key() -> None:
    emails = pa.array(["ada@example.com"])

    keyed = hashlib.blake2b(b"ada@example.com", digest_size=16, key=b"k").hexdigest()
    assert email_digests(emails, b"k").to_pylist() == [keyed]
    assert email_digests(emails, b"other").to_pylist() != [keyed]


def test_a_fingerprint_never_changes_between_releases() -> None:
    payload = '{"customer_id":"1","email":"ada@example.com"}'

    assert fingerprint(pa.array([payload])).to_pylist() == ["687d56cb0ca0b3b60643ffdc95228628"]
