"""Long lists on narrow terminals, and lists with nothing in them; no load is needed for either."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from dlt_bunce.cli.output import duration, print_sentence
from dlt_bunce.store.database import Database

from .conftest import Run

LETTERS = 50


def _write(table: str, rows: list[dict[str, Any]]) -> None:
    with Database("sqlite:///bunce.sqlite") as db:
        db.ingest("bunce_given", pa.Table.from_pylist(rows))
        columns = ", ".join(rows[0])
        db.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM bunce_given")


@pytest.fixture(autouse=True)
def _account() -> None:
    account = {"account": "shop", "key_salt": "", "key_digest": "", "email_key": ""}
    _write("bunce_accounts", [account | {"batch_size": 100, "created_at": "2026-11-29T01:00:00"}])


def _write_letters(customer_ids: list[str]) -> list[str]:
    ids = [f"{n:024x}" for n in range(LETTERS)]
    seen = {"first_seen_at": "2026-11-29T03:02:03", "last_seen_at": "2026-11-29T03:02:03"}
    letter = seen | {"account": "shop", "code": "invalid_phone_no", "field": "phone_no"}
    letter |= {
        "message": "7 characters",
        "stage": "normalize",
        "attempts": 1,
        "status": "open",
        "run_id": "1795928702.1802",
    }
    letter |= {"source": "crm_export.csv", "source_line": 1042}
    rows = [
        letter | {"id": ids[n], "fingerprint": ids[n], "customer_id": customer_ids[n]}
        for n in range(LETTERS)
    ]
    _write("bunce_dead_letters", rows)
    return ids


@pytest.mark.parametrize(
    ("customer_id", "columns", "most"),
    [
        (lambda n: f"C-{n:06d}", 80, LETTERS + 10),
        (lambda n: str(UUID(int=n)), 80, 2 * LETTERS + 10),
        (lambda n: str(UUID(int=n)), 60, 2 * LETTERS + 10),
    ],
    ids=["numbers at 80", "uuids at 80", "uuids at 60"],
)
def test_a_dead_letter_takes_one_line_or_two_of_a_narrow_terminal(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    customer_id: Any,
    columns: int,
    most: int,
) -> None:
    customers = [customer_id(n) for n in range(LETTERS)]
    ids = _write_letters(customers)
    monkeypatch.setenv("COLUMNS", str(columns))

    done = run("dead-letters", "list", "--account", "shop")

    lines = done.output.splitlines()
    assert len(lines) <= most
    assert [line for line in lines[:-1] if len(line) > columns] == []
    words = done.output.split()
    assert [word for word in (*ids, *customers, "invalid_phone_no") if word not in words] == []
    assert lines[-1] == "To see all of one, run: dlt-bunce dead-letters show --account shop ID"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("dead-letters list", "Account shop has no open dead letters."),
        ("dead-letters list --status all", "Account shop has no dead letters."),
        (
            "dead-letters list --code email_taken --customer 1 --since 2026-11-01T09:30Z --limit 9",
            (
                "Account shop has no open dead letters with --code email_taken "
                "--since 2026-11-01T09:30Z --customer 1."
            ),
        ),
        ("dead-letters group --by field", "Account shop has no open dead letters."),
        ("links list --ended", "Account shop has no links."),
        ("rejected-values list", "Account shop has no rejected values."),
        (
            "rejected-values list --discarded --code refused",
            "Account shop has no discarded values with --code refused.",
        ),
        (
            "rejected-values waiting",
            "Account shop has no rows of values that wait for their customer.",
        ),
        ("report", "Account shop has no recorded runs."),
        (
            "status",
            (
                "Account shop: 0 customers delivered, 0 indeterminate, 0 open dead letters\n"
                "Account shop has no recorded runs."
            ),
        ),
    ],
)
def test_a_list_with_nothing_in_it_says_so_in_a_sentence(
    run: Run, words: str, sentence: str
) -> None:
    done = run(*words.split(), "--account", "shop")

    assert (done.output, done.code) == (f"{sentence}\n", 0)


def test_a_store_without_accounts_says_so(run: Run) -> None:
    with Database("sqlite:///bunce.sqlite") as db:
        db.execute("DELETE FROM bunce_accounts")

    assert run("account", "list").output == (
        "The store has no accounts. The first load creates one.\n"
    )


def test_a_file_of_no_dead_letters_is_not_said_to_hold_personal_data(run: Run) -> None:
    done = run("dead-letters", "export", "none.csv", "--account", "shop")

    assert done.output == "Wrote 0 dead letters to none.csv.\n"


def test_help_cuts_no_description_and_keeps_examples_on_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")

    for group in ("account", "dead-letters", "links", "rejected-values", "store"):
        assert "..." not in run(group, "--help").output.partition("Commands:")[2]
    assert (
        "  Example:\n    dlt-bunce load env:CRM_URL --table crm.people --shard 2/8 --shard-key id\n"
    ) in run("load", "--help").output


def test_a_sentence_breaks_no_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")

    print_sentence("Load these customers, which dlt-bunce links list --account 'a' lists, again.")

    assert capsys.readouterr().out == (
        "Load these customers, which\ndlt-bunce links list --account 'a'\nlists, again.\n"
    )


@pytest.mark.parametrize(
    ("seconds", "expected"), [(1, "1 second"), (2, "2 seconds"), (600, "10.0 minutes")]
)
def test_one_second_is_no_plural(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected
