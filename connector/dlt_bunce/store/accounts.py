"""Which Bunce workspace a ledger belongs to.

A ledger that was filled for one workspace and used with another would skip customers that the other
has never seen, so host and a digest of the API key are kept and compared before anything is sent.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import scrypt
from typing import Any

from dlt_bunce.errors import AccountError
from dlt_bunce.store.database import Database, utc_now


@dataclass(frozen=True)
class Account:
    """What the store keeps for one workspace; `email_key` keys the digests of emails."""

    name: str
    email_key: bytes
    batch_size: int | None
    concurrency: int | None


def open_account(
    db: Database, name: str, api_key: str, *, host: str, rotate: bool = False
) -> Account:
    """The account `name` at `host`, made at first use.

    Raises AccountError when it was made with another API key or for another host, unless `rotate`
    is set: then the new ones take their place.
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
            _refuse_another(row, api_key, host)
        if rotate or row["host"] is None:
            db.execute(
                "UPDATE bunce_accounts SET key_digest = $1, host = $2 WHERE account = $3",
                (_digest(api_key, row["key_salt"]), host, name),
            )
        return _account(row)


def known_account(
    db: Database, name: str, api_key: str | None = None, *, host: str | None = None
) -> Account | None:
    """The account as it is, or None before its first load; nothing is written.

    With `api_key` and `host`, raises AccountError as `open_account` does.
    """
    rows = db.rows("SELECT * FROM bunce_accounts WHERE account = $1", (name,))
    if not rows:
        return None
    row = rows[0]
    if api_key is not None:
        _refuse_another(row, api_key, host)
    return _account(row)


def refuse_unknown_account(
    db: Database, name: str, *, remedy: str = "See them with: dlt-bunce account list"
) -> None:
    """Raise AccountError for a name that the store does not have; one without any is empty."""
    rows = db.rows("SELECT account FROM bunce_accounts ORDER BY account")
    known = [row["account"] for row in rows]
    if known and name not in known:
        raise AccountError(
            f"There is no account {name!r} in the store, which has: {', '.join(known)}.",
            remedy=remedy,
        )


def has_seen(db: Database, name: str, pipeline_name: str) -> bool:
    """Whether a run of the pipeline into the account was completed, or all of Bunce's customers
    were taken into its ledger: else no cursor of that pipeline can be right here.
    """
    return bool(
        db.rows(
            "SELECT 1 AS n FROM bunce_runs WHERE account = $1 AND pipeline_name = $2 "
            "AND state = 'completed' UNION ALL SELECT 1 AS n FROM bunce_accounts "
            "WHERE account = $1 AND adopted_at IS NOT NULL LIMIT 1",
            (name, pipeline_name),
        )
    )


def remember_pace(db: Database, name: str, *, batch_size: int, concurrency: int) -> None:
    """Keeps the batch size and number in flight that worked: the next run starts with them."""
    db.execute(
        "UPDATE bunce_accounts SET batch_size = $1, concurrency = $2 WHERE account = $3",
        (batch_size, concurrency, name),
    )


def _account(row: Mapping[str, Any]) -> Account:
    key = bytes.fromhex(row["email_key"])
    return Account(row["account"], key, row["batch_size"], row["concurrency"])


def _refuse_another(row: Mapping[str, Any], api_key: str, host: str | None) -> None:
    name = row["account"]
    if row["host"] not in (None, host):
        raise AccountError(
            f"The ledger of account {name!r} was written for {row['host']}, not for {host}.",
            remedy="Same workspace under a new address: `dlt-bunce account rotate`. Another "
            'workspace: set another name, account = "…", under [destination.bunce].',
        )
    if _digest(api_key, row["key_salt"]) != row["key_digest"]:
        raise AccountError(
            f"The ledger of account {name!r} was written with another API key.",
            remedy="Same workspace with a new key: `dlt-bunce account rotate`. Another "
            'workspace: set another name, account = "…", under [destination.bunce].',
        )


# the jobs of a run ask for the same one
@lru_cache(maxsize=8)
def _digest(api_key: str, salt: str) -> str:
    # slow on purpose: the digest must not help anybody to guess the key
    return scrypt(api_key.encode(), salt=bytes.fromhex(salt), n=2**12, r=8, p=1, dklen=32).hex()
