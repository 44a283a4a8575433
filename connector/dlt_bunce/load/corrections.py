"""Rows that correct dead letters: each names its letter in a column, and closes it.

Any source may have the column; the export of dead letters writes it.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.cells import LETTER_ID
from dlt_bunce.records.prepare import Prepared
from dlt_bunce.records.text.text import flat
from dlt_bunce.store.database import Database
from dlt_bunce.store.ledger import LoadFile
from dlt_bunce.store.letters.corrections import CORRECTED, close_corrected
from dlt_bunce.store.letters.dead_letters import letter_id


def are_in(table: pa.Table) -> bool:
    """Whether rows of a table can name letters."""
    return LETTER_ID in table.column_names


def named(table: pa.Table, accepted: pa.Table) -> pa.Table | None:
    """Return accepted rows that name a letter (row, customer_id, version, letter_id); None if none
    can.
    """
    if not are_in(table):
        return None
    letters = _letters(table).take(accepted.column("row"))
    found = accepted.select(["row", "customer_id", "version"])
    found = found.append_column("letter_id", letters)
    return found.filter(pc.is_valid(letters))


def letters_of(table: pa.Table, rows: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the letters that these rows name, null for those that name none."""
    if not are_in(table):
        return pa.chunked_array([pa.nulls(len(rows), pa.string())])
    return pa.chunked_array([_letters(table)]).take(rows)


def as_letters(load_file: LoadFile, table: pa.Table, rejected: pa.Table) -> pa.Table:
    """Return rejected rows with the `id` of the letter that each would be, and of the one that it
    names (`corrects`).
    """
    rows = rejected.select(["customer_id", "fingerprint", "version"])
    ids = pa.array((_own(load_file, row) for row in rows.to_pylist()), pa.string())
    named_ids = letters_of(table, rejected.column("row"))
    return rows.append_column("id", ids).append_column("corrects", named_ids)


def close(db: Database, load_file: LoadFile, table: pa.Table, prepared: Prepared) -> None:
    """Close the letters that rows of `table` name, once all of these are settled: `resolved` where
    Bunce has the row now, `superseded` where the row has a letter of its own or gave way to other
    content of its customer. Any other stays open.
    """
    if not are_in(table):
        return
    letters = _letters(table).to_pylist()
    kept = pa.concat_tables(
        part.select(["row", "customer_id", "fingerprint", "version"])
        for part in (prepared.accepted, prepared.rejected)
    ).to_pylist()
    judged = {row.pop("row"): row for row in kept}
    corrected = [
        {"letter_id": letter}
        | judged.get(row, {})
        | {"own_id": _own(load_file, judged[row]) if row in judged else None}
        for row, letter in enumerate(letters)
        if letter is not None
    ]
    if corrected:
        close_corrected(db, load_file.account, pa.Table.from_pylist(corrected, CORRECTED))


def _letters(table: pa.Table) -> pa.Array:
    """Trimmed ids, null where a row names no letter."""
    ids = pc.utf8_trim_whitespace(flat(table.column(LETTER_ID)).cast(pa.string()))
    return pc.if_else(pc.equal(ids, ""), pa.scalar(None, pa.string()), ids)


def _own(load_file: LoadFile, row: dict[str, str]) -> str:
    return letter_id(load_file.account, row["customer_id"], row["fingerprint"])
