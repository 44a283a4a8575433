"""`dlt-bunce check` tells what the load that follows does, and touches nothing."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from dlt_bunce.emulator import Emulator
from dlt_bunce.model import FATES

from .conftest import Run, people, write

KINDS = (
    "file",
    "csv",
    "folder",
    "glob",
    "duckdb table",
    "duckdb query",
    "sqlite table",
    "sqlite query",
    "postgres table",
    "postgres query",
)


def counts(summary: dict[str, Any]) -> dict[str, Any]:
    return {name: summary[name] for name in ("read", *FATES, "reject_codes")}


def told_and_done(run: Run, *words: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a check counts, and what the load after it counts."""
    told = run("check", *words, "--json")
    done = run("load", *words, "--json")
    assert (told.code, done.code) == (0, 0), told.errors + done.errors
    return told.json, done.json


@pytest.mark.parametrize("kind", KINDS)
def test_it_counts_what_the_load_counts_on_every_kind_of_source(
    kind: str, sources: dict[str, list[str]], run: Run, emulator: Emulator, tmp_path: Path
) -> None:
    before = sorted(p for p in tmp_path.rglob("*") if p.is_file())

    told = run("check", *sources[kind], "--json")

    assert told.code == 0, told.errors
    assert before == sorted(p for p in tmp_path.rglob("*") if p.is_file())
    assert emulator.requests == []
    first = run("load", *sources[kind], "--json")
    assert counts(first.json) == counts(told.json["summary"])
    told_again, second = told_and_done(run, *sources[kind])
    assert counts(second) == counts(told_again["summary"])


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return "sqlite:///bunce.sqlite"
    return str(request.getfixturevalue("postgres_store"))


@pytest.mark.parametrize("disposition", ["merge", "append"])
def test_it_counts_what_the_load_counts_against_a_ledger_that_knows_every_fate(
    disposition: str, run: Run, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("customers.parquet", "--version-column", "updated_at", "--store-url", store_url)
    bad = [*people(11, email="nobody"), *people(12, mobile="none")]
    write(
        [
            *people(*range(1, 11)),
            *bad,
            *people(13, id=None),
            *people(14, email="c1@example.com"),  # taken by customer 1
        ]
    )
    run("load", *words)
    rows = [
        *people(1, 2),  # unchanged
        *people(3, first_name="Ada", updated_at=11),
        *people(4, email="other@example.com", updated_at=11),  # which Bunce does not change
        *people(5, updated_at=9),
        *people(6, first_name="Ada", updated_at=9),  # older
        *bad[:1],
        *people(12, updated_at=11),  # corrected
        *people(13, id=None),
        *people(14, email="c1@example.com"),
        *people(15, email="c2@example.com"),  # taken, as the ledger knows
        *people(16, 17, email="twins@example.com"),
        *people(18, 18, 18, mobile="bad"),
        *people(20, updated_at=12),
        *people(20, updated_at=11),
        *people(21, mobile="bad"),
        *people(21, updated_at=12),
        *people(22),
        *people(22, last_name="Eze", updated_at=12),
    ]
    write(rows)
    # one customer may be met in several files, as a large load has them
    monkeypatch.setenv("DATA_WRITER__FILE_MAX_ITEMS", "7")
    monkeypatch.setenv("LOAD__WORKERS", "1")

    told, done = told_and_done(run, *words, "--disposition", disposition)

    assert counts(done) == counts(told["summary"])
    assert {code: n for code, n in done["reject_codes"].items() if code == "email_taken"} == {
        "email_taken": 2
    }


def test_customers_who_come_again_in_a_later_part_of_the_source_are_counted_as_the_load_does(
    run: Run,
) -> None:
    rows = people(*range(20_001))
    write([*rows, *people(3, 4), *people(5, first_name="Ada"), *people(6, mobile="bad")])

    told, done = told_and_done(run, "customers.parquet")

    assert counts(done) == counts(told["summary"])
    assert tuple(done[n] for n in ("read", "created", "superseded")) == (20_005, 20_000, 4)


def test_corrected_dead_letters_are_counted_as_the_load_does(run: Run) -> None:
    write([*people(1, 2, 3, mobile="none"), *people(4, id=None)])
    run("load", "customers.parquet")
    run("dead-letters", "export", "rejected.csv")
    with Path("rejected.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    mobile = {"mobile": "'+2348030000000"}
    corrected = [
        row | {"id": row["id"] or "90"} | ({} if row["id"] == "3" else mobile) for row in rows
    ]
    with Path("rejected.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(corrected)
    write(people(2, 90))
    run("load", "customers.parquet")

    told, done = told_and_done(run, "rejected.csv")

    assert counts(done) == counts(told["summary"])
    assert tuple(done[n] for n in ("read", "created", "superseded", "held")) == (4, 1, 2, 1)


def test_requests_are_those_of_the_load_once_batches_have_found_their_size(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # while they grow, their number depends on how quickly the first answers come
    monkeypatch.setenv("DESTINATION__BUNCE__MAX_BATCH_SIZE", "100")
    write(people(*range(1_234)))

    told, done = told_and_done(run, "customers.parquet")

    assert (done["bulk_requests"], told["cost"]["requests"]) == (13, 14)
    assert run("check", "customers.parquet", "--json").json["cost"]["requests"] == 1


def test_the_least_time_is_that_of_the_budget(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESTINATION__BUNCE__REQUESTS_PER_MINUTE", "60")
    monkeypatch.setenv("DESTINATION__BUNCE__MAX_BATCH_SIZE", "10")
    write(people(*range(600)))

    done = run("check", "customers.parquet")

    assert "61 requests, at least 60 seconds at 60 requests per minute" in done.output


def test_it_shows_shapes_and_values_only_when_asked(run: Run) -> None:
    write(people(1, 2))

    shapes = run("check", "customers.parquet")
    values = run("check", "customers.parquet", "--show-values")

    assert "a9@aaaaaaa.aaa" in shapes.output
    assert "Aaa" in shapes.output
    assert "c1@example.com" not in shapes.output + shapes.errors
    assert "c1@example.com" in values.output


def test_it_shows_how_each_field_was_found(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESTINATION__BUNCE__DEFAULTS", '{"last_name": "Unknown"}')
    rows = people(1)
    for row in rows:
        row["given"] = row.pop("first_name")
        del row["last_name"]
    write(rows)

    found = run("check", "customers.parquet", "--map", "first_name=given", "--json").json

    how = {field["field"]: (field["column"], field["how"]) for field in found["mapping"]}
    assert how == {
        "customer_id": ("id", "alias"),
        "email": ("email", "name"),
        "first_name": ("given", "hint"),
        "last_name": (None, "default"),
        "phone_no": ("mobile", "alias"),
    }
    assert found["unmapped"] == ["updated_at"]


def test_it_warns_of_what_usually_goes_wrong(run: Run) -> None:
    def codes(*words: str) -> list[str]:
        found = run("check", "customers.parquet", *words, "--json").json["warnings"]
        assert all(warning["text"] and warning["remedy"] for warning in found)
        return [warning["code"] for warning in found]

    write([row | {"devices": "[]"} for row in people(*range(10))])
    run("load", "customers.parquet")
    assert codes() == []
    write([row | {"devices": None, "first_name": "Ada"} for row in people(*range(6))])
    assert codes() == ["fewer_rows"]
    assert codes("--disposition", "append") == ["fewer_rows", "skipped_changes"]
    write(people(*range(10), mobile="0803 000 0000"))
    assert codes() == ["national_phone_numbers"]
    write(people(*range(1_000), mobile="0803 000 0000"))
    assert codes() == ["wrong_mapping", "national_phone_numbers"]
    write([row | {"first_name": "", "mobile": None} for row in people(*range(10))] + people(10))
    assert codes() == []


def test_another_workspace_is_refused_as_by_the_load(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(people(1))
    run("load", "customers.parquet")
    monkeypatch.setenv("DESTINATION__BUNCE__CREDENTIALS__API_KEY", "sk_test_other")

    done = run("check", "customers.parquet")

    assert done.code == 2
    assert "was written with another API key" in done.errors


def test_a_threshold_that_the_load_will_exceed_is_among_the_warnings(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__BUNCE__MAX_REJECT_SHARE", "0.05")
    monkeypatch.setenv("DESTINATION__BUNCE__ON_RUN_END", "hooked:tell")
    Path("hooked.py").write_text(
        "from pathlib import Path\ndef tell(summary): Path('told').write_text(summary.state)\n"
    )
    write([*people(1), *people(2, email="nobody")])

    told = run("check", "customers.parquet", "--json")
    shown = run("check", "customers.parquet")

    assert (told.code, shown.code) == (0, 0), told.errors + shown.errors
    assert told.json["summary"]["rejected"] == 1
    assert [warning["code"] for warning in told.json["warnings"]] == ["over_threshold"]
    assert "1 of 2 rows are rejected (threshold: 5.00%)" in shown.output.replace("\n", " ")
    assert not Path("told").exists()
    assert run("load", "customers.parquet").code == 3
    assert Path("told").read_text() == "completed"
