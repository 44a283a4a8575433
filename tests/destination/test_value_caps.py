"""What a load finds of the largest request with values is kept for the next ones, for a while."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import dlt
import pytest

from dlt_bunce import bunce_adapter, run_summary
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.store.database import Database

from .attribute_runs import ATTRIBUTES, prepare, rich
from .conftest import Form, MakePipeline

_CAPPED = Behavior(rate_limit=0, max_values=60)


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)
    emulator.behavior = _CAPPED


class Loads:
    """Loads of new customers with three values each; `sent` has size and status of the last one's
    requests with values.
    """

    def __init__(self, pipeline: dlt.Pipeline, emulator: Emulator, form: Any) -> None:
        self._pipeline, self._emulator, self._form = pipeline, emulator, form
        self._customers = 0
        self.sent: list[tuple[int, int | None]] = []

    def __call__(self, number: int, *, plan: str = "gold", **options: Any) -> None:
        first, self._customers = self._customers, self._customers + number
        rows = [rich(n, vip=True) for n in range(first, self._customers)]
        rows[0]["plan"] = plan
        options = {"attributes": ATTRIBUTES} | options
        before = len(self._emulator.requests)
        self._pipeline.run(bunce_adapter(self._form(rows), **options), table_name="customers")
        requests = self._emulator.requests[before:]
        self.sent = [(r.rows, r.status) for r in requests if r.call in {"values", "members"}]
        summary = run_summary(self._pipeline)
        counts = summary.attributes or summary.segments
        assert counts["written"] + counts["rejected"] == counts["read"]
        assert counts["rejected"] == (plan != "gold")

    @property
    def refused(self) -> list[int]:
        """Sizes of the requests that were refused."""
        return [rows for rows, status in self.sent if status != 200]

    @property
    def largest(self) -> int:
        """The largest size that was accepted."""
        return max(rows for rows, status in self.sent if status == 200)


@pytest.fixture
def load(make: MakePipeline, emulator: Emulator, form: Form, store: str) -> Loads:
    """Loads rows of either form, into a store of either kind."""
    return Loads(make(store_url=store, concurrency=1, max_concurrency=1), emulator, form)


def age(store: str, days: int) -> None:
    """Let what is kept of the largest request be so many days old."""
    found_at = datetime.now(timezone.utc) - timedelta(days=days)
    with Database(store) as db:
        sql = "UPDATE bunce_accounts SET value_cap_at = $1"
        db.execute(sql, (found_at.isoformat(timespec="microseconds"),))


def test_the_second_load_sends_no_request_that_is_refused_for_its_size(load: Loads) -> None:
    load(200)
    first, cap = load.refused, load.largest
    load(200)
    second = load.refused, load.largest
    load(200, attributes=None, segments={"vip": "VIP"})

    assert min(first) > 60
    assert second == ([], cap)
    assert (load.refused, load.largest) == ([], cap)


def test_a_cap_is_kept_until_it_is_old_and_then_what_bunce_accepts_counts(
    load: Loads, emulator: Emulator, store: str
) -> None:
    load(200)
    cap = load.largest
    emulator.behavior = Behavior(rate_limit=0)
    age(store, 29)
    load(200)
    kept = load.largest
    age(store, 31)
    load(200)
    grown = load.largest
    load(200)

    assert kept == cap
    assert grown > 60
    assert load.largest >= grown
    assert load.refused == []


def test_an_old_cap_that_still_holds_is_found_once_more(load: Loads, store: str) -> None:
    load(200)
    cap = load.largest
    age(store, 31)
    load(200)
    again = load.refused
    load(200)

    assert min(again) > 60
    assert (load.refused, load.largest) == ([], cap)


def test_a_small_load_after_a_cap_has_become_old_does_not_undo_it(load: Loads, store: str) -> None:
    load(200)
    age(store, 31)
    load(1)
    with Database(store) as db:
        (account,) = db.rows("SELECT value_cap FROM bunce_accounts")

    assert account["value_cap"] == 50


def test_a_value_that_is_too_large_by_itself_says_nothing_of_their_number(
    load: Loads, emulator: Emulator
) -> None:
    emulator.behavior = Behavior(rate_limit=0, max_body_bytes=9_000)
    load(30, plan="x" * 9_500)
    first = load.refused
    load(30)

    assert first != []
    assert load.refused == []
    assert load.largest >= 16
