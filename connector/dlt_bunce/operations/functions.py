"""What the command line does, as functions for programs: no printing, no prompts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt_bunce.errors import UsageError

if TYPE_CHECKING:
    from dlt_bunce.destination.client import BunceClient
    from dlt_bunce.destination.factory import bunce
    from dlt_bunce.erasure import Erased
    from dlt_bunce.model import RunSummary
    from dlt_bunce.operations.adopt import Adopted
    from dlt_bunce.operations.preview import Check
    from dlt_bunce.operations.replay import Replayed
    from dlt_bunce.store.database import Database
    from dlt_bunce.store.letters.selection import Selection


@dataclass(frozen=True)
class Status:
    """The ledger of an account, its open dead letters by code, and its latest runs, newest first.

    `delivered` counts customers that Bunce has accepted, `indeterminate` those whose outcome the
    next run looks up. `rejected_values` counts attribute values and segment members that are
    rejected now, by the name of the attribute or segment and by code.
    """

    account: str
    delivered: int
    indeterminate: int
    open_dead_letters: Mapping[str, int]
    runs: Sequence[RunSummary]
    rejected_values: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def check(
    data: Any, *, destination: bunce | None = None, write_disposition: str | None = None
) -> Check:
    """Return what a load of `data` would do, without sending or writing anything.

    `data` is whatever a dlt pipeline accepts, also as returned by `bunce_adapter`. All of it is
    read, mapped, validated, and compared with the ledger. Raises UsageError for wrong settings;
    a mapping that cannot work and exceeded thresholds are among the `warnings`.
    """
    from dlt_bunce.operations import preview

    return preview.check(data, destination, write_disposition=write_disposition)


def status(*, destination: bunce | None = None, runs: int = 5) -> Status:
    """Return the state of the configured store, or of that of `destination`; needs no API key.

    Raises StoreError if there is no store, and AccountError if it does not have the account.
    """
    from dlt_bunce.store.letters.dead_letter_query import open_by_code
    from dlt_bunce.store.runs import runs as recorded
    from dlt_bunce.store.statements import COUNT_CUSTOMERS
    from dlt_bunce.store.values import rejected_values

    with readable_store(destination) as (db, account):
        ledger = db.rows(COUNT_CUSTOMERS, (account,))[0]
        return Status(
            account,
            ledger["delivered"],
            ledger["indeterminate"],
            open_by_code(db, account),
            recorded.summaries(db, account, limit=runs),
            rejected_values.by_name(db, account),
        )


def replay(
    selection: Selection | None = None,
    *,
    destination: bunce | None = None,
    mapping: Mapping[str, str] | None = None,
) -> Replayed:
    """Send the rows of open dead letters again: those of `selection`, or all.

    `mapping` (field to column) takes precedence over the configured one, and that over the mapping
    of the run that read the stored row. Raises UsageError for an account, a code, or a status that
    does not exist, CredentialsError, UnavailableError, or StoreError.
    """
    from dlt_bunce.operations.replay import replay as send_again
    from dlt_bunce.operations.replay_runs import recorded_unconfigured
    from dlt_bunce.store.letters.selection import refuse_unknown

    refuse_unknown(selection)
    with readable_store(destination):
        pass  # raises if there is no store or account, which a client would create
    with recorded_unconfigured(selection, lambda: store_of(destination)):
        client = _client(destination)
    return send_again(client, selection=selection, mapping=mapping)


def discard(selection: Selection, *, destination: bunce | None = None) -> int:
    """Close open dead letters by hand, and return how many; needs no API key.

    Raises UsageError for a selection without a filter, or for an account, a code, or a status that
    does not exist, and StoreError.
    """
    from dlt_bunce.store.database import Database
    from dlt_bunce.store.letters.dead_letters import discard as close
    from dlt_bunce.store.letters.selection import refuse_unknown

    names = [each.name for each in fields(selection) if each.name != "status"]
    if all(getattr(selection, name) is None for name in names):
        raise UsageError(
            "The selection has no filter, so every dead letter would be discarded.",
            remedy="Set a filter, such as Selection(codes=[…]).",
        )
    refuse_unknown(selection)
    with readable_store(destination):
        pass  # raises if there is no store, which opening it for writing would create
    store_url, account = store_of(destination)
    with Database(store_url) as db:
        return close(db, account, selection)


def adopt(*, destination: bunce | None = None, restart: bool = False) -> Adopted:
    """List the customers that Bunce already has into the ledger, within the request budget.

    An interrupted call is resumed unless `restart` is set. Raises ListingError if the listing
    cannot be read to its end, and CredentialsError, UnavailableError, or StoreError.
    """
    from dlt_bunce.operations.adopt import adopt as list_all

    return list_all(_client(destination), restart=restart)


def erase(
    customer_ids: Sequence[str],
    *,
    destination: bunce | None = None,
    mapping: Mapping[str, str] | None = None,
    related: bool = False,
    pipelines_dirs: Sequence[str | Path] = (),
) -> Erased:
    """Erase customers from the store and from dlt's working folders on this machine.

    Either everything that is found is removed, or nothing. `mapping` maps fields to columns, for
    files without a mapping of their own. With `related`, dead letters of other customers that share
    an email or phone are removed, too. Raises UsageError, RunInProgressError, or StoreError.
    """
    from dlt_bunce.erasure import Request
    from dlt_bunce.erasure import erase as remove
    from dlt_bunce.store.choices import check_choice

    store_url, account = store_of(destination)
    return remove(
        Request(
            list(check_choice("customer_ids", customer_ids) or ()),
            store_url,
            account,
            mapping=mapping or {},
            configured=_mapping(destination),
            related=related,
            pipelines_dirs=_folders(pipelines_dirs),
        )
    )


def _folders(given: str | Path | Sequence[str | Path]) -> list[Path]:
    """Return folders that exist: rows in one that is misspelt would stay where they are."""
    folders = [Path(each) for each in ([given] if isinstance(given, str | Path) else given)]
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(
                f"pipelines_dirs has {str(folder)!r}, which is not a folder.",
                remedy="Give the folders that hold dlt's working folders. Nothing was erased.",
            )
    return folders


@contextmanager
def readable_store(destination: bunce | None) -> Iterator[tuple[Database, str]]:
    """Yield the store, opened read-only, and the account.

    Raises StoreError if there is no store, and AccountError if it does not have the account: a typo
    must not look like an empty result.
    """
    from dlt_bunce.store.accounts import refuse_unknown_account
    from dlt_bunce.store.database import Database

    store_url, account = store_of(destination)
    with Database(store_url, read_only=True) as db:
        refuse_unknown_account(db, account)
        yield db, account


def _client(destination: bunce | None) -> BunceClient:
    """Return a client outside of any pipeline."""
    from dlt.common.schema import Schema

    return (destination or _configured()).client(Schema("bunce"))


def store_of(destination: bunce | None) -> tuple[str, str]:
    """Return the URL of the store, and the account."""
    from dlt_bunce.destination.settings import config_file

    if destination is None:
        return config_file.store_settings(None, None)
    config = destination.configuration(destination.spec(), accept_partial=True)
    return config.store_url, config.account


def _configured() -> bunce:
    from dlt_bunce.destination.factory import bunce

    return bunce()


def _mapping(destination: bunce | None) -> Mapping[str, str]:
    """Return field to column, as configured."""
    chosen = destination or _configured()
    return chosen.configuration(chosen.spec(), accept_partial=True).mapping or {}
