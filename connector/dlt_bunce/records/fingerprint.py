"""Digests by which content is compared without being kept."""

from __future__ import annotations

import hashlib

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.text import hex_text

_BYTES = 16


def fingerprint(payloads: pa.Array) -> pa.Array:
    """128-bit BLAKE2b of each text's UTF-8, as 32 hex digits (string array); null stays null."""
    return _digests(payloads, b"")


def email_digests(emails: pa.Array, key: bytes) -> pa.Array:
    """The same, keyed (up to 64 bytes): without the key no address can be tried against it."""
    return _digests(emails, key)


def _digests(texts: pa.Array, key: bytes) -> pa.Array:
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    blake = hashlib.blake2b
    values = texts.cast(pa.binary()).to_pylist()
    joined = b"".join(
        [blake(value or b"", digest_size=_BYTES, key=key).digest() for value in values]
    )
    digests = hex_text(joined, 2 * _BYTES)
    if not texts.null_count:
        return digests
    return pc.if_else(pc.is_valid(texts), digests, pa.scalar(None, pa.string()))
