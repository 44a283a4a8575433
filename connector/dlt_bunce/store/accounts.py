"""The Bunce workspace that a ledger belongs to.

A ledger filled for one workspace and used with another would skip customers that the other has
never seen. So the host and a digest of the API key are stored, and compared before anything is
sent.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import scrypt
from shlex import quote
from typing import Any

from dlt_bunce.errors import AccountError
from dlt_bunce.store.database import Database, utc_now


@dataclass(frozen=True)
class Account:
    """A workspace as the store knows it; `email_key` is the key of the email digests."""

    name: str
    email_key: bytes
    batch_size: int | None
    concurrency: int | None
    value_batch_size: int | None = None
    value_cap: int | None = None
    """The most values to put into a request, since more were refused at `value_cap_at`."""
    value_cap_at: str | None = None


def open_account(
    db: Database, name: str, api_key: str, *, host: str, rotate: bool = False
) -> Account:
    """Open the account `name` at `host`; create it on first use.

    Raises AccountError if it was created with another API key or for another host, unless `rotate`
    is set: then the new key and host replace the old ones.
    """
    with db.transaction():
        rows = db.rows("SELECT * FROM bunce_accounts WHERE account = $1", (name,))
        if not rows:
            salt, email_key = secrets.token_hex(16), secrets.token_hex(32)
            db.execute(
                "INSERT INTO bunce_accounts "
                "(account, key_salt, key_digest, email_key, created_at, host) "
                "VALUES ($1, $2, $3, $4, $5, $6)",
                (name, salt, _digest(api_key, salt), email_key, utc_now(), host),
            )
            return Account(name, bytes.fromhex(email_key), None, None)
        row = rows[0]
        if not rotate:
            _check_key_and_host(row, api_key, host)
        if rotate or row["host"] is None:
            db.execute(
                "UPDATE bunce_accounts SET key_digest = $1, host = $2 WHERE account = $3",
                (_digest(api_key, row["key_salt"]), host, name),
            )
        return _account(row)


def known_account(
    db: Database, name: str, api_key: str | None = None, *, host: str | None = None
) -> Account | None:
    """Return the account, or None before its first load, without writing anything.

    With `api_key` and `host`, raises AccountError as `open_account` does.
    """
    rows = db.rows("SELECT * FROM bunce_accounts WHERE account = $1", (name,))
    if not rows:
        return None
    row = rows[0]
    if api_key is not None:
        _check_key_and_host(row, api_key, host)
    return _account(row)


def refuse_unknown_account(
    db: Database, name: str, *, remedy: str = "List the accounts with: dlt-bunce account list"
) -> None:
    """Raise AccountError for a name that is not in the store; a store without accounts passes, and
    so does one that has runs alone, since its first key was refused.
    """
    rows = db.rows("SELECT account FROM bunce_accounts ORDER BY account")
    known = [row["account"] for row in rows]
    of_account = "SELECT 1 AS n FROM bunce_runs WHERE account = $1 LIMIT 1"
    if known and name not in known and not db.rows(of_account, (name,)):
        raise AccountError(
            f"The store has no account {name!r}. It has: {', '.join(known)}.",
            remedy=remedy,
        )


def option_of(name: str) -> str:
    """Return the option that selects an account in a command to paste, nothing for the default one:
    the account may be set in a program, where the command does not see it.
    """
    return "" if name == "default" else f" --account {quote(name)}"


def has_completed_run(db: Database, name: str, pipeline_name: str) -> bool:
    """Return whether a run of the pipeline into the account has completed."""
    return bool(
        db.rows(
            "SELECT 1 AS n FROM bunce_runs WHERE account = $1 AND pipeline_name = $2 "
            "AND state = 'completed' LIMIT 1",
            (name, pipeline_name),
        )
    )


def has_adopted(db: Database, name: str) -> bool:
    """Return whether all of Bunce's customers have been adopted into the account's ledger."""
    return adopted_at(db, name) is not None


def adopted_at(db: Database, name: str) -> str | None:
    """Return when all of Bunce's customers were adopted last into the account's ledger, if ever."""
    rows = db.rows("SELECT adopted_at FROM bunce_accounts WHERE account = $1", (name,))
    return rows[0]["adopted_at"] if rows else None


def remember_pace(db: Database, name: str, *, batch_size: int, concurrency: int) -> None:
    """Store the batch size and concurrency that worked, for the next run to start with."""
    db.execute(
        "UPDATE bunce_accounts SET batch_size = $1, concurrency = $2 WHERE account = $3",
        (batch_size, concurrency, name),
    )


def remember_value_batch_size(
    db: Database, name: str, size: int, *, cap: int | None, accepted: int, since: str
) -> None:
    """Store the number of values in a request that worked, for the next run to start with.

    `cap` is the most to put into one, since more were refused for their number in this load, and
    `accepted` the most that Bunce has accepted in it. A smaller cap found `since` stays.
    """
    with db.transaction():
        set_size = "UPDATE bunce_accounts SET value_batch_size = $1 WHERE account = $2"
        db.execute(set_size, (size, name))
        db.execute(
            "UPDATE bunce_accounts SET value_cap = NULL, value_cap_at = NULL "
            "WHERE account = $1 AND value_cap < $2",
            (name, accepted),
        )
        if cap is not None:
            db.execute(
                "UPDATE bunce_accounts SET value_cap = CASE WHEN value_cap_at > $1 "
                "AND value_cap < $2 THEN value_cap ELSE $2 END, value_cap_at = $3 "
                "WHERE account = $4",
                (since, cap, utc_now(), name),
            )


def _account(row: Mapping[str, Any]) -> Account:
    key = bytes.fromhex(row["email_key"])
    names = ("batch_size", "concurrency", "value_batch_size", "value_cap", "value_cap_at")
    return Account(row["account"], key, *(row[name] for name in names))


def _check_key_and_host(row: Mapping[str, Any], api_key: str, host: str | None) -> None:
    name = row["account"]
    rotate = f"run `dlt-bunce account rotate --account {quote(name)}`"
    if row["host"] not in (None, host):
        raise AccountError(
            f"The ledger of account {name!r} was written for {row['host']}, not for {host}.",
            remedy=f"If it is the same workspace at a new address, {rotate}. "
            'If it is another workspace, set another name under [destination.bunce]: account = "…"',
        )
    if _digest(api_key, row["key_salt"]) != row["key_digest"]:
        raise AccountError(
            f"The ledger of account {name!r} was written with another API key.",
            remedy=f"If it is the same workspace with a new key, {rotate}. "
            'If it is another workspace, set another name under [destination.bunce]: account = "…"',
        )


# every job of a run needs the same digest
@lru_cache(maxsize=8)
def _digest(api_key: str, salt: str) -> str:
    # slow on purpose, so that the digest is of no use for guessing the key
    return scrypt(api_key.encode(), salt=bytes.fromhex(salt), n=2**12, r=8, p=1, dklen=32).hex()
