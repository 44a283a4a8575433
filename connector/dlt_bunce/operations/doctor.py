"""Whether everything that a load needs is well: each finding with its remedy."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from dlt_bunce.api.retry import seconds_from_now
from dlt_bunce.destination.client import BunceClient
from dlt_bunce.errors import BunceError
from dlt_bunce.store import rate_limits
from dlt_bunce.store.accounts import known_account
from dlt_bunce.store.database import Database

State = Literal["ok", "warning", "failed"]
_SKEW_S = 30.0
"""Clocks that differ by more may end leases early, where loads share a store."""
_ROOM_BYTES = 1_000_000_000
"""Less free space than this fills up within a load of some millions of customers."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: State
    said: str
    remedy: str | None = None


def diagnose(client: BunceClient) -> Iterator[Finding]:
    """Looks at versions, host and key, clock, store, and budget. One request is sent, and nothing
    is written.
    """
    yield from versions()
    yield from _looked("key", lambda: _host(client))
    yield from _looked("store", lambda: _store(client))
    yield from _looked("budget", lambda: _budget(client))


def versions() -> Iterator[Finding]:
    """What runs here, and whether it is as new as the package needs."""
    from packaging.requirements import Requirement

    yield Finding("python", "ok", platform.python_version())
    yield Finding("dlt-bunce", "ok", version("dlt-bunce"))
    for text in requires("dlt-bunce") or ():
        needed = Requirement(text)
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(needed.name)
        except PackageNotFoundError:
            found = "missing"
        if found == "missing" or not needed.specifier.contains(found, prereleases=True):
            said = f"{found}, but {needed.specifier} is needed"
            remedy = f"pip install --upgrade '{needed.name}{needed.specifier}'"
            yield Finding(needed.name, "failed", said, remedy)
        elif needed.name in {"dlt", "pyarrow"}:
            yield Finding(needed.name, "ok", found)


def _looked(what: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except BunceError as error:
        yield Finding(what, "failed", error.message, error.remedy)


def _host(client: BunceClient) -> Iterator[Finding]:
    config = client.config
    with closing(client.session()) as session:
        reply = session.check_key()
    yield Finding("key", "ok", f"accepted by {config.base_url} in {reply.seconds:.2f} s")
    ahead = None if reply.date is None else seconds_from_now(reply.date, time.time())
    if ahead is None:
        yield Finding("clock", "warning", "Bunce's answer bears no date to compare with")
    else:
        yield _clock("Bunce's", -ahead)


def _clock(whose: str, skew_s: float) -> Finding:
    if abs(skew_s) <= _SKEW_S:
        return Finding("clock", "ok", f"within {_SKEW_S:.0f} s of {whose}")
    said = f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} {whose}"
    return Finding("clock", "warning", said, "Set this machine's clock by NTP.")


def _store(client: BunceClient) -> Iterator[Finding]:
    config = client.config
    database = Database(config.store_url, read_only=True)
    folder = _folder(config.store_url)
    if not database.exists():
        said = "is not there yet; the first load makes it"
        if folder is not None and not os.access(folder, os.W_OK):
            remedy = "Make the folder writable for this user, or set another store_url."
            yield Finding("store", "failed", f"{said}, but may not write into {folder}", remedy)
        else:
            yield Finding("store", "ok", said)
    else:
        with database as db:
            known = known_account(db, config.account, config.credentials.api_key, host=config.host)
            delivered = db.rows(
                "SELECT COUNT(delivered_at) AS n FROM bunce_customers WHERE account = $1",
                (config.account,),
            )[0]["n"]
            skew_s = time.time() - db.rows(f"SELECT {db.now} AS now")[0]["now"] / 1000
        account = f"account {config.account!r}" + ("" if known else ", not used before")
        yield Finding("store", "ok", f"{account}, {delivered:,} customers delivered")
        if folder is None:
            yield _clock("the store's", skew_s)
    if folder is not None:
        free = shutil.disk_usage(folder).free
        state: State = "ok" if free >= _ROOM_BYTES else "warning"
        advice = None if state == "ok" else "Free some space, or move the store."
        yield Finding("disk", state, f"{free / 1e9:.1f} GB free beside the store", advice)


def _folder(store_url: str) -> Path | None:
    """The nearest folder that exists above an embedded store; None for a server's."""
    prefix = "sqlite:///"
    if not store_url.startswith(prefix):
        return None
    folder = Path(store_url[len(prefix) :]).absolute().parent
    while not folder.exists():
        folder = folder.parent
    return folder


def _budget(client: BunceClient) -> Iterator[Finding]:
    config = client.config
    if not config.requests_per_minute:
        remedy = "Set requests_per_minute = 500, which is what Bunce allows an address."
        yield Finding("budget", "warning", "requests are not paced", remedy)
        return
    share, pause_s = 1.0, 0.0
    database = Database(config.store_url, read_only=True)
    if database.exists():
        with database as db:
            share, pause_s = rate_limits.share_of(db, config.budget_scope)
    said = f"{config.requests_per_minute} requests a minute for egress {config.egress!r}"
    if pause_s:
        said += f"; all wait for another {pause_s:.0f} s, since Bunce said that it was too much"
    if share < 1:
        remedy = (
            "Somebody else sends from this address: give one of you another egress, or lower "
            "requests_per_minute."
        )
        yield Finding("budget", "warning", f"{said}; {share:.0%} of it may be used now", remedy)
    else:
        yield Finding("budget", "ok", said)
