"""`dlt-bunce dead-letters`: look at refused rows, export them, send them again, close them."""

from __future__ import annotations

import json
import stat
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dlt_bunce.emulator import Emulator
from dlt_bunce.reject_codes import REJECT_CODES
from dlt_bunce.store.database import Database, utc_days_ago

from .conftest import Run, people, write

REFUSED = [*people(2, mobile="call me"), *people(3, email="c1@example.com")]


@pytest.fixture
def loaded(run: Run) -> Run:
    """After a load of one good customer and two bad ones."""
    write([*people(1), *REFUSED])
    assert run("load", "customers.parquet").code == 0
    return run


def letters(run: Run, *words: str) -> dict[str, Any]:
    """The listed letters by customer."""
    listed = run("dead-letters", "list", "--json", *words).json
    return {letter["customer_id"]: letter for letter in listed}


def test_letters_are_listed_without_the_values_of_their_rows(loaded: Run) -> None:
    listed = loaded("dead-letters", "list")

    assert "invalid_phone_no" in listed.output
    assert "email_taken" in listed.output
    assert "example.com" not in listed.output
    assert "call me" not in listed.output
    assert set(letters(loaded)) == {"2", "3"}
    assert set(letters(loaded, "--code", "email_taken")) == {"3"}
    assert set(letters(loaded, "--id", letters(loaded)["2"]["id"][:12])) == {"2"}
    assert letters(loaded, "--status", "resolved") == {}


def test_a_short_list_says_that_there_is_more(loaded: Run) -> None:
    listed = loaded("dead-letters", "list", "--limit", "1")

    assert "Showing the newest 1." in listed.output
    assert len(loaded("dead-letters", "list", "--limit", "1", "--json").json) == 1


def test_letters_are_listed_newest_first(loaded: Run) -> None:
    write(people(4, mobile="?"))
    loaded("load", "customers.parquet")

    listed = loaded("dead-letters", "list", "--json").json

    assert listed[0]["customer_id"] == "4"
    assert sorted((x["last_seen_at"] for x in listed), reverse=True) == [
        x["last_seen_at"] for x in listed
    ]


def test_letters_are_chosen_by_field_run_and_time(
    loaded: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = loaded("status", "--json").json["runs"]
    seen = datetime.fromisoformat(letters(loaded)["2"]["last_seen_at"])
    # a zone to the east of UTC: local and universal time differ
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    local = seen.astimezone().replace(tzinfo=None)
    before, after = (f"{local + timedelta(seconds=s):%Y-%m-%dT%H:%M:%S}" for s in (-1, 2))
    zulu = f"{seen - timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"

    found = {
        words: sorted(letters(loaded, *words.split()))
        for words in (
            "--field phone_no",
            "--field phone_no --field email",
            f"--run {run['run_id']}",
            f"--since {before}",
            f"--since {after}",
            f"--until {before}",
            f"--since {zulu} --until {after}",
            "--since 1h",
            "--until 1h",
            "--until 1w --status all",
        )
    }
    monkeypatch.undo()
    time.tzset()

    both: list[str] = ["2", "3"]
    assert [["2"], both, both, both, [], [], both, both, [], []] == list(found.values())


def test_a_run_that_is_not_there_is_told(loaded: Run) -> None:
    for command in ("list", "group", "replay", "export l.csv", "discard"):
        refused = loaded("dead-letters", *command.split(), "--run", "17")

        assert (refused.code, refused.output) == (2, "")
        assert "Run '17' does not exist. List the runs with: dlt-bunce status" in refused.errors


def test_letters_are_counted_by_what_they_share(loaded: Run) -> None:
    loaded("dead-letters", "discard", "--field", "email")
    (run,) = loaded("status", "--json").json["runs"]
    code = REJECT_CODES["invalid_phone_no"]

    shown = loaded("dead-letters", "group").output
    figures = {
        by: loaded("dead-letters", "group", "--by", by, "--json").json
        for by in ("code", "field", "run", "pipeline", "status")
    }
    closed = loaded("dead-letters", "group", "--status", "discarded", "--json").json

    assert "invalid_phone_no" in shown
    assert code.remedy.split(",")[0] in shown
    assert {
        "code": [
            {"code": code.code, "dead_letters": 1, "meaning": code.meaning, "remedy": code.remedy}
        ],
        "field": [{"field": "phone_no", "dead_letters": 1}],
        "run": [{"run": run["run_id"], "dead_letters": 1}],
        "pipeline": [{"pipeline": run["pipeline_name"], "dead_letters": 1}],
        "status": [
            {"status": "discarded", "dead_letters": 1},
            {"status": "open", "dead_letters": 1},
        ],
    } == figures
    assert [group["code"] for group in closed] == ["email_taken"]


def test_one_letter_is_shown_with_its_row_its_answer_and_its_remedy(loaded: Run) -> None:
    letter = letters(loaded)["3"]

    shown = loaded("dead-letters", "show", letter["id"][:10])
    read = loaded("dead-letters", "show", letter["id"], "--json").json

    assert REFUSED[1] == read["source_row"]
    assert read["payload"]["email"] == "c1@example.com"
    assert (read["stage"], read["field"]) == ("api", "email")
    assert REJECT_CODES["email_taken"].remedy == read["remedy"]
    assert f"remedy         {read['remedy']}" in shown.output.splitlines()


def test_letters_are_exported_whole_and_for_their_owner_only(loaded: Run) -> None:
    for name in ("l.parquet", "l.jsonl"):
        assert loaded("dead-letters", "export", name, "--json").json["dead_letters"] == 2

    found = [
        pq.read_table("l.parquet").to_pylist(),
        [json.loads(line) for line in Path("l.jsonl").read_text().splitlines()],
    ]
    for rows in found:
        by_customer = {row["customer_id"]: row for row in rows}
        assert {customer: row["code"] for customer, row in by_customer.items()} == {
            "2": "invalid_phone_no",
            "3": "email_taken",
        }
        assert REFUSED[0] == json.loads(by_customer["2"]["source_row"])
    assert {stat.S_IMODE(path.stat().st_mode) for path in Path().glob("l.*")} == {0o600}


def test_an_export_replaces_a_file_only_when_told(loaded: Run) -> None:
    Path("l.csv").write_text("mine")

    refused = loaded("dead-letters", "export", "l.csv")
    kept = Path("l.csv").read_text()
    done = loaded("dead-letters", "export", "l.csv", "--overwrite", "--code", "email_taken")

    assert (refused.code, kept) == (2, "mine")
    assert "l.csv already exists" in refused.errors
    assert done.output.startswith("Wrote 1 dead letter to l.csv.")
    assert [path.name for path in Path().glob(".l.csv*")] == [], "no part is left behind"


def test_replay_sends_what_passes_today_and_leaves_the_rest_open(
    loaded: Run, emulator: Emulator
) -> None:
    emulator.seed([emulator.customers["1"] | {"email": "moved@example.com"}])  # frees c1@…

    done = loaded("dead-letters", "replay", "--all", "--json").json
    shown = loaded("dead-letters", "replay", "--all")

    assert (done["read"], done["created"], done["held"]) == (2, 1, 1)
    assert set(letters(loaded)) == {"2"}
    assert set(letters(loaded, "--status", "resolved")) == {"3"}
    assert set(emulator.customers) == {"1", "3"}
    assert shown.output.startswith("Replayed")


def test_replay_takes_a_mapping_of_today(run: Run, emulator: Emulator) -> None:
    write(people(1, tel=None) + people(2, mobile=None, tel="+2348100000002"))
    run("load", "customers.parquet", "--map", "phone_no=mobile")

    done = run("dead-letters", "replay", "--map", "phone_no=tel", "--id", letters(run)["2"]["id"])

    assert done.code == 0
    assert set(emulator.customers) == {"1", "2"}
    assert letters(run) == {}


def test_a_replay_proposes_no_option_that_it_lacks(run: Run) -> None:
    write([{k: v for k, v in row.items() if k != "last_name"} for row in people(1, mobile="?")])
    run("load", "customers.parquet", "--default", "last_name=Obi")

    done = run("dead-letters", "replay", "--all")

    assert done.code == 2
    assert "Try:" not in done.errors
    assert 'set last_name = "-" under [destination.bunce.defaults]' in done.errors


def test_discarded_letters_are_closed_and_their_rows_held(loaded: Run) -> None:
    nothing = loaded("dead-letters", "discard")
    done = loaded("dead-letters", "discard", "--code", "email_taken")
    write([*people(1), *REFUSED])
    again = loaded("load", "customers.parquet", "--json").json

    assert (
        nothing.code,
        "Pass a filter such as --customer, --id, or --code, or --all." in nothing.errors,
    ) == (2, True)
    assert done.output == "Discarded 1 dead letter.\n"
    assert set(letters(loaded)) == {"2"}
    assert set(letters(loaded, "--status", "discarded")) == {"3"}
    assert (again["held"], again["bulk_requests"]) == (2, 0)


def test_purging_by_age_leaves_what_was_closed_lately(loaded: Run) -> None:
    loaded("dead-letters", "discard", "--code", "email_taken")

    lately = loaded("dead-letters", "purge", "--older-than", "1", "--yes", "--json").json
    with Database("sqlite:///bunce.sqlite") as db:
        before = utc_days_ago(2)
        db.execute("UPDATE bunce_dead_letters SET resolved_at = $1", (before,))
    at_last = loaded("dead-letters", "purge", "--older-than", "1", "--yes", "--json").json

    assert (lately["purged"], at_last["purged"]) == (0, 1)


def test_open_letters_are_purged_only_when_asked_for_and_their_rows_come_back(
    loaded: Run,
) -> None:
    loaded("dead-letters", "discard", "--code", "email_taken")

    young = loaded("dead-letters", "purge", "--status", "open", "--older-than", "1h", "--yes")
    done = loaded("dead-letters", "purge", "--status", "open", "--older-than", "0d", "--yes")
    wrong = loaded("dead-letters", "purge", "--older-than", "soon", "--yes")

    assert young.output == "Deleted 0 dead letters.\n"
    assert done.output.splitlines()[0] == "Deleted 1 dead letter."
    assert {k: v["status"] for k, v in letters(loaded, "--status", "all").items()} == {
        "3": "discarded"
    }
    assert (wrong.code, "'soon' is not an age. Use 90d" in wrong.errors) == (2, True)
    again = loaded("load", "customers.parquet", "--json").json
    assert (again["unchanged"], again["rejected"], again["held"]) == (1, 1, 1)


def test_what_is_purged_is_overwritten(loaded: Run) -> None:
    def stored() -> bytes:
        return b"".join(file.read_bytes() for file in Path().glob("bunce.sqlite*"))

    loaded("dead-letters", "discard", "--all")
    assert b"call me" in stored()

    assert loaded("dead-letters", "purge", "--yes", "--json").json["purged"] == 2

    assert [mark in stored() for mark in (b"call me", b"c1@example.com")] == [False, False]


def test_purging_deletes_what_is_closed_and_asks_first(loaded: Run) -> None:
    loaded("dead-letters", "discard", "--code", "email_taken")

    unasked = loaded("dead-letters", "purge")
    done = loaded("dead-letters", "purge", "--yes", "--json").json

    assert (
        unasked.code,
        "Cannot prompt for confirmation: stdin is not a terminal." in unasked.errors,
    ) == (2, True)
    assert done["purged"] == 1
    assert set(letters(loaded, "--status", "all")) == {"2"}
