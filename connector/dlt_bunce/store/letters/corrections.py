"""Dead letters that a corrected row closes."""

from __future__ import annotations

import pyarrow as pa

from dlt_bunce.store.database import Database, utc_now
from dlt_bunce.store.letters.dead_letters import CLOSE
from dlt_bunce.store.statements import ACCEPTED_SINCE

# rows that correct a dead letter: letter_id is the dead letter they correct, own_id the dead letter
# that the row would become as it reads now. A row that gave way to another row of its customer has
# only letter_id.
CORRECTED = pa.schema(
    [(name, pa.string()) for name in ("letter_id", "own_id", "customer_id", "fingerprint")]
    + [("version", pa.int64())]
)

_DELIVERED = """SELECT n.letter_id FROM bunce_corrected AS n JOIN bunce_customers AS c
  ON c.account = $2 AND c.customer_id = n.customer_id AND c.fingerprint = n.fingerprint
  WHERE n.own_id <> n.letter_id"""
_GAVE_WAY = f"""SELECT n.letter_id FROM bunce_corrected AS n WHERE n.own_id IS NULL
  UNION SELECT n.letter_id FROM bunce_corrected AS n JOIN bunce_dead_letters AS o
  ON o.id = n.own_id AND o.status IN ('open', 'discarded', 'superseded')
  WHERE n.own_id <> n.letter_id
  UNION SELECT n.letter_id FROM bunce_corrected AS n
  JOIN bunce_dead_letters AS d ON d.id = n.letter_id AND d.account = $2
  JOIN bunce_customers AS c ON c.account = $2 AND c.customer_id = n.customer_id
  WHERE n.own_id <> n.letter_id AND ({ACCEPTED_SINCE} OR n.version < c.version)"""  # noqa: S608


def close_corrected(db: Database, account: str, corrected: pa.Table) -> None:
    """Close the open dead letters that settled rows (CORRECTED) correct.

    A dead letter is resolved if Bunce has accepted the corrected row, and superseded if the row
    gave way to another row or newer content, or became a dead letter of its own. A row that would
    become the very dead letter that it corrects leaves it open.
    """
    db.ingest("bunce_corrected", corrected)
    with db.transaction():
        for status, ids in (("resolved", _DELIVERED), ("superseded", _GAVE_WAY)):
            db.execute(
                CLOSE.format(status=status, ids=ids) + " AND account = $2 AND status = 'open'",
                (utc_now(), account),
            )
        # the row may have been corrected in its id, so that its dead letter has another customer
        db.execute(
            "UPDATE bunce_customers SET rejected_fingerprint = NULL WHERE account = $1 "
            "AND rejected_fingerprint IS NOT NULL AND customer_id IN (SELECT d.customer_id "
            "FROM bunce_corrected AS n JOIN bunce_dead_letters AS d ON d.id = n.letter_id "
            "WHERE d.account = $1) AND NOT EXISTS (SELECT 1 FROM bunce_dead_letters AS d "
            "WHERE d.account = $1 AND d.customer_id = bunce_customers.customer_id "
            "AND d.status IN ('open', 'discarded'))",
            (account,),
        )
