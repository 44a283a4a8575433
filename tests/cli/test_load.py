"""`dlt-bunce load`, from every kind of source, and what it leaves behind."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.csv
import pytest

from dlt_bunce.emulator import Emulator

from .conftest import CREATE, ROWS, Run, people, write


def test_every_source_loads_and_a_second_load_sends_nothing(
    sources: dict[str, list[str]], run: Run, emulator: Emulator
) -> None:
    for name, words in sources.items():
        emulator.reset()
        store = ["--store-url", f"sqlite:///{name}.db", "--json"]

        first = run("load", *words, *store).json
        second = run("load", *words, *store).json

        assert (first["read"], first["created"], first["rejected"]) == (10, 8, 2), name
        assert first["reject_codes"] == {"invalid_email": 1, "invalid_phone_no": 1}, name
        assert (second["unchanged"], second["held"], second["bulk_requests"]) == (8, 2, 0), name
        assert {str(n): 1 for n in range(1, 9)} == emulator.times_sent, name


def test_a_dry_run_counts_what_the_load_does_and_leaves_nothing(
    run: Run, emulator: Emulator, tmp_path: Path
) -> None:
    write(ROWS + people(1, updated_at=11))
    before = sorted(p for p in tmp_path.rglob("*") if p.is_file())

    preview = run("load", "customers.parquet", "--version-column", "updated_at", "--dry-run")
    dry = run("load", "customers.parquet", "--version-column", "updated_at", "--dry-run", "--json")

    assert "Dry run: nothing was sent" in preview.output
    assert "To list them" not in preview.output
    assert emulator.requests == []
    assert before == sorted(p for p in tmp_path.rglob("*") if p.is_file())
    done = run("load", "customers.parquet", "--version-column", "updated_at", "--json")
    counts = ("read", "created", "unchanged", "superseded", "rejected", "reject_codes")
    assert {c: done.json[c] for c in counts} == {c: dry.json[c] for c in counts}
    assert dry.json["state"] == "dry_run"


@pytest.mark.parametrize("before", ["load", "load weekly", "status"])
def test_the_command_that_lists_rejected_rows_can_be_pasted(run: Run, before: str) -> None:
    write(ROWS)
    store = ["--account", "eu", "--store-url", "sqlite:///eu.sqlite"]
    Path("config.toml").write_text(
        '[weekly.destination.bunce]\nstore_url = "sqlite:///eu.sqlite"\naccount = "eu"\n'
    )
    own = ["--pipeline-name", "weekly"]
    loaded = run("load", "customers.parquet", *(own if before == "load weekly" else store))

    told = run("status", *store) if before == "status" else loaded
    [line] = [line for line in told.output.splitlines() if line.startswith("To list them, run: ")]
    listed = run(*line.partition("dlt-bunce ")[2].split(), "--json")

    assert sorted(letter["code"] for letter in listed.json) == ["invalid_email", "invalid_phone_no"]


def test_a_dry_run_against_a_known_store_changes_nothing_in_it(
    run: Run, emulator: Emulator
) -> None:
    write(people(1, 2))
    run("load", "customers.parquet")
    write(people(1, 2, 3))
    runs = run("status", "--json").json

    dry = run("load", "customers.parquet", "--dry-run", "--json").json

    assert runs == run("status", "--json").json
    assert set(emulator.customers) == {"1", "2"}
    done = run("load", "customers.parquet", "--json").json
    assert (2, 1) == (done["unchanged"], done["created"]) == (dry["unchanged"], dry["created"])


def test_columns_are_mapped_limited_and_versioned_by_options(run: Run, emulator: Emulator) -> None:
    rows = [{"tel" if k == "mobile" else k: v for k, v in row.items()} for row in people(1, 2, 3)]
    newer = rows[0] | {"first_name": "Newer", "updated_at": 11}
    write([newer, *rows])

    refused = run("load", "customers.parquet", "--map", "phone_no=email")
    done = run(
        *("load", "customers.parquet", "--map", "phone_no=tel", "--limit", "3", "--json"),
        *("--version-column", "updated_at", "--disposition", "append"),
    )

    assert refused.code == 0, "a column that exists is the user's choice; its rows are rejected"
    assert tuple(done.json[n] for n in ("read", "created", "superseded")) == (3, 2, 1)
    assert done.json["disposition"] == "append"
    assert emulator.customers["1"]["first_name"] == "Newer"
    assert set(emulator.customers) == {"1", "2"}


def test_dates_are_read_as_an_option_says_they_are_written(run: Run, emulator: Emulator) -> None:
    rows = [*people(1, updated_at="02/11/2026"), *people(1, updated_at="10/01/2026")]
    rows[0]["first_name"] = "Newer"
    pyarrow.csv.write_csv(pa.Table.from_pylist(rows), "people.csv")
    words = ("people.csv", "--version-column", "updated_at")

    without = run("load", *words)
    wrong = run("load", *words, "--date-format", "day")
    checked = run("check", *words, "--date-format", "%d/%m/%Y", "--json").json
    done = run("load", *words, "--date-format", "%d/%m/%Y")

    assert (without.code, wrong.code, done.code) == (2, 2, 0)
    assert "--date-format %d/%m/%Y" in without.errors
    assert "'day', which is not a date format" in wrong.errors
    assert checked["summary"]["superseded"] == 1
    assert [sent["first_name"] for sent in emulator.customers.values()] == ["Newer"]


def test_a_version_column_that_is_not_there_is_told_with_its_option(run: Run) -> None:
    done = run("load", write(people(1)), "--version-column", "udpated_at")

    assert done.code == 2
    assert "Try: dlt-bunce check SOURCE --version-column updated_at" in done.errors


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--max-reject-count", "0", "1 of 4 rows are rejected (threshold: 0 rows)"),
        (
            "--min-rows-share-of-last",
            "0.5",
            "4 rows were read, compared with 10 in the previous run",
        ),
    ],
)
def test_a_threshold_exits_with_3_and_goes_before_the_setting(
    run: Run, monkeypatch: pytest.MonkeyPatch, option: str, value: str, told: str
) -> None:
    name = f"DESTINATION__BUNCE__{option.strip('-').replace('-', '_').upper()}"
    run("load", write(people(*range(10))), "--pipeline-name", "crm")
    load = ("load", write([*people(1, 2, 3), *people(20, email="nobody")]), "--json")
    load = (*load, "--pipeline-name", "crm")
    monkeypatch.setenv(name, "1")

    over = run(*load, option, value)
    limited = run(*load, "--limit", "1")

    assert (over.code, over.json["read"]) == (3, 4)
    [clause] = over.json["over_thresholds"].values()
    assert clause.startswith(told)
    assert f"Error: {told}" in over.errors
    # few rows are what was asked for
    assert (limited.code, limited.json["over_thresholds"]) == (0, {})


def test_too_many_rejects_exit_with_3_after_everything_is_loaded(
    run: Run, emulator: Emulator
) -> None:
    write(ROWS)

    done = run("load", "customers.parquet", "--max-reject-share", "0.19", "--json")
    again = run("load", "customers.parquet", "--max-reject-share", "0.2")

    assert (done.code, done.json["created"], done.json["rejected"]) == (3, 8, 2)
    assert len(done.errors.splitlines()) == 1
    assert "2 of 10 rows are rejected (threshold: 19.00%)" in done.errors
    assert len(emulator.customers) == 8
    assert len(run("dead-letters", "list", "--json").json) == 2
    assert (again.code, "Error" in again.errors) == (0, False)


def test_a_password_comes_from_the_environment(
    run: Run, emulator: Emulator, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(postgres_url) as link:
        link.execute(CREATE)
        link.execute("INSERT INTO people VALUES (1, 'a@b.example', 'A', 'B', '+2348012345678', 1)")
    monkeypatch.setenv("CRM_URL", postgres_url)

    assert run("load", "env:CRM_URL", "--table", "people").code == 0
    assert set(emulator.customers) == {"1"}
