"""Time passes for the claims of dead workers."""

from __future__ import annotations

import time

from dlt_bunce.store.database import Database


def expire_claims(store_url: str, *, after_s: float = 0) -> None:
    """Have all claims in a store expire after so many seconds, instead of three minutes."""
    until = int((time.time() + after_s) * 1000)
    with Database(store_url) as db:
        db.execute(
            "UPDATE bunce_customers SET lease_until = $1 WHERE lease_until IS NOT NULL", (until,)
        )
        db.execute("DELETE FROM bunce_leases")
