"""The links of an account as their page shows them, masked unless the user asked for the ids."""

from __future__ import annotations

from typing import Any

from dlt_bunce.store import links
from dlt_bunce.store.database import Database
from dlt_bunce.workbench.masking import MASK

LINKS = 200
"""The newest links, ended ones included, that the page shows."""


def links_shown(store_url: str, account: str, *, values: bool) -> dict[str, Any]:
    """Return what the page needs: the newest `links`, their `count`, and whether ids are shown."""
    with Database(store_url, read_only=True) as db:
        count = links.count(db, account)
        found = links.known(db, account, ended=True, limit=LINKS)
    masked = {} if values else dict.fromkeys(("customer_id", "bunce_id"), MASK)
    return {"links": [link | masked for link in found], "count": count, "values": values}
