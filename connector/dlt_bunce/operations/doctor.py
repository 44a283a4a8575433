"""Check everything that a load needs; each finding comes with its remedy."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from dlt_bunce.api.retry import seconds_from_now
from dlt_bunce.destination.client import BunceClient
from dlt_bunce.destination.mapping.targets import find_targets
from dlt_bunce.destination.mapping.wanted_targets import ALL, Wanted, values_section, wanted_in
from dlt_bunce.destination.settings import config_file
from dlt_bunce.errors import BunceError, StoreError
from dlt_bunce.load.probed import age_of, in_force
from dlt_bunce.model import Failure
from dlt_bunce.operations.disk_checks import disk, folder_of
from dlt_bunce.operations.finding import Finding
from dlt_bunce.records.values.target_matching import listed_names
from dlt_bunce.records.values.targets import SECTION, FoundTarget, Kind
from dlt_bunce.store import rate_limits
from dlt_bunce.store.accounts import known_account
from dlt_bunce.store.database import Database
from dlt_bunce.store.probes import Probed, latest_probe

_SKEW_S = 30.0
"""A larger clock difference may end leases early when loads share a store."""


@dataclass(frozen=True)
class _Named:
    """What the settings name for customers, or `of_table` of `values_tables`."""

    of_table: str
    attributes: Any
    segments: Any
    section: str = SECTION

    @property
    def wanted(self) -> Wanted:
        return replace(wanted_in(self.attributes, self.segments), section=self.section)


def diagnose(client: BunceClient) -> Iterator[Finding]:
    """Check versions, host and key, clock, configured attributes and segments, store, and request
    budget.

    Sends one request, and a few more for attributes and segments; writes nothing.
    """
    yield from versions()
    yield from _checked("key", lambda: _host(client))
    config = client.config
    yield from _checked("attributes", lambda: _targets(client))
    api_key = config.credentials.api_key
    key = (api_key, config.host) if api_key else None
    yield from _checked("store", lambda: _store(config.store_url, config.account, key))
    yield from disk(config.store_url)
    yield from _checked("budget", lambda: _budget(client))


def without_client(failure: Failure, store_url: str, account: str) -> Iterator[Finding]:
    """Check what needs neither key nor host, after the `failure` to read the settings."""
    yield from versions()
    yield Finding("key", "failed", failure.error, failure.remedy)
    yield from _checked("attributes", _unasked)
    yield from _checked("store", lambda: _store(store_url, account))
    yield from disk(store_url)


def versions() -> Iterator[Finding]:
    """Report installed versions, and whether each meets the package's requirement."""
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
            detail = f"{found}, but {needed.specifier} is required"
            remedy = f"pip install --upgrade '{needed.name}{needed.specifier}'"
            yield Finding(needed.name, "failed", detail, remedy)
        elif needed.name in {"dlt", "pyarrow"}:
            yield Finding(needed.name, "ok", found)


def _checked(name: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except BunceError as error:
        if isinstance(error, StoreError) and name != "store":  # which is a check of its own
            yield Finding(name, "warning", "not checked: the store cannot be used")
        else:
            yield Finding(name, "failed", error.message, error.remedy)


def _host(client: BunceClient) -> Iterator[Finding]:
    config = client.config
    with closing(client.session()) as session:
        reply = session.check_key()
    yield Finding("key", "ok", f"accepted by {config.base_url} in {reply.seconds:.2f} s")
    ahead = None if reply.date is None else seconds_from_now(reply.date, time.time())
    if ahead is None:
        yield Finding("clock", "warning", "Bunce's response has no Date header to compare with")
    else:
        yield _clock("Bunce's", -ahead)


def _targets(client: BunceClient) -> Iterator[Finding]:
    """Check the attributes and segments that the settings name, one line each."""
    config = client.config
    if not config.credentials.api_key:
        yield from _unasked()
        return
    tables = _named(config.attributes, config.segments, config.values_tables or {})
    yield from _all_columns(tables)
    tables = [table for table in tables if table.wanted]
    if not tables:
        return
    for table, found in zip(
        tables, find_targets(client, [table.wanted for table in tables]), strict=True
    ):
        for item in found.items:
            there = listed_names(found.available[item.kind]) or "none"
            yield _compared(item, there, table.of_table)


def _compared(item: FoundTarget, there: str, of_table: str) -> Finding:
    name, fed = _target_name(item.kind, item.name), f"from column {item.column!r}{of_table}"
    if item.state == "exists":
        return Finding(name, "ok", f"{item.data_type}, {fed}")
    if item.state == "to_create":
        when = "the first load that has a value creates it"
        return Finding(name, "ok", f"does not exist yet; {when}, {fed}")
    has = f" It has: {there}." if item.state == "missing" else ""
    use = f" It is to be fed {fed}." if of_table else ""
    return Finding(name, "failed", f"{item.fault}{has}{use}", item.remedy)


def _unasked() -> Iterator[Finding]:
    """Name the attributes and segments that cannot be checked without a key."""
    tables = _named(*config_file.configured_targets(), config_file.configured_values_tables())
    yield from _all_columns(tables)
    for table in tables:
        for kind, named in table.wanted.by_kind.items():
            for column, name in named.items():
                detail = f"not checked without an API key, from column {column!r}{table.of_table}"
                yield Finding(_target_name(kind, name), "warning", detail, "Set the API key.")


def _named(attributes: Any, segments: Any, values_tables: Mapping[str, Any]) -> list[_Named]:
    return [
        _Named("", attributes, segments),
        *(
            _Named(
                f" of table {name!r}",
                given.get("attributes"),
                given.get("segments"),
                values_section(name),
            )
            for name, given in values_tables.items()
            if isinstance(given, Mapping)  # or else the settings could not be read, which is told
        ),
    ]


def _all_columns(tables: Sequence[_Named]) -> Iterator[Finding]:
    for table in tables:
        if table.attributes == ALL:
            detail = f'all columns{table.of_table} ("*")'
            compare = "to compare them with Bunce: dlt-bunce check SOURCE"
            yield Finding("attributes", "ok", f"{detail}; {compare}")


def _target_name(kind: Kind, name: str) -> str:
    return f"{kind.removesuffix('s')} {name}"


def _clock(whose: str, skew_s: float) -> Finding:
    if abs(skew_s) <= _SKEW_S:
        return Finding("clock", "ok", f"within {_SKEW_S:.0f} s of {whose} clock")
    detail = f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} {whose} clock"
    return Finding("clock", "warning", detail, "Synchronize this machine's clock with NTP.")


def _store(store_url: str, account: str, key: tuple[str, str] | None = None) -> Iterator[Finding]:
    """Check the store; with `key` (the API key and its host), also whose ledger it is."""
    database = Database(store_url, read_only=True)
    folder = folder_of(store_url)
    if not database.exists():
        if folder is not None and not os.access(folder, os.W_OK):
            detail = f"does not exist yet, and {folder} is not writable"
            remedy = "Make the folder writable for this user, or set another store_url."
            yield Finding("store", "failed", detail, remedy)
        else:
            yield Finding("store", "ok", "does not exist yet; the first load creates it")
    else:
        with database as db:
            known = key is None or known_account(db, account, key[0], host=key[1])
            delivered = db.rows(
                "SELECT COUNT(delivered_at) AS n FROM bunce_customers WHERE account = $1",
                (account,),
            )[0]["n"]
            probed = None if key is None else latest_probe(db, account, host=key[1])
            skew_s = time.time() - db.rows(f"SELECT {db.now} AS now")[0]["now"] / 1000
        shown = f"account {account!r}" + ("" if known else " (not used before)")
        yield Finding("store", "ok", f"{shown}, customers delivered: {delivered:,}")
        if key is not None:
            yield _probe(probed)
        if folder is None:
            yield _clock("the store's", skew_s)


def _probe(probed: Probed | None) -> Finding:
    if probed is None:
        return Finding("probe", "ok", "none of this account; loads find out by themselves")
    days, again = age_of(probed).days, "Run dlt-bunce probe again, with a sandbox key."
    detail = f"{days} day{'' if days == 1 else 's'} old"
    if probed.contradicted:
        detail += f"; a load has found otherwise: {', '.join(sorted(probed.contradicted))}"
        return Finding("probe", "warning", detail, again)
    if in_force(probed) is None:
        return Finding("probe", "warning", f"{detail}, no longer used", again)
    return Finding("probe", "ok", f"{detail}; loads start from it")


def _budget(client: BunceClient) -> Iterator[Finding]:
    config = client.config
    if not config.requests_per_minute:
        remedy = "Set requests_per_minute = 500, Bunce's limit per IP address."
        yield Finding("budget", "warning", "requests are not paced", remedy)
        return
    share, pause_s = 1.0, 0.0
    database = Database(config.store_url, read_only=True)
    if database.exists():
        with database as db:
            share, pause_s = rate_limits.share_of(db, config.budget_scope)
    detail = f"{config.requests_per_minute} requests per minute for egress {config.egress!r}"
    if pause_s:
        detail += f"; paused for another {pause_s:.0f} s after a 429 response"
    if share < 1:
        remedy = (
            "Another client sends from this IP address: give one of them a different egress, or "
            "lower requests_per_minute."
        )
        yield Finding("budget", "warning", f"{detail}; {share:.0%} of it available now", remedy)
    else:
        yield Finding("budget", "ok", detail)
