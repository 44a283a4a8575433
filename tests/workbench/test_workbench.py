"""The workbench as operators use it: find dead letters, view one, replay, discard."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from tests.cli.conftest import Run, people, write

from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.reject_codes import REJECT_CODES
from dlt_bunce.store.database import Database
from dlt_bunce.workbench.auth import Auth

from .conftest import SCRIPT, SECRETS, SQLITE, Loaded, Visit, at, signed_in
from .serving import workbench


def test_a_dead_letter_is_found_viewed_and_replayed_after_confirmation(
    visit: Visit, auth: Auth, loaded: Loaded, emulator: Emulator
) -> None:
    letter = loaded.letters()["3"]
    page = visit.page
    visit.follow("Dead letters")
    page.get_by_label("Code", exact=True).select_option("email_taken")
    visit.press("Filter")
    visit.follow(letter["id"][:12])
    masked = visit.text()

    visit.press("Show values")
    values = page.get_by_role("table", name="Row as it was read").inner_text()
    emulator.seed([emulator.customers["1"] | {"email": "moved@example.com"}])  # frees c1@…
    visit.press("Replay")
    asked = page.get_by_role("heading", level=1).inner_text()
    before = dict(emulator.customers)
    visit.press("Replay 1 dead letter")
    page.get_by_role("heading", name="Replay finished").wait_for()

    assert [secret for secret in SECRETS if secret in masked] == []
    assert REJECT_CODES["email_taken"].remedy in masked
    assert "c1@example.com" in values
    assert asked == "Replay 1 dead letter?"
    assert set(before) == {"1"}
    assert set(emulator.customers) == {"1", "3"}
    assert "Created\t1" in page.get_by_role("table").inner_text()
    assert loaded.statuses() == {"2": "open", "3": "resolved", "4": "open", "5": "open"}
    assert [url for url in visit.requests if not url.startswith(at(auth, "/"))] == []
    assert visit.errors == []


def test_a_replay_of_all_that_match_leaves_other_dead_letters_alone(
    visit: Visit, auth: Auth, loaded: Loaded, emulator: Emulator
) -> None:
    emulator.seed([emulator.customers["1"] | {"email": "moved@example.com"}])
    visit.page.goto(at(auth, "/letters?field=email"))
    visit.press("Replay all 1")
    visit.press("Replay 1 dead letter")
    visit.page.get_by_role("heading", name="Replay finished").wait_for()

    assert loaded.statuses() == {"2": "open", "3": "resolved", "4": "open", "5": "open"}


def test_checked_dead_letters_are_discarded_and_nothing_is_sent(
    visit: Visit, auth: Auth, loaded: Loaded, emulator: Emulator
) -> None:
    asked = len(emulator.requests)
    visit.page.goto(at(auth, "/letters?code=invalid_phone_no"))
    for customer in ("4", "5"):
        visit.page.get_by_label(
            f"Check dead letter {loaded.letters()[customer]['id'][:12]}"
        ).check()
    visit.press("Discard checked")
    visit.press("Discard 2 dead letters")
    visit.page.get_by_role("heading", name="Discard finished").wait_for()

    assert "Dead letters discarded\t2" in visit.page.get_by_role("table").inner_text()
    assert loaded.statuses() == {"2": "open", "3": "open", "4": "discarded", "5": "discarded"}
    assert asked == len(emulator.requests)


def test_dead_letters_seen_after_the_confirmation_page_are_left_alone(
    visit: Visit, auth: Auth, loaded: Loaded
) -> None:
    visit.page.goto(at(auth, "/letters"))
    visit.press("Discard all 4")
    later = (datetime.now(timezone.utc) + timedelta(minutes=1)).isoformat(timespec="microseconds")
    with Database(loaded.store_url) as db:
        db.execute(
            "UPDATE bunce_dead_letters SET last_seen_at = $1 WHERE customer_id = '2'", (later,)
        )
    visit.press("Discard 4 dead letters")
    visit.page.get_by_role("heading", name="Discard finished").wait_for()

    assert "Dead letters discarded\t3" in visit.page.get_by_role("table").inner_text()
    assert loaded.statuses()["2"] == "open"


def test_an_action_on_checked_dead_letters_needs_at_least_one(
    visit: Visit, auth: Auth, loaded: Loaded
) -> None:
    visit.page.goto(at(auth, "/letters"))
    visit.press("Discard checked")

    assert visit.page.get_by_role("heading", level=1).inner_text() == "Nothing is checked"
    assert set(loaded.statuses().values()) == {"open"}


def test_dead_letters_are_filtered_by_status_run_and_time(
    visit: Visit, auth: Auth, loaded: Loaded
) -> None:
    letter = loaded.letters()["2"]
    counts = {}
    for query in (
        "status=open",
        "status=resolved",
        "status=any",
        f"run={letter['run_id']}",
        "run=other",
        "since=2020-01-01T00:00",
        "until=2020-01-01T00:00",
        "code=email_taken&field=phone_no",
    ):
        visit.page.goto(at(auth, f"/letters?{query}"))
        counts[query] = visit.page.get_by_role("row").count()

    header = 1
    assert [4 + header, 0, 4 + header, 4 + header, 0, 4 + header, 0, 0] == list(counts.values())


def test_pages_of_dead_letters_link_to_each_other(visit: Visit, auth: Auth, loaded: Loaded) -> None:
    with Database(loaded.store_url) as db:
        (columns,) = (", ".join(loaded.letters()["2"]),)
        values = columns.replace("id,", "SUBSTR(id, 1, 21) || CAST(n.n + 100 AS TEXT),", 1)
        numbers = " UNION ALL ".join(f"SELECT {n} AS n" for n in range(120))
        db.execute(
            f"INSERT INTO bunce_dead_letters ({columns}) SELECT {values} "
            f"FROM bunce_dead_letters AS d CROSS JOIN ({numbers}) AS n WHERE d.customer_id = '2'"
        )
    visit.page.goto(at(auth, "/letters"))
    seen: list[list[str]] = [_ids(visit)]
    while visit.page.get_by_role("link", name="Older").count():
        visit.follow("Older")
        seen.append(_ids(visit))
    visit.follow("Newer")

    assert [len(page) for page in seen] == [50, 50, 24]
    assert len({letter_id for page in seen for letter_id in page}) == 124
    assert seen[1] == _ids(visit)


def _ids(visit: Visit) -> list[str]:
    return [str(box.get_attribute("value")) for box in visit.page.locator("[name=id]").all()]


def test_values_of_a_row_are_shown_as_text_not_markup(
    visit: Visit, auth: Auth, loaded: Loaded
) -> None:
    visit.page.goto(at(auth, f"/letters/{loaded.letters()['4']['id']}"))
    visit.press("Show values")

    assert SCRIPT in visit.page.get_by_role("table", name="Row as it was read").inner_text()
    assert visit.page.title().startswith("Dead letter ")
    assert visit.page.locator("img, script").count() == 0
    assert visit.errors == []


def test_markup_in_a_filter_is_shown_as_text(visit: Visit, auth: Auth) -> None:
    visit.page.goto(at(auth, '/letters?run="><script>alert(1)</script>'))

    assert visit.page.get_by_label("Run id").input_value() == '"><script>alert(1)</script>'
    assert visit.page.locator("script").count() == 0


def test_a_failed_replay_says_why_and_leaves_the_dead_letters_open(
    visit: Visit,
    auth: Auth,
    loaded: Loaded,
    emulator: Emulator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    emulator.behavior = Behavior(rate_limit=0, api_keys=("other",))
    visit.page.goto(at(auth, "/letters"))
    visit.press("Replay all 4")
    visit.press("Replay 4 dead letters")
    visit.page.get_by_role("heading", name="The replay failed").wait_for()
    visit.page.reload()
    gc.collect()

    assert [record for record in caplog.records if record.name == "asyncio"] == []
    assert "key" in visit.page.locator(".card.bad").inner_text()
    assert [secret for secret in SECRETS if secret in visit.text()] == []
    assert set(loaded.statuses().values()) == {"open"}


def test_a_dead_letter_without_a_stored_row_says_so(
    visit: Visit, auth: Auth, loaded: Loaded
) -> None:
    with Database(loaded.store_url) as db:
        db.execute("UPDATE bunce_dead_letters SET source_row = NULL")
    visit.page.goto(at(auth, f"/letters/{loaded.letters()['2']['id']}"))

    assert "it cannot be replayed" in visit.text()


def test_an_unusable_store_is_reported_with_its_remedy(
    visit: Visit, auth: Auth, loaded: Loaded, window: Callable[..., Visit]
) -> None:
    with Database(loaded.store_url) as db:
        db.execute("UPDATE bunce_schema SET version = 99")
    visit.page.goto(at(auth, "/letters"))

    assert "clone: pip install --upgrade ." in visit.text()
    assert "Traceback" not in visit.text()


def test_a_customer_s_dead_letter_is_found_corrected_and_sent_alone(
    visit: Visit, auth: Auth, loaded: Loaded, emulator: Emulator
) -> None:
    page = visit.page
    page.goto(at(auth, "/letters"))
    page.get_by_label("Dead letter or customer id").fill("2")
    visit.press("Find")
    visit.press("Show values")
    form = page.get_by_role("form", name="Correct and send")
    form.get_by_label("mobile").fill("+2348100000002")
    visit.press("Send")
    page.get_by_role("heading", name="correction finished").wait_for()

    assert "Created\t1" in page.get_by_role("table").inner_text()
    assert emulator.customers["2"]["phone_no"] == "+2348100000002"
    assert loaded.statuses() == {"2": "resolved", "3": "open", "4": "open", "5": "open"}
    assert [url for url in visit.requests if "id=" in url] == []
    assert visit.errors == []


def test_a_correction_leaves_every_cell_alone_that_nobody_touched(
    run: Run, emulator: Emulator, window: Callable[..., Visit]
) -> None:
    lines = "\n12 Marina Road\r\nLagos\rNigeria\n"
    wide = {f"c{n}": "v" for n in range(600)} | {"long": "x" * 1_100_000}
    write(people(1, mobile="call me", address=lines, **wide))
    assert run("load", "customers.parquet").code == 0
    loaded = Loaded(SQLITE, run)
    before = loaded.letters()["1"]

    with workbench(SQLITE) as auth:
        visit = signed_in(auth, window())
        visit.page.goto(at(auth, f"/letters/{before['id']}"))
        visit.press("Show values")
        form = visit.page.get_by_role("form", name="Correct and send")
        form.get_by_label("mobile").fill("call him")
        visit.press("Send")
        visit.page.get_by_role("heading", name="correction finished").wait_for()

    corrected = json.loads(before["source_row"]) | {"mobile": "call him"}
    assert json.loads(loaded.letters()["1"]["source_row"]) == corrected
    assert corrected["address"] == lines


def test_a_replay_and_a_correction_without_a_key_are_recorded_as_failed_runs(
    visit: Visit, auth: Auth, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DESTINATION__BUNCE__CREDENTIALS__API_KEY")
    visit.page.goto(at(auth, "/letters"))
    visit.press("Replay all 4")
    visit.press("Replay 4 dead letters")
    visit.page.get_by_role("heading", name="The replay failed").wait_for()
    visit.page.goto(at(auth, f"/letters/{loaded.letters()['2']['id']}"))
    visit.press("Show values")
    form = visit.page.get_by_role("form", name="Correct and send")
    form.get_by_label("mobile").fill("+2348100000002")
    visit.press("Send")
    visit.page.get_by_role("heading", name="The correction failed").wait_for()

    found = loaded.run("status", "--store-url", loaded.store_url, "--json").json
    [problem] = found["problems"]
    assert (problem["error_class"], problem["runs"]) == ("ConfigurationError", 2)
    assert problem["source"] == "dead letters"


def test_an_id_that_nobody_has_is_told(visit: Visit, auth: Auth, loaded: Loaded) -> None:
    visit.page.goto(at(auth, "/letters"))
    visit.page.get_by_label("Dead letter or customer id").fill("nobody")
    visit.press("Find")

    assert "Nothing found" in visit.text()


def test_an_id_is_found_as_it_was_copied_with_its_invisible_marks(
    visit: Visit, auth: Auth, loaded: Loaded
) -> None:
    visit.page.goto(at(auth, "/letters"))
    visit.page.get_by_label("Dead letter or customer id").fill("\u200e2\u200b")
    visit.press("Find")

    assert loaded.letters()["2"]["id"] in visit.page.url
