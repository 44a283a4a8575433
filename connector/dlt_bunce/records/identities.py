"""Who is in a load: its ids, and the emails that several of its customers have."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_64_intdigest

from dlt_bunce.records.duplicates import PASS_IDS, Read
from dlt_bunce.records.fields.fields import identifiers, read_field
from dlt_bunce.records.fields.rules import Rules, parsers_of
from dlt_bunce.records.mapping.mapping import FieldMapping

_SORTED_ROWS = 500_000
"""Ids that are sorted together: each lookup searches every such group."""
_PAIRS = pa.schema([("id", pa.uint64()), ("email", pa.uint64())])


@dataclass(frozen=True)
class Identities:
    """The ids of a load, and the emails that more than one id has, as hashes of 8 bytes.

    Rows count whatever becomes of them: a row that is rejected is a customer of the source, too.
    """

    ids: tuple[memoryview, ...]
    shared_emails: frozenset[int]

    def has_id(self, customer_id: str) -> bool:
        """Return whether a row has this id."""
        wanted = xxh3_64_intdigest(customer_id.encode())
        for hashes in self.ids:
            at = bisect_left(hashes, wanted)
            if at < len(hashes) and hashes[at] == wanted:
                return True
        return False

    def shares_email(self, email: str) -> bool:
        """Return whether rows of different ids have this email, in any case."""
        return xxh3_64_intdigest(email.lower().encode()) in self.shared_emails


def read_identities(
    read: Read, rows: int, mapping: FieldMapping, rules: Rules, *, pass_rows: int = PASS_IDS
) -> Identities:
    """Read the ids and emails of a load; for `read` and `rows`, see find_duplicates.

    Rows without an id are nobody in particular. Besides the result, only one part of the emails is
    held at a time: a large load is read several times.
    """
    names = ("customer_id", "email")
    columns = {column for name in names for column in mapping.columns_of(name)}
    ids: list[memoryview] = []
    shared: set[int] = set()
    parts = 1 << (max(rows - 1, 0) // pass_rows).bit_length()
    mask = pa.scalar(parts - 1, pa.uint64())
    for part in range(parts):
        kept, unsorted = [_PAIRS.empty_table()], [_PAIRS.empty_table()]
        for _, table in read(columns):
            pairs = _pairs(table, mapping, rules)
            emails = pairs.column("email")
            kept.append(pairs.filter(pc.equal(pc.bit_wise_and(emails, mask), part)))
            if part == 0:
                unsorted.append(pairs)
                if sum(map(len, unsorted)) >= _SORTED_ROWS:
                    ids.append(_sorted(unsorted))
                    unsorted = [_PAIRS.empty_table()]
        ids.append(_sorted(unsorted))
        shared.update(_shared(kept))
    return Identities(tuple(ids), frozenset(shared))


def _pairs(table: pa.Table, mapping: FieldMapping, rules: Rules) -> pa.Table:
    ids = identifiers(table, mapping, rules.traces).values
    emails = read_field(table, mapping, "email", parsers_of(rules)["email"]).values
    named = pc.is_valid(ids)
    arrays = [ids.filter(named), pc.utf8_lower(emails.filter(named))]
    return pa.table([_hashes(array) for array in arrays], schema=_PAIRS)


def _hashes(texts: pa.Array) -> pa.Array:
    values = texts.cast(pa.binary()).to_pylist()
    return pa.array([None if v is None else xxh3_64_intdigest(v) for v in values], pa.uint64())


def _sorted(tables: list[pa.Table]) -> memoryview:
    ids = pa.concat_tables(tables).column("id").combine_chunks()
    ordered = ids.take(pc.sort_indices(ids))
    return memoryview(ordered.buffers()[1] or b"").cast("B").cast("Q")[: len(ordered)]


def _shared(tables: list[pa.Table]) -> list[int]:
    """Return the emails that more than one id has."""
    owners = pa.concat_tables(tables).group_by("email", use_threads=False)
    found = owners.aggregate([("id", "min"), ("id", "max")])
    several = pc.not_equal(found.column("id_min"), found.column("id_max"))
    emails: list[int] = found.column("email").filter(several).to_pylist()
    return emails
