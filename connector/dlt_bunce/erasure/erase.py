"""One request for erasure, from beginning to end: all that is found goes, or nothing does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from dlt_bunce.destination.run_lock import run_lock
from dlt_bunce.erasure import folders, letters
from dlt_bunce.erasure.person import Persons, canonical_ids
from dlt_bunce.logs import logger
from dlt_bunce.store import erasure
from dlt_bunce.store.accounts import refuse_unknown_account
from dlt_bunce.store.database import Database

_LONGEST_RUN = timedelta(days=7)
"""A run that has begun earlier and not ended was killed."""


@dataclass(frozen=True)
class Request:
    """Whom to erase, and where to look.

    `mapping` and `configured` go from field to source column, for files that do not tell; with
    `related`, letters of other customers that share an email or phone go, too.
    """

    ids: Sequence[str]
    store_url: str
    account: str
    mapping: Mapping[str, str] = field(default_factory=dict)
    configured: Mapping[str, str] = field(default_factory=dict)
    related: bool = False
    pipelines_dirs: Sequence[Path] = ()
    wait_s: Callable[[], float] = lambda: 0.0


@dataclass(frozen=True)
class Erased:
    """How many rows were removed, by place.

    `nowhere` are ids of which nothing was found; `related` letters of others that share an email or
    phone and stay; `running` pipelines with a run that may go on elsewhere; `not_searched` folders
    of which nothing says whether they belong to the account; `remains` why deleted bytes may still
    stand in the database's files.
    """

    ledger: int
    dead_letters: int
    package_rows: int
    files: Mapping[str, int]
    nowhere: Sequence[str]
    related: Sequence[str]
    running: Sequence[str]
    not_searched: Sequence[str]
    remains: str | None

    def as_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return asdict(self)


def erase(request: Request) -> Erased:
    """Removes persons from the store and from working folders on this machine.

    What would be removed is looked for first: when a file cannot be cleaned, or a load goes on,
    nothing is changed. Raises UsageError, RunInProgressError, AccountError, or StoreError.
    """
    ids = canonical_ids(request.ids)
    with Database(request.store_url, read_only=True):
        pass  # there is one
    account = request.account
    with Database(request.store_url) as db, contextlib.ExitStack() as held:
        refuse_unknown_account(db, account)
        found = folders.belonging(request, erasure.pipelines(db, account))
        for folder in found.folders:
            owner = held.enter_context(run_lock(folder, request.wait_s))
            erasure.end_claims_of(db, owner.ended)
        erasure.refuse_while_sending(db, account)
        known = erasure.known(db, account, ids)
        persons = Persons(ids, erasure.email_key(db, account))
        persons.emails |= {digest for digest in known.values() if digest}
        chosen = letters.choose(db, account, persons)
        files = folders.rows_of(db, persons, found.folders, request)
        gone = [*chosen.theirs, *(chosen.related if request.related else [])]
        removed = erasure.erase(db, account, ids, gone)
        counts = {str(file.path): file.remove(persons) for file in files}
        remains = db.overwrite(*erasure.PERSONAL)
        met = set(known).union(*(file.ids for file in files))
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
        sum(counts.values()),
        counts,
        [one for one in ids if one not in met],
        [] if request.related else chosen.related,
        [name for name in running if name not in ended],
        [str(folder) for folder in found.unclear],
        remains,
    )
