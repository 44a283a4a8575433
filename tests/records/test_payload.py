"""Payloads are exactly what Python's json would write, and so are their digests."""

from __future__ import annotations

import hashlib
import json

import pyarrow as pa
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from dlt_bunce.records.fields.payload import payloads
from dlt_bunce.records.fingerprint import email_digests, fingerprint, text_digests

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


# what canonical values are made of: no control characters
_values = st.none() | st.sampled_from(["", "a", "b", "ab", "é", "+1", '"', ","])
_rows = st.tuples(_values, _values, _values)


@given(_rows, _rows)
def test_two_rows_have_one_fingerprint_just_when_they_have_one_payload(
    first: tuple[str | None, ...], second: tuple[str | None, ...]
) -> None:
    columns = {
        name: pa.array([first[at], second[at]], pa.string())
        for at, name in enumerate(("customer_id", "email", "devices"))
    }

    assert len(set(payloads(columns).to_pylist())) == len(set(fingerprint(columns).to_pylist()))


def test_a_fingerprint_is_xxh3_of_the_values_with_a_sign_where_there_is_none() -> None:
    columns = {"customer_id": pa.array(["1", "2"]), "devices": pa.array(["[{}]", None])}

    expected = [xxhash.xxh3_128_hexdigest(text) for text in (b"1\x1f[{}]", b"2\x1f\x1e")]
    assert expected == fingerprint(columns).to_pylist()


@given(st.lists(st.text(max_size=10), max_size=5))
def test_the_digest_of_a_text_is_xxh3_of_its_utf8(texts: list[str]) -> None:
    expected = [xxhash.xxh3_128_hexdigest(text.encode()) for text in texts]

    assert expected == text_digests(pa.array(texts, pa.string())).to_pylist()


def test_no_email_has_no_digest() -> None:
    emails = pa.chunked_array([pa.array(["ada@example.com", None]), pa.array([], pa.string())])

    keyed = hashlib.blake2b(b"ada@example.com", digest_size=16, key=b"k").hexdigest()
    assert [keyed, None] == email_digests(emails, b"k").to_pylist()


def test_an_email_digest_depends_on_the_key() -> None:
    emails = pa.array(["ada@example.com"])

    keyed = hashlib.blake2b(b"ada@example.com", digest_size=16, key=b"k").hexdigest()
    assert email_digests(emails, b"k").to_pylist() == [keyed]
    assert email_digests(emails, b"other").to_pylist() != [keyed]


def test_a_fingerprint_never_changes_between_releases() -> None:
    columns = {"customer_id": pa.array(["1"]), "email": pa.array(["ada@example.com"])}

    assert fingerprint(columns).to_pylist() == ["9f55001c42aad5a95fa3b05d799734f7"]
