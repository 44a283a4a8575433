"""Accounts: a ledger serves one workspace and reveals neither its key nor an email."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from dlt_bunce.errors import AccountError
from dlt_bunce.records.fingerprint import email_digests
from dlt_bunce.store.accounts import open_account, remember_pace
from dlt_bunce.store.database import Database

KEY, OTHER_KEY = "sk_test_first_marked", "sk_test_other_marked"
HOST = "api.bunce.so"


def test_the_key_that_made_an_account_opens_it_again(db: Database) -> None:
    made = open_account(db, "default", KEY, host=HOST)

    assert made == open_account(db, "default", KEY, host=HOST)
    assert len(made.email_key) == 32


def test_another_key_is_refused_with_both_remedies_and_without_either_key(db: Database) -> None:
    open_account(db, "default", KEY, host=HOST)

    with pytest.raises(AccountError) as failure:
        open_account(db, "default", OTHER_KEY, host=HOST)

    text = str(failure.value)
    assert "dlt-bunce account rotate" in text
    assert 'account = "…"' in text
    assert "marked" not in text
    open_account(db, "default", KEY, host=HOST)


def test_a_rotated_key_replaces_the_old_one(db: Database) -> None:
    made = open_account(db, "default", KEY, host=HOST)

    assert made == open_account(db, "default", OTHER_KEY, host=HOST, rotate=True)
    assert made == open_account(db, "default", OTHER_KEY, host=HOST)
    with pytest.raises(AccountError):
        open_account(db, "default", KEY, host=HOST)


def test_two_accounts_in_one_store_have_separate_keys(db: Database) -> None:
    first, second = (
        open_account(db, "first", KEY, host=HOST),
        open_account(db, "second", OTHER_KEY, host=HOST),
    )

    assert first.email_key != second.email_key
    with pytest.raises(AccountError):
        open_account(db, "first", OTHER_KEY, host=HOST)
    assert second == open_account(db, "second", OTHER_KEY, host=HOST)


def test_the_batch_size_that_worked_is_remembered_for_its_account(db: Database) -> None:
    open_account(db, "first", KEY, host=HOST)
    open_account(db, "second", KEY, host=HOST)
    remember_pace(db, "first", batch_size=750, concurrency=8)

    assert open_account(db, "first", KEY, host=HOST).batch_size == 750
    assert open_account(db, "second", KEY, host=HOST).batch_size is None


def test_neither_key_nor_email_of_an_accepted_customer_is_in_the_store(
    ledger_helper: Callable[..., Any],
) -> None:
    first = ledger_helper()
    account = open_account(first.db, "default", KEY, host=HOST)
    open_account(first.db, "default", OTHER_KEY, host=HOST, rotate=True)
    emails = pa.array(["ada@marked.example.com"])
    digest = email_digests(emails, account.email_key)[0].as_py()
    first.claim(("a", "a1"))
    first.settle("created", ("a", "a1"), email_digest=digest)
    # without the account's key the address cannot be tried against its digest
    assert digest != email_digests(emails, b"")[0].as_py()

    tables = ("accounts", "customers", "dead_letters", "runs", "run_chunks")
    kept = str([first.db.rows(f"SELECT * FROM bunce_{table}") for table in tables])

    assert digest in kept
    assert "marked" not in kept


def test_another_host_is_another_workspace(db: Database) -> None:
    made = open_account(db, "default", KEY, host=HOST)

    with pytest.raises(
        AccountError, match=r"written for api\.bunce\.so, not for localhost:8080"
    ) as e:
        open_account(db, "default", KEY, host="localhost:8080")

    assert "dlt-bunce account rotate" in str(e.value)
    assert "another name" in str(e.value)
    assert made == open_account(db, "default", KEY, host="localhost:8080", rotate=True)
    assert made == open_account(db, "default", KEY, host="localhost:8080")


def test_an_older_account_gets_its_host_at_the_next_load(db: Database) -> None:
    open_account(db, "default", KEY, host=HOST)
    db.execute("UPDATE bunce_accounts SET host = NULL")

    open_account(db, "default", KEY, host="localhost:8080")

    with pytest.raises(AccountError):
        open_account(db, "default", KEY, host=HOST)
