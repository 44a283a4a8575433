"""Dead letters are deleted in portions, the space is used again, and none that may be held goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from dlt_bunce.store import retention
from dlt_bunce.store.database import Database, utc_now
from dlt_bunce.store.letters import dead_letters
from dlt_bunce.store.letters.selection import Selection
from dlt_bunce.store.runs import runs
from dlt_bunce.store.values import waiting_values

Make = Callable[..., Any]
MANY = 10_500
"""More than one transaction deletes."""


def discarded(helper: Any, *, count: int = MANY) -> None:
    for start in range(0, count, 2_100):
        numbers = range(start, start + 2_100)
        helper.claim(bad=[(f"c{n}", f"bad{n}") for n in numbers], chunk=start)
    assert dead_letters.discard(helper.db, "default", Selection()) == count


def size(db: Database, store: str) -> int:
    """Bytes on disk."""
    if store.startswith("sqlite"):
        return sum(file.stat().st_size for file in Path().glob("*.sqlite*"))
    rows = db.rows("SELECT pg_total_relation_size('bunce_dead_letters') AS n")
    return int(rows[0]["n"])


def test_a_purge_of_many_portions_deletes_all_of_them_and_gives_the_space_back(
    ledger_helper: Make,
    store_url: str,
) -> None:
    first = ledger_helper()
    discarded(first)
    before = size(first.db, store_url)

    assert retention.purge(first.db, "default") == MANY
    assert first.db.overwrite("bunce_dead_letters") is None

    assert first.db.rows("SELECT COUNT(*) AS n FROM bunce_dead_letters") == [{"n": 0}]
    assert size(first.db, store_url) < before / 2


def test_what_a_run_deletes_of_old_letters_is_never_one_long_transaction(
    ledger_helper: Make,
    store_url: str,
) -> None:
    first = ledger_helper()
    discarded(first)
    first.db.execute("UPDATE bunce_dead_letters SET status = 'resolved' WHERE customer_id <> 'c1'")
    changed: list[int] = []

    class Portions(Database):
        """Counts the dead letters that each statement changes."""

        def rows(self, sql: str, *args: Any) -> list[dict[str, Any]]:
            found = super().rows(sql, *args)
            if "RETURNING" in sql:
                changed.append(len(found))
            return found

    with Portions(store_url) as db:
        retention.retain(db, "default", since=utc_now())

    assert changed == [10_000, 499, 1]
    [left] = first.db.rows("SELECT customer_id, status, source_row FROM bunce_dead_letters")
    assert left == {"customer_id": "c1", "status": "discarded", "source_row": None}


def test_an_open_letter_that_a_later_run_may_have_held_is_not_purged(ledger_helper: Make) -> None:
    first = ledger_helper()
    first.claim(bad=[("a", "bad")])
    first.db.execute("UPDATE bunce_dead_letters SET last_seen_at = '2020-01-01T00:00:00'")
    again = ledger_helper("second")
    again.claim(bad=[("a", "bad")])
    file = again.load_file
    runs.finish(first.db, file.run_id, file.pipeline_name, "default", "completed")
    open_ones = ("open",)

    assert retention.purge(first.db, "default", before="2021-01-01", statuses=open_ones) == 0
    assert retention.purge(first.db, "default", before=utc_now(), statuses=open_ones) == 1


def test_whom_values_have_been_waiting_for_too_long_is_forgotten(ledger_helper: Make) -> None:
    first = ledger_helper()
    db, file = first.db, first.load_file
    with db.transaction():
        waiting_values.note(db, file, pa.array(["old", "new"]), pa.array([], pa.string()))
        sql = "UPDATE bunce_waiting_values SET waiting_since = $1 WHERE customer_id = 'old'"
        db.execute(sql, ("2020-01-01T00:00:00",))

    retention.retain(db, "default", since="2025-01-01T00:00:00")

    (page,) = waiting_values.pages(db, "default")
    assert page.column("customer_id").to_pylist() == ["new"]
