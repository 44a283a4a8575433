"""Bad rows that say nothing new: they are older than what Bunce has accepted of their customers, or
were exported with a dead letter that is closed by now.
"""

from __future__ import annotations

import pyarrow as pa

from dlt_bunce.store.database import Database
from dlt_bunce.store.statements import ACCEPTED_SINCE

ROWS = pa.schema(
    [(name, pa.string()) for name in ("id", "customer_id", "corrects")] + [("version", pa.int64())]
)
"""Bad rows: the dead letter that each would be, and the one that it corrects, if any."""

# The subqueries look up the ledger by key, so that no planner can choose to read all of it for a
# join. A row that is its own dead letter is as it was when it was exported; one that still has no
# customer id has another key in a spreadsheet.
_LATE = f"""
SELECT l.id AS id FROM {{rows}} AS l WHERE l.version <
  (SELECT c.version FROM bunce_customers AS c
   WHERE c.account = $1 AND c.customer_id = l.customer_id)
OR EXISTS (SELECT 1 FROM bunce_dead_letters AS d WHERE d.account = $1 AND d.id = l.corrects
  AND (d.status IN ('resolved', 'superseded')
      AND (d.id = l.id OR l.customer_id IS NULL AND d.customer_id IS NULL)
    OR EXISTS (SELECT 1 FROM bunce_customers AS c
      WHERE c.account = $1 AND c.customer_id = l.customer_id AND {ACCEPTED_SINCE})))
"""  # noqa: S608, constants only


def late_rows(db: Database, account: str, rows: str) -> set[str]:
    """Return the ids of such rows in the temporary table named `rows` (ROWS)."""
    return {row["id"] for row in db.rows(_LATE.format(rows=rows), (account,))}
