"""The page of links: whom Bunce has under another id, masked until somebody asks."""

from __future__ import annotations

import pyarrow as pa

from dlt_bunce.store import links
from dlt_bunce.store.database import Database
from dlt_bunce.workbench.auth import Auth

from .conftest import Loaded, Visit, at


def test_links_are_listed_with_masked_ids_until_they_are_asked_for(
    visit: Visit, auth: Auth, loaded: Loaded
) -> None:
    visit.page.goto(at(auth, "/links"))
    nobody = visit.text()
    pairs = {"customer_id": ["7", "8"], "bunce_id": ["marked-7", "marked-8"]}
    rows = pa.table({**pairs, "email_digest": ["a", "b"]}, schema=links.CANDIDATES)
    with Database(loaded.store_url) as db:
        assert links.link(db, "default", "run-1", rows) == {}
        with db.transaction():
            assert links.remove(db, "default", ["marked-8"]) == (1, [])

    visit.follow("Links")
    masked = visit.text()
    visit.press("Show ids")
    shown = visit.text()

    assert "No customer has been linked" in nobody
    assert "1 customer is linked" in masked
    assert "marked-" not in masked
    assert ("marked-7" in shown, "marked-8" in shown, "removed" in shown) == (True, True, True)
    assert visit.errors == []
