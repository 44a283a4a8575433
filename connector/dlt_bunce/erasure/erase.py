"""A complete erasure request: everything found is removed, or nothing is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from dlt_bunce.destination.folder.run_lock import run_lock
from dlt_bunce.erasure import folders, letters
from dlt_bunce.erasure.person import Persons, canonical_ids
from dlt_bunce.logs import logger
from dlt_bunce.records.mapping.schema import ColumnNames
from dlt_bunce.store import erasure, links
from dlt_bunce.store.accounts import refuse_unknown_account
from dlt_bunce.store.database import Database

_LONGEST_RUN = timedelta(days=7)
"""A run that started longer ago without ending was killed."""


@dataclass(frozen=True)
class Request:
    """The customers to erase, and where to search.

    `mapping` and `configured` map fields to source columns, for files without a mapping of their
    own. With `related`, dead letters of other customers that share an email or phone are removed,
    too.
    """

    ids: Sequence[str]
    store_url: str
    account: str
    mapping: Mapping[str, ColumnNames] = field(default_factory=dict)
    configured: Mapping[str, ColumnNames] = field(default_factory=dict)
    related: bool = False
    pipelines_dirs: Sequence[Path] = ()
    wait_s: Callable[[], float] = lambda: 0.0
    on_wait: Sequence[Callable[[str], None]] = ()


@dataclass(frozen=True)
class Erased:
    """The number of rows removed from each place.

    `nowhere`: ids that were not found. `bunce_ids`: ids in Bunce of customers that were linked.
    `related`: ids of dead letters of other customers that share
    an email or phone and were kept. `running`: pipelines with a run that may still be active on
    another machine. `not_searched`: folders that may or may not belong to the account, or temporary
    ones of another user. `remains`: why deleted bytes may still be in the database's files.
    """

    ledger: int
    dead_letters: int
    rejected_values: int
    package_rows: int
    files: Mapping[str, int]
    nowhere: Sequence[str]
    bunce_ids: Sequence[str]
    related: Sequence[str]
    running: Sequence[str]
    not_searched: Sequence[str]
    remains: str | None

    def as_dict(self) -> dict[str, object]:
        """Return the result as plain values for JSON."""
        return asdict(self)


def erase(request: Request) -> Erased:
    """Remove customers from the store and from working folders on this machine.

    Everything to remove is located first: if a file cannot be read or cleaned, or a load is
    running, nothing is changed. Raises UsageError, RunInProgressError, AccountError, or StoreError.
    """
    ids = canonical_ids(request.ids)
    with Database(request.store_url, read_only=True):
        pass  # raises if there is no store, which opening it for writing would create
    account = request.account
    with Database(request.store_url) as db, contextlib.ExitStack() as held:
        refuse_unknown_account(db, account)
        found = folders.belonging(request, erasure.pipelines(db, account))
        for folder in found.folders:
            owner = held.enter_context(run_lock(folder, request.wait_s, request.on_wait))
            erasure.end_claims_of(db, owner.ended)
        erasure.refuse_while_sending(db, account)
        linked = links.linked_ids(db, account, ids)
        ids = sorted({*ids, *linked})
        known = erasure.known(db, account, ids)
        persons = Persons(ids, erasure.email_key(db, account))
        persons.emails |= {digest for digest in known.values() if digest}
        chosen = letters.choose(db, account, persons)
        files = folders.rows_of(db, persons, found.folders, request)
        letter_ids = [*chosen.theirs, *(chosen.related if request.related else [])]
        removed = erasure.erase(db, account, ids, letter_ids)
        counts = {str(file.path): file.remove(persons) for file in files}
        folders.remove_parts(found.folders)
        remains = db.overwrite(*erasure.PERSONAL)
        found_ids = {*known, *linked}.union(*(file.ids for file in files))
        since = datetime.now(timezone.utc) - _LONGEST_RUN
        ended = {folder.name for folder in found.folders}
        running = erasure.unfinished(db, account, since.isoformat(timespec="microseconds"))
    logger().info(
        "erase.finished",
        customers=removed.customers,
        dead_letters=removed.dead_letters,
        rows_in_files=sum(counts.values()),
    )
    return Erased(
        removed.customers,
        removed.dead_letters,
        removed.rejected_values,
        sum(counts.values()),
        counts,
        [customer_id for customer_id in ids if customer_id not in found_ids],
        sorted(set(linked.values())),
        [] if request.related else chosen.related,
        [name for name in running if name not in ended],
        [str(folder) for folder in found.unclear],
        remains,
    )
