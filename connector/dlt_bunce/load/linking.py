"""Rows whose customer Bunce has under another id: who may be linked, and what is sent then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.load.dispatch import MAX_BATCH_BYTES, Batch
from dlt_bunce.logs import logger
from dlt_bunce.records.batching import pack
from dlt_bunce.records.fields.payload import with_payloads
from dlt_bunce.records.fingerprint import email_digests
from dlt_bunce.records.identities import Identities
from dlt_bunce.settlement.messages import Reason
from dlt_bunce.settlement.row_result import RowResult
from dlt_bunce.settlement.row_state import not_linked
from dlt_bunce.store.ledger import Ledger
from dlt_bunce.store.links import CANDIDATES

_MAX_CHUNKS = 4
"""Chunks that may be claimed while a linked row waits to be sent, so that memory stays bounded."""


class Linking:
    """Decides about rows whose email one customer in Bunce has, and about links that fail.

    A link is committed before anything is sent to Bunce's customer, so that a crash in between
    loses nothing. `identities` says who is in the load, and is called when the first row needs it.
    """

    def __init__(
        self,
        ledger: Ledger,
        identities: Callable[[], Identities],
        email_key: bytes,
        *,
        update: bool,
    ) -> None:
        self._ledger = ledger
        self._identities = identities
        self._email_key = email_key
        self._update = update
        self._waiting: list[pa.Table] = []
        self._since_chunk = 0
        # links that have failed in this load: our id and Bunce's
        self._ended: set[tuple[str, str]] = set()

    def take(self, rows: pa.Table, results: list[RowResult]) -> tuple[pa.Table, list[RowResult]]:
        """Keep the rows of a batch that are to be sent another way; return the others and results.

        Rows that may not be linked are rejected.
        """
        deferred = [i for i, result in enumerate(results) if result.fate == "deferred"]
        found = [i for i in deferred if results[i].holder_id is not None]
        lost = [i for i in deferred if results[i].link_lost]
        if not found and not lost:
            return rows, results
        results = list(results)
        again = {*self._relinked(rows, results, found), *self._unlinked(rows, lost)}
        rest = [i for i in range(rows.num_rows) if i not in again]
        return rows.take(pa.array(rest, pa.int64())), [results[i] for i in rest]

    def due(self, chunk: int, size: int) -> Iterator[Batch]:
        """Give up rows to be sent, once they fill a batch or have waited for long."""
        rows = sum(map(len, self._waiting))
        if rows >= size or (rows and chunk - self._since_chunk >= _MAX_CHUNKS):
            yield from self.rest(size)
        if not self._waiting:
            self._since_chunk = chunk

    def rest(self, size: int) -> Iterator[Batch]:
        """Give up all rows that wait to be sent."""
        waiting, self._waiting = self._waiting, []
        yield from map(Batch, pack(waiting, lambda: size, MAX_BATCH_BYTES))

    @property
    def is_waiting(self) -> bool:
        """Whether rows wait to be sent."""
        return bool(self._waiting)

    def _relinked(
        self, rows: pa.Table, results: list[RowResult], found: Sequence[int]
    ) -> list[int]:
        """Link rows, or note in `results` why not; return those that update Bunce's customer."""
        refused = self._refused(rows, results, found)
        again = []
        for i in found:
            why = refused.get(i)
            if why is not None:
                said = not_linked(Reason("taken", results[i].message, results[i].http_status), why)
                results[i] = RowResult(
                    "rejected",
                    code="email_taken",
                    field="email",
                    message=said.text,
                    http_status=said.status,
                )
            elif self._update and not results[i].content_matches:
                again.append(i)
            else:
                results[i] = RowResult(
                    "adopted", "lookup", content_matches=results[i].content_matches
                )
        if again:
            ids = [results[i].holder_id for i in again]
            self._wait(rows.take(pa.array(again, pa.int64())), "update", ids)
        return again

    def _refused(
        self, rows: pa.Table, results: Sequence[RowResult], found: Sequence[int]
    ) -> dict[int, str]:
        """Link what may be linked; return why the other rows may not."""
        if not found:
            return {}
        refused: dict[int, str] = {}
        chosen = rows.take(pa.array(found, pa.int64()))
        ids, emails = (chosen.column(name).to_pylist() for name in ("customer_id", "email"))
        digests = email_digests(chosen.column("email"), self._email_key).to_pylist()
        candidates = {}
        for i, customer_id, email, digest in zip(found, ids, emails, digests, strict=True):
            holder_id = str(results[i].holder_id)
            why = self._why_not(customer_id, email, holder_id)
            if why is None and holder_id not in candidates:
                candidates[holder_id] = dict(
                    zip(CANDIDATES.names, (customer_id, holder_id, digest), strict=True)
                )
            else:
                refused[i] = why or "another link has one of the two"
        if candidates:
            table = pa.Table.from_pylist(list(candidates.values()), CANDIDATES)
            whys = self._ledger.link(table)
            logger().info("links.made", linked=len(candidates) - len(whys), refused=len(whys))
            refused |= {i: whys[key] for i, key in zip(found, ids, strict=True) if key in whys}
        return refused

    def _why_not(self, customer_id: str, email: str, holder_id: str) -> str | None:
        if (customer_id, holder_id) in self._ended:
            return "Bunce shows that customer, but does not know it when it is updated"
        load = self._identities()
        if load.has_id(holder_id):
            return "the customer in Bunce is another customer of the source"
        if load.shares_email(email):
            return "another customer of the source has this email"
        return None

    def _unlinked(self, rows: pa.Table, lost: Sequence[int]) -> list[int]:
        """End links to customers that do not exist any more; the rows are created."""
        if lost:
            chosen = rows.take(pa.array(lost, pa.int64()))
            ids = chosen.column("customer_id").to_pylist()
            self._ledger.end_links(ids)
            self._ended.update(zip(ids, chosen.column("bunce_id").to_pylist(), strict=True))
            logger().warning("links.lost", customers=len(ids))
            self._wait(chosen, "create", [None] * len(ids))
        return list(lost)

    def _wait(self, rows: pa.Table, verb: str, bunce_ids: Sequence[str | None]) -> None:
        self._waiting.append(addressed(rows, verb, bunce_ids))


def addressed(rows: pa.Table, verb: str, bunce_ids: Sequence[str | None]) -> pa.Table:
    """Return rows to be sent with `verb`, as these customers of Bunce; nothing is in doubt."""
    changes = {
        "verb": pa.repeat(pa.scalar(verb), len(rows)),
        "indeterminate": pa.repeat(pa.scalar(False), len(rows)),
        "bunce_id": pa.array(bunce_ids, pa.string()),
    }
    for name, values in changes.items():
        rows = rows.set_column(rows.column_names.index(name), name, values)
    return with_sent_payloads(rows)


def with_sent_payloads(rows: pa.Table) -> pa.Table:
    """Return rows with the `payload` to send: with Bunce's id where it has another one."""
    own_ids, bunce_ids = rows.column("customer_id"), rows.column("bunce_id")
    if "payload" in rows.column_names:
        rows = rows.drop_columns(["payload"])
    if bunce_ids.null_count == len(bunce_ids):
        return with_payloads(rows)
    at = rows.column_names.index("customer_id")
    sent = rows.set_column(at, "customer_id", pc.coalesce(bunce_ids, own_ids))
    return rows.append_column("payload", with_payloads(sent).column("payload"))
