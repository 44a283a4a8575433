"""Fill the ledger from Bunce's own listing of customers.

For a workspace that had customers before its first load: customers that match the source then
count as unchanged, and none is sent only to come back as "already taken".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from dlt_bunce.destination.client import BunceClient
from dlt_bunce.errors import ListingError
from dlt_bunce.logs import logger
from dlt_bunce.records.fields.rules import Rules
from dlt_bunce.records.fingerprint import email_digests
from dlt_bunce.records.mapping.mapping import FieldMapping
from dlt_bunce.records.mapping.schema import FIELDS
from dlt_bunce.records.prepare import prepare
from dlt_bunce.records.rows import arrow_table
from dlt_bunce.store import adoptions

_MAPPING = FieldMapping({name: name for name in FIELDS}, dict.fromkeys(FIELDS, "name"))


@dataclass(frozen=True)
class Adopted:
    """What an adoption found.

    `listed` counts all customers in the listing, including those from an earlier, interrupted
    call. Of this call's customers, `adopted` are new to the ledger and `known` were already in it;
    `incomplete` of the new ones lack something that a row needs, and are updated by the first load
    with merge.
    """

    listed: int
    adopted: int
    known: int
    incomplete: int
    requests: int


def adopt(
    client: BunceClient,
    *,
    restart: bool = False,
    progress: Callable[[int], None] = lambda _customers: None,
) -> Adopted:
    """List all customers of the workspace into the ledger, within the request budget.

    Customers already in the ledger are left unchanged. After an interruption, the next call resumes
    where this one stopped, unless `restart` is set. Raises ListingError if Bunce's listing cannot
    be read to the end, and whatever a preflight raises.
    """
    client.take_preflight_traffic()  # discard that of an earlier call in this process
    account = client.preflight()
    config = client.config
    rules = replace(config.rules, defaults={})
    known = new = incomplete = 0
    with client.database() as db, closing(client.session()) as session:
        cursor, listed = (None, 0) if restart else adoptions.position(db, account.name)
        first = True
        cursors, before = {cursor}, None
        while True:
            try:
                page = session.list_customers(cursor)
            except ListingError:
                if cursor is None or not first:
                    raise
                # an earlier call's cursor may have expired; starting over adopts nothing twice
                logger().warning("adopt.restarted", listed=listed)
                cursor, listed = None, 0
                continue
            first = False
            ids = frozenset(page.customers)
            if page.cursor is not None and (page.cursor in cursors or ids == before):
                raise ListingError(
                    "Bunce's customer listing keeps returning the same page.",
                    remedy="Load without adopting: existing customers are looked up one by one.",
                )
            cursor, before = page.cursor, ids
            cursors.add(cursor)
            listed += len(page.customers)
            rows = _rows(list(page.customers.values()), rules, account.email_key)
            added = adoptions.put_page(db, account.name, rows, cursor=cursor, listed=listed)
            new, known = new + added, known + rows.num_rows - added
            incomplete += rows.column("fingerprint").null_count
            progress(rows.num_rows)
            if cursor is None:
                break
        requests = session.take_traffic().requests
        requests += sum(traffic.requests for traffic in client.take_preflight_traffic())
    logger().info("adopt.finished", listed=listed, adopted=new, known=known, requests=requests)
    return Adopted(listed, new, known, incomplete, requests)


def _rows(customers: Sequence[dict[str, Any]], rules: Rules, email_key: bytes) -> pa.Table:
    """Return a page as ledger rows, each with the fingerprint of what would be sent."""
    if not customers:
        return adoptions.ADOPTED.empty_table()
    table = arrow_table([{name: customer.get(name) for name in FIELDS} for customer in customers])
    prepared = prepare(table, _MAPPING, rules)
    complete = prepared.accepted.select(["customer_id", "fingerprint"]).append_column(
        "email_digest", email_digests(prepared.accepted.column("email"), email_key)
    )
    rest = prepared.rejected.filter(prepared.rejected.column("customer_id").is_valid())
    lacking = rest.select(["customer_id"])
    for name in ("fingerprint", "email_digest"):
        lacking = lacking.append_column(name, pa.nulls(lacking.num_rows, pa.string()))
    return pa.concat_tables([complete, lacking]).cast(adoptions.ADOPTED)
