"""Dead letters of rows that were stopped here, and of rows that Bunce refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records import rows as source_rows
from dlt_bunce.records.cells import LETTER_ID
from dlt_bunce.records.fingerprint import email_digests
from dlt_bunce.records.plain import rows_of
from dlt_bunce.settlement.verdict import Verdict
from dlt_bunce.store.dead_letters import LETTERS
from dlt_bunce.store.ledger import SETTLED, Ledger


def of_rejected(chunk: int, table: pa.Table, rejected: pa.Table, email_key: bytes) -> pa.Table:
    """Letters (LETTERS) of the rows of `table` that `prepare` rejected.

    Those without an id keep a digest of their email: whoever arrives with it is that customer.
    """
    if not rejected.num_rows:
        return LETTERS.empty_table()
    sources = rows_of(table.take(rejected.column("row")))
    nobody = pc.is_null(rejected.column("customer_id"))
    emails = pc.if_else(nobody, rejected.column("email"), pa.scalar(None, pa.string()))
    digests = email_digests(emails, email_key)
    told = rejected.drop_columns(["row", "email"]).append_column("email_digest", digests)
    letters: list[Mapping[str, Any]] = [
        {**row, "stage": "normalize", "source_row": _as_read(source), "chunk": chunk}
        for row, source in zip(told.to_pylist(), sources, strict=True)
    ]
    return pa.Table.from_pylist(letters, LETTERS)


def of_verdicts(
    batch: pa.Table, verdicts: Sequence[Verdict], sources: Mapping[int, pa.Table]
) -> pa.Table:
    """Letters (LETTERS) of the rows that Bunce refused, in whole or but for the email.

    `sources` are the chunks as read, by number.
    """
    bad = [i for i, verdict in enumerate(verdicts) if verdict.code is not None]
    letters = []
    for i, row in zip(bad, batch.take(pa.array(bad, pa.int64())).to_pylist(), strict=True):
        verdict = verdicts[i]
        source = rows_of(sources[row["chunk"]].slice(row["row"], 1))[0]
        letters.append(
            {name: row[name] for name in ("customer_id", "fingerprint", "version", "chunk")}
            | {"payload": row["payload"], "source_row": _as_read(source)}
            | {"code": verdict.code, "field": verdict.field, "message": verdict.message}
            | {"stage": "api", "http_status": verdict.http_status}
        )
    return pa.Table.from_pylist(letters, LETTERS)


def _as_read(row: dict[str, Any]) -> str:
    """A source row without the letter that it corrects: it has become a letter of its own."""
    return source_rows.encode({name: row[name] for name in row if name != LETTER_ID})


def with_known_emails(
    ledger: Ledger, batch: pa.Table, verdicts: list[Verdict], email_key: bytes
) -> list[Verdict]:
    """A "taken" that no look-up explained is explained when the ledger has delivered the email
    under another id.
    """
    open_ = [
        i
        for i, verdict in enumerate(verdicts)
        if verdict.code == "already_taken" or verdict.confirmation == "conflict"
    ]
    if not open_:
        return verdicts
    rows = batch.take(pa.array(open_, pa.int64()))
    ids = rows.column("customer_id").to_pylist()
    digests = email_digests(rows.column("email"), email_key).to_pylist()
    others = ledger.emails_of_others(dict(zip(ids, digests, strict=True)))
    changed = list(verdicts)
    for i, customer_id in zip(open_, ids, strict=True):
        if customer_id in others:
            changed[i] = replace(
                verdicts[i],
                fate="rejected",
                confirmation=None,
                code="email_taken",
                field="email",
                message=verdicts[i].message or "taken, by another customer of the ledger",
            )
    return changed


def settled(batch: pa.Table, verdicts: Sequence[Verdict], email_key: bytes) -> pa.Table:
    """The verdicts as the ledger takes them (SETTLED)."""
    fingerprints = batch.column("fingerprint").to_pylist()
    delivered = [
        fingerprint if verdict.ours else None
        for fingerprint, verdict in zip(fingerprints, verdicts, strict=True)
    ]
    digests = email_digests(batch.column("email"), email_key)
    if any(verdict.code == "email_not_updated" for verdict in verdicts):
        # Bunce goes on with the email that the ledger knows
        kept = [verdict.code == "email_not_updated" for verdict in verdicts]
        digests = pa.compute.if_else(pa.array(kept), pa.scalar(None, pa.string()), digests)
    return pa.table(
        [
            batch.column("customer_id"),
            pa.array([verdict.fate for verdict in verdicts]),
            pa.array([verdict.confirmation for verdict in verdicts], pa.string()),
            pa.array(delivered, pa.string()),
            batch.column("version"),
            digests,
            batch.column("chunk"),
            pa.array([int(verdict.in_doubt) for verdict in verdicts], pa.int64()),
        ],
        schema=SETTLED,
    )
