"""Dead letters of rows that were stopped here, and of rows that Bunce refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.load import corrections
from dlt_bunce.records import rows as source_rows
from dlt_bunce.records.cells import LETTER_ID
from dlt_bunce.records.fingerprint import email_digests
from dlt_bunce.records.row_origin import FILE, LINE, origin_of
from dlt_bunce.records.text.python_values import rows_of
from dlt_bunce.settlement.row_result import RowResult
from dlt_bunce.store.ledger import SETTLED, Ledger
from dlt_bunce.store.letters.dead_letters import LETTERS

_NOT_THE_ROW = frozenset({LETTER_ID, FILE, LINE})


def of_rejected(chunk: int, table: pa.Table, rejected: pa.Table, email_key: bytes) -> pa.Table:
    """Letters (LETTERS) of the rows of `table` that `prepare` rejected, with a digest of the email.

    Whoever arrives with the email of a row without an id is that customer.
    """
    if not rejected.num_rows:
        return LETTERS.empty_table()
    sources = rows_of(table.take(rejected.column("row")))
    digests = email_digests(rejected.column("email"), email_key)
    told = rejected.drop_columns(["row", "email"]).append_column("email_digest", digests)
    told = told.append_column("corrects", corrections.letters_of(table, rejected.column("row")))
    letters: list[Mapping[str, Any]] = [
        {**row, "stage": "normalize", "chunk": chunk} | _as_read(source)
        for row, source in zip(told.to_pylist(), sources, strict=True)
    ]
    return pa.Table.from_pylist(letters, LETTERS)


def of_results(
    batch: pa.Table,
    results: Sequence[RowResult],
    sources: Mapping[int, pa.Table],
    email_key: bytes,
) -> pa.Table:
    """Letters (LETTERS) of the rows that Bunce refused, in whole or but for the email.

    `sources` are the chunks as read, by number.
    """
    bad = [i for i, result in enumerate(results) if result.code is not None]
    refused = batch.take(pa.array(bad, pa.int64()))
    digests = email_digests(refused.column("email"), email_key).to_pylist()
    letters = []
    for i, row, digest in zip(bad, refused.to_pylist(), digests, strict=True):
        result = results[i]
        source = rows_of(sources[row["chunk"]].slice(row["row"], 1))[0]
        letters.append(
            {name: row[name] for name in ("customer_id", "fingerprint", "version", "chunk")}
            | {"payload": row["payload"], "email_digest": digest}
            | _as_read(source)
            | {"code": result.code, "field": result.field, "message": result.message}
            | {"stage": "api", "http_status": result.http_status}
        )
    return pa.Table.from_pylist(letters, LETTERS)


def read_anew(
    table: pa.Table, columns: Collection[str], letters: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the letters (with the `row` of a table, source_row, and `mapped_otherwise`) that are
    mapped otherwise now, or whose row has other values in `columns`, with the row of now.
    """
    if not columns:
        letters = [letter for letter in letters if letter["mapped_otherwise"]]
    rows = rows_of(table.take(pa.array([letter["row"] for letter in letters], pa.int64())))
    read = [letter | _as_read(row) for letter, row in zip(letters, rows, strict=True)]
    return [
        now
        for letter, now in zip(letters, read, strict=True)
        if letter["mapped_otherwise"] or _differs(letter["source_row"], now["source_row"], columns)
    ]


def _differs(before: str, now: str, columns: Collection[str]) -> bool:
    if before == now:
        return False
    stored, read = source_rows.decode(before), source_rows.decode(now)
    return any(_text(stored.get(name)) != _text(read.get(name)) for name in columns)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _as_read(row: dict[str, Any]) -> dict[str, Any]:
    """Return a source row, encoded, and where it came from, as columns of its letter.

    The letter that the row corrects is left out, now that the row is one itself.
    """
    own = {name: row[name] for name in row if name not in _NOT_THE_ROW}
    source, line = origin_of(row)
    return {"source_row": source_rows.encode(own), "source": source, "source_line": line}


def with_known_emails(
    ledger: Ledger, batch: pa.Table, results: list[RowResult], email_key: bytes
) -> list[RowResult]:
    """Explain a "taken" that no look-up explained, where the ledger has delivered the email under
    another id.
    """
    open_ = [
        i
        for i, result in enumerate(results)
        if result.code == "already_taken" or result.confirmation == "conflict"
    ]
    if not open_:
        return results
    rows = batch.take(pa.array(open_, pa.int64()))
    ids = rows.column("customer_id").to_pylist()
    digests = email_digests(rows.column("email"), email_key).to_pylist()
    others = ledger.emails_of_others(dict(zip(ids, digests, strict=True)))
    changed = list(results)
    for i, customer_id in zip(open_, ids, strict=True):
        if customer_id in others:
            changed[i] = replace(
                results[i],
                fate="rejected",
                confirmation=None,
                code="email_taken",
                field="email",
                message=results[i].message or "taken, by another customer of the ledger",
            )
    return changed


def settled(batch: pa.Table, results: Sequence[RowResult], email_key: bytes) -> pa.Table:
    """Return the results as the ledger takes them (SETTLED)."""
    # rows of a batch that simply succeeds share one result
    distinct = {id(result): result for result in results}

    def column(name: str, kind: pa.DataType) -> pa.Array:
        if len(distinct) == 1:
            return pa.repeat(pa.scalar(getattr(results[0], name), kind), len(results))
        return pa.array([getattr(result, name) for result in results], kind)

    delivered = batch.column("fingerprint")
    if not all(result.content_matches for result in distinct.values()):
        delivered = pc.if_else(
            column("content_matches", pa.bool_()), delivered, pa.scalar(None, pa.string())
        )
    digests = email_digests(batch.column("email"), email_key)
    if any(result.code == "email_not_updated" for result in distinct.values()):
        # Bunce goes on with the email that the ledger knows
        kept = [result.code == "email_not_updated" for result in results]
        digests = pc.if_else(pa.array(kept), pa.scalar(None, pa.string()), digests)
    return pa.table(
        [
            batch.column("customer_id"),
            column("fate", pa.string()),
            column("confirmation", pa.string()),
            delivered,
            batch.column("version"),
            digests,
            batch.column("chunk"),
            column("indeterminate", pa.bool_()).cast(pa.int64()),
        ],
        schema=SETTLED,
    )
