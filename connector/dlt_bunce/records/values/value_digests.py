"""Digests that tell which values have changed, and how the ledger packs them.

A customer's values are compared twice: one digest of all of them tells whether any has changed,
which is all that most rows need; then one digest a value tells which. The ledger holds the latter
in one binary column, eight bytes a slot: seven of the digest, and one for what became of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat

import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_64_digest, xxh3_128_digest

from dlt_bunce.records.text.text import count_at_most
from dlt_bunce.records.values.values import Values

WIDTH = 8
"""Bytes of a slot."""
_DIGEST = WIDTH - 1
WRITTEN, REJECTED, IN_FLIGHT, UNCONFIRMED = b"\x01", b"\x02", b"\x03", b"\x04"
"""The last byte of a slot: Bunce has the value, has rejected it, or may have it. It may because it
was sent and no outcome is recorded, or because it was given up, and so is rejected, without a clear
answer.
"""
NOTHING = bytes(_DIGEST), bytes(1)
"""The digest and the state of a slot that holds nothing."""
_BETWEEN = "\x1f"


def row_digests(columns: Sequence[Values], seed: int) -> pa.Array:
    """Return a 128-bit digest of all values of each row (binary array).

    It is null for a row that must be looked at value by value: one with an invalid value, or with
    a text that holds what separates the values here.
    """
    texts = (values.texts for values in columns)
    joined = pc.binary_join_element_wise(
        *texts, _BETWEEN, null_handling="replace", null_replacement=""
    )
    digests = _digests(joined, xxh3_128_digest, seed, 16)
    masks = [pc.is_null(values.codes) for values in columns if _is_any(values.codes)]
    if count_at_most(joined, _BETWEEN) != len(joined) * (len(columns) - 1):
        masks.append(pc.equal(pc.count_substring(joined, _BETWEEN), len(columns) - 1))
    for mask in masks:
        digests = pc.if_else(mask, digests, pa.scalar(None, pa.binary()))
    return digests


def value_digests(texts: pa.Array, seed: int) -> pa.Array:
    """Return the digest of each text as the ledger packs it (binary array); null stays null."""
    digests = _digests(pc.fill_null(texts, ""), xxh3_64_digest, seed, WIDTH)
    cut = pc.binary_slice(digests, 0, _DIGEST)
    return pc.if_else(pc.is_valid(texts), cut, pa.scalar(None, pa.binary()))


def membership(seed: int) -> tuple[bytes, bytes]:
    """Return the digests of a segment's two values: of one who joins, and of one who leaves."""
    joins, leaves = value_digests(pa.array(["true", "false"]), seed).to_pylist()
    return joins, leaves


def possible_members(seed: int) -> tuple[bytes, ...]:
    """Return what the slot of a segment may hold of a customer who is a member, or may be."""
    joins, leaves = membership(seed)
    return joins + WRITTEN, joins + IN_FLIGHT, joins + UNCONFIRMED, leaves + IN_FLIGHT


def released(packed: bytes | None, rejected: Iterable[tuple[int, str]], seed: int) -> bytes:
    """Return a customer's packed digests without what Bunce has rejected (slot and kind of target):
    whoever could not be removed from a segment is still a member, and other values are not there,
    unless Bunce may have them.
    """
    joins, leaves = membership(seed)
    changes = []
    for slot, kind in rejected:
        digest, state = unpacked(packed or b"", slot)
        if state == REJECTED:
            is_member = kind == "segments" and digest == leaves
            changes.append((slot, joins, WRITTEN) if is_member else (slot, *NOTHING))
        elif state == UNCONFIRMED:
            changes.append((slot, digest, IN_FLIGHT))
    return repacked(packed, changes)


def packed_digests(packed: pa.Array, slot: int) -> tuple[pa.Array, pa.Array]:
    """Return what the ledger holds in a slot: digests and states, empty where it holds nothing."""
    start = slot * WIDTH
    known = pc.fill_null(packed, b"")
    end = start + _DIGEST
    return pc.binary_slice(known, start, end), pc.binary_slice(known, end, end + 1)


def unpacked(packed: bytes, slot: int) -> tuple[bytes, bytes]:
    """Return what one customer's packed digests hold in a slot, as `packed_digests` does."""
    start = slot * WIDTH
    return packed[start : start + _DIGEST], packed[start + _DIGEST : start + WIDTH]


def repacked(packed: bytes | None, values: Iterable[tuple[int, bytes, bytes]]) -> bytes:
    """Return a customer's packed digests with some values (slot, digest, state) replaced."""
    found = bytearray(packed or b"")
    for slot, digest, state in values:
        start = slot * WIDTH
        if len(found) < start + WIDTH:
            found.extend(bytes(start + WIDTH - len(found)))
        found[start : start + WIDTH] = digest + state
    return bytes(found)


def _is_any(array: pa.Array) -> bool:
    """Return whether an array has a value that is not null."""
    return bool(array.null_count < len(array))


def _digests(texts: pa.Array, digest: object, seed: int, width: int) -> pa.Array:
    values = texts.cast(pa.binary()).to_pylist()
    data = pa.py_buffer(b"".join(map(digest, values, repeat(seed))))  # type: ignore[call-overload]
    fixed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(values), [None, data])
    return fixed.cast(pa.binary())
