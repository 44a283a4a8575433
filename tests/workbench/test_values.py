"""Attribute values in the workbench: by fate in a run, and those that are rejected."""

from __future__ import annotations

import pytest
from tests.cli.conftest import people, write

from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.store.database import Database
from dlt_bunce.store.values import rejected_values
from dlt_bunce.workbench.auth import Auth

from .conftest import Loaded, Visit, at, violations

LOAD = ("--attribute", "plan=Plan", "--attribute", "balance=Balance", "--segment", "vip=VIP")
SECRETS = ("marked-7", "marked-8", "cursed", "seven")


@pytest.fixture
def values(loaded: Loaded, emulator: Emulator) -> Loaded:
    """The store after a second load, of customers two of whom have bad values."""
    emulator.behavior = Behavior(rate_limit=0, refused_value="cursed")
    emulator.attributes.add("Plan", "text")
    emulator.attributes.add("Balance", "numeric")
    emulator.attributes.add_segment("VIP")
    rows = people(7, 8, 9, plan="gold", balance="1.5", vip=True)
    for row in rows:
        row["id"] = f"marked-{row['id']}"
    rows[0] |= {"plan": "cursed", "balance": "seven"}
    rows[1] |= {"plan": "cursed"}
    write(rows, "rich.parquet")
    assert loaded.run("load", "rich.parquet", "--store-url", loaded.store_url, *LOAD).code == 0
    return loaded


def test_a_run_shows_its_values_by_fate_and_why_some_were_rejected(
    visit: Visit, auth: Auth, values: Loaded
) -> None:
    page = visit.page
    page.goto(at(auth, "/"))
    visit.follow("rich.parquet")
    shown = page.locator("main").inner_text()
    found = violations(page)
    page.goto(at(auth, "/"))
    visit.follow("customers.parquet")
    without = page.locator("main").inner_text()

    for text in ("Written\t3\t3\t", "Rejected\t3\t0\t", "Read\t6\t3\t", "Plan\trefused\t2"):
        assert text in shown
    assert "Balance\tinvalid_number\t1" in shown
    assert "Attribute values" not in without
    assert found == []


def test_rejected_values_are_counted_masked_until_asked_and_retried(
    visit: Visit, auth: Auth, values: Loaded, emulator: Emulator
) -> None:
    page = visit.page
    page.goto(at(auth, "/"))
    visit.follow("Rejected values")
    page.wait_for_url(at(auth, "/values"))
    everything = page.locator("main").inner_text()
    found = violations(page)
    visit.follow("refused")
    masked = visit.text()
    url = page.url
    visit.press("Show customers and messages")
    shown = visit.text()
    sent = emulator.attributes.values_received
    visit.press("Retry all 2")
    page.get_by_role("heading", name="Retry finished").wait_for()
    done = page.get_by_role("table").inner_text()
    visit.follow("Back to the rejected values")
    waiting = page.locator("main").inner_text()
    with Database(values.store_url, read_only=True) as db:
        rows = rejected_values.some(db, "default", limit=9)

    assert "Plan\tplan\trefused\t2" in everything
    assert "Balance\tbalance\tinvalid_number\t1" in everything
    assert "3 values" in everything
    assert [secret for secret in SECRETS if secret in masked + everything] == []
    assert url == at(auth, "/values?attribute=Plan&code=refused")
    assert ("marked-7" in shown, "marked-8" in shown, "seven" in shown) == (True, True, False)
    assert "Values to be sent again\t2" in done
    assert emulator.attributes.values_received == sent
    assert waiting.count("To be sent again.") == 2
    assert sorted(row["retry_at"] is not None for row in rows) == [False, True, True]
    assert (found, visit.errors) == ([], [])
    assert not any("marked-" in url for url in visit.requests)


def test_a_customer_is_found_by_its_rejected_values(
    visit: Visit, auth: Auth, values: Loaded
) -> None:
    page = visit.page
    page.goto(at(auth, "/letters"))
    page.get_by_label("Dead letter or customer id").fill("marked-7")
    visit.press("Find")
    shown = page.locator("main").inner_text()

    assert "2 rejected values" in shown
    assert "invalid_number" in shown
    assert "marked-7" not in shown
    assert visit.errors == []


def test_a_store_without_attributes_has_no_page_of_them_in_the_navigation(
    visit: Visit, auth: Auth, loaded: Loaded
) -> None:
    visit.page.goto(at(auth, "/"))
    links = visit.page.get_by_role("navigation", name="Pages", exact=True).inner_text()
    visit.page.goto(at(auth, "/values"))

    assert links.split() == ["Runs", "Dead", "letters", "Links"]
    assert "No value is rejected" in visit.page.locator("main").inner_text()


def test_a_replay_tells_what_became_of_values(
    visit: Visit, auth: Auth, values: Loaded, emulator: Emulator
) -> None:
    emulator.behavior = Behavior(rate_limit=0, refused_email_domain="bad.example")
    write(people(11, plan="gold", balance="1.5", vip=True, email="c@bad.example"), "late.parquet")
    values.run("load", "late.parquet", "--store-url", values.store_url, *LOAD)
    emulator.behavior = Behavior(rate_limit=0)
    visit.page.goto(at(auth, "/letters?code=refused"))
    visit.press("Replay all 1")
    visit.press("Replay 1 dead letter")
    visit.page.get_by_role("heading", name="Replay finished").wait_for()
    shown = visit.page.get_by_role("table").inner_text()

    assert "Values of attributes written\t2" in shown
    assert "Values of segments written\t1" in shown
    assert emulator.attributes.members_of("VIP") >= {"11"}
