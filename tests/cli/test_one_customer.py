"""Why a customer was rejected: found by its id, with every defect, and sent again alone."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb
import pytest

from dlt_bunce.emulator import Emulator
from dlt_bunce.store.letters.dead_letter_query import SCHEMA

from .conftest import Run, people, write

LETTERS = ("dead-letters",)


@pytest.fixture
def loaded(run: Run, store: str) -> Run:
    """After a load of one good customer and four bad ones, one of them bad in three ways."""
    write(
        [
            *people(1),
            *people(2, mobile="call me"),
            *people(3, email="c1@example.com"),
            *people(4, email="d4@example", first_name=None, mobile="+23481"),
            *people(5, mobile="12"),
        ]
    )
    assert run("load", "customers.parquet").code == 0
    return run


def test_an_id_is_found_as_it_was_copied_with_its_invisible_marks(loaded: Run) -> None:
    copied = "\u202a4\u202c\u200b"
    Path("ids.txt").write_text(f"{copied}\n", "utf-8")

    found = [
        loaded(*LETTERS, *how, "--json").json
        for how in (
            ("show", copied),
            ("show", "--customer", copied),
            ("list", "--customer", copied),
            ("list", "--customer", "@ids.txt"),
        )
    ]

    assert [[letter["customer_id"] for letter in letters] for letters in found] == [["4"]] * 4


def test_an_id_that_no_customer_can_have_is_told_as_such(loaded: Run) -> None:
    shown = loaded(*LETTERS, "show", "--customer", "x" * 600)

    assert shown.code == 2
    assert "not valid: 600 characters; at most 255 are allowed." in shown.errors


def test_a_customer_s_letter_names_every_defect_of_its_row_and_what_to_do(loaded: Run) -> None:
    shown = loaded(*LETTERS, "show", "4")
    [letter] = loaded(*LETTERS, "show", "4", "--json").json

    assert (letter["customer_id"], letter["code"]) == ("4", "invalid_email")
    assert letter["message"] == "the domain has no dot"
    assert [(found["code"], found["field"]) for found in letter["other_defects"]] == [
        ("missing_first_name", "first_name"),
        ("invalid_phone_no", "phone_no"),
    ]
    assert letter["other_defects"][1]["message"].startswith("too short for its country: ")
    assert letter["remedy"] in shown.output
    assert "d4@example" not in str([letter["message"], letter["other_defects"]])
    [one] = loaded(*LETTERS, "show", "--customer", "2", "--json").json
    assert one["other_defects"] is None
    assert one["message"] == "no digits: 6 characters, 0 digits, 6 letters"


def test_customers_are_chosen_alone_together_and_from_a_file(
    loaded: Run, emulator: Emulator
) -> None:
    Path("ids.txt").write_text("2\n5\n")
    Path("ids.csv").write_text("name,customer_id\nx,4\n")

    def listed(*words: str) -> set[str]:
        return {one["customer_id"] for one in loaded(*LETTERS, "list", "--json", *words).json}

    assert listed("--customer", "2") == {"2"}
    assert listed("--customer", "2", "--customer", "@ids.csv") == {"2", "4"}
    assert listed("--customer", "@ids.txt", "--code", "invalid_phone_no") == {"2", "5"}
    assert listed("--customer", "nobody") == set()
    exported = loaded(*LETTERS, "export", "l.csv", "--customer", "@ids.txt")
    assert exported.code == 0
    with Path("l.csv").open(encoding="utf-8-sig") as file:
        assert {row["id"] for row in csv.DictReader(file)} == {"2", "5"}
    assert loaded(*LETTERS, "discard", "--customer", "5", "--json").json == {"discarded": 1}
    emulator.seed([emulator.customers["1"] | {"email": "moved@example.com"}])  # frees c1@…
    replayed = loaded(*LETTERS, "replay", "--customer", "3", "--json").json
    assert (replayed["read"], replayed["created"]) == (1, 1)
    assert listed() == {"2", "4"}


def test_an_empty_choice_of_customers_never_means_all_of_them(loaded: Run) -> None:
    Path("none.txt").write_text("\n")
    for chosen in ("", " ", "@none.txt", "@missing.txt"):
        refused = loaded(*LETTERS, "discard", "--customer", chosen)
        assert (refused.code, refused.output) == (2, ""), chosen
    for command in ("replay", "discard"):
        refused = loaded(*LETTERS, command)
        assert (refused.code, "--customer" in refused.errors) == (2, True)
    assert len(loaded(*LETTERS, "list", "--json").json) == 4


def test_a_customer_without_a_letter_is_told_from_one_that_nobody_knows(loaded: Run) -> None:
    assert "Bunce accepted it at 20" in loaded(*LETTERS, "show", "1").errors
    assert "the ledger does not know it" in loaded(*LETTERS, "show", "no/body").errors
    assert loaded(*LETTERS, "show", "1").code == 2


def test_json_lists_every_letter_and_text_says_that_there_are_more(run: Run) -> None:
    write(people(*range(60), mobile="call me"))
    assert run("load", "customers.parquet").code == 0

    assert len(run(*LETTERS, "list", "--json").json) == 60
    assert "Showing the newest 50." in run(*LETTERS, "list").output


def test_a_warehouse_gets_every_column_and_a_view_counts_what_is_open(
    loaded: Run, store: str
) -> None:
    import dlt

    from dlt_bunce import dead_letters
    from dlt_bunce.store.database import Database

    with Database(store, read_only=True) as db:
        rows = db.rows("SELECT code, field, dead_letters FROM bunce_open_dead_letters")
    assert sorted((row["code"], row["field"], row["dead_letters"]) for row in rows) == [
        ("email_taken", "email", 1),
        ("invalid_email", "email", 1),
        ("invalid_phone_no", "phone_no", 2),
    ]
    for name, status, count in (("all", None, 4), ("none", "resolved", 0)):
        target = dlt.destinations.duckdb(f"{name}.duckdb")
        pipeline = dlt.pipeline(name, destination=target, dataset_name="bunce")
        pipeline.run(dead_letters(status=status))
        with duckdb.connect(f"{name}.duckdb") as warehouse:
            found = warehouse.sql("SELECT * FROM bunce.dead_letters")
            assert set(SCHEMA.names) <= set(found.columns)
            assert len(found.fetchall()) == count
            kinds = dict(zip(found.columns, map(str, found.types), strict=True))
            assert kinds["resolved_at"] == "TIMESTAMP WITH TIME ZONE"
