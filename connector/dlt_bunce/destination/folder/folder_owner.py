"""Whose rows and cursors a working folder holds: those of an account, in one store.

dlt knows a pipeline by its name alone. It would resume from the cursor, and load the pending rows,
of whichever account the folder was used for last.
"""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt_bunce.destination.folder.pending_packages import has_pending
from dlt_bunce.errors import ConfigurationError
from dlt_bunce.store.accounts import has_adopted, has_completed_run, option_of
from dlt_bunce.store.backends.sqlite_url import SCHEME, file_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dlt_bunce.destination.client import BunceClient
    from dlt_bunce.destination.settings.configuration import BunceConfiguration
    from dlt_bunce.store.database import Database


@dataclass(frozen=True)
class FolderOwner:
    """An account at a host, in the store at a URL. `store_id` is None until a store is known to
    exist, and `host` in notes of older versions.
    """

    store: str
    account: str
    host: str | None = None
    store_id: str | None = None

    @classmethod
    def of(cls, config: BunceConfiguration, store_id: str | None = None) -> FolderOwner:
        """Return the owner by the settings."""
        return cls(_absolute(config.store_url), config.account, config.host, store_id)

    def shares_store(self, now: FolderOwner) -> bool:
        """Return whether the store of `now` is the one that was noted: that with its id, wherever
        it was moved. Another one at the same URL is not.
        """
        return self.store == now.store if self.store_id is None else self.store_id == now.store_id

    def is_same(self, now: FolderOwner) -> bool:
        """Return whether `now` is this account in this store."""
        return self.account == now.account and self.shares_store(now)

    def is_same_workspace(self, now: FolderOwner) -> bool:
        """Return whether `now` is this account at its host, maybe in another store."""
        return self.account == now.account and self.host in (None, now.host)

    def beside(self, now: FolderOwner) -> str:
        """Return what tells this owner from `now`, in words."""
        another = "" if self.shares_store(now) else " in another store"
        return f"account {self.account!r}{another}"


def noted_owner(working_dir: Path) -> FolderOwner | None:
    """Return the owner that is recorded next to a working folder, if any."""
    try:
        return FolderOwner(**json.loads(note_of(working_dir).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def noted_store_id(working_dir: Path, config: BunceConfiguration) -> str | None:
    """Return the id of the store at the URL of the settings when the folder was last used for it;
    None if there was none, or another URL.
    """
    owner = noted_owner(working_dir)
    is_there = owner is not None and owner.store == FolderOwner.of(config).store
    return owner.store_id if owner is not None and is_there else None


def note_owner(working_dir: Path, owner: FolderOwner) -> None:
    """Record the owner next to the working folder, which need not exist."""
    if noted_owner(working_dir) == owner:
        return
    note = note_of(working_dir)
    # two processes may write the note of one source
    part = note.with_name(f"{note.name}.{os.getpid()}.part")
    note.parent.mkdir(parents=True, exist_ok=True)
    part.touch(mode=0o600)
    part.write_text(json.dumps(asdict(owner)), "utf-8")
    part.replace(note)


def belongs_to(working_dir: Path, store_url: str, account: str) -> bool | None:
    """Return whether a working folder holds customers of an account.

    Returns None if that is not recorded, or if another store is: the store may have moved.
    """
    owner = noted_owner(working_dir)
    if owner is None:
        return None
    if owner.account != account:
        return False
    return True if owner.store == _absolute(store_url) else None


def has_cursor(state: Mapping[str, Any]) -> bool:
    """Return whether any resource has saved state for its next run."""
    sources = state.get("sources", {})
    return any(any(source.get("resources", {}).values()) for source in sources.values())


def take_folder(client: BunceClient, pipeline: Any) -> None:
    """Record that the pipeline's working folder is used for the client's account from now on.

    Raises ConfigurationError if the folder holds pending rows of another account or store, or a
    cursor that this ledger does not know: all rows before it would be skipped silently. Also raises
    it if the pipeline would begin a store beside its own, and send every customer again.
    """
    if client.config.dry_run:
        return
    folder, database = Path(pipeline.working_dir), client.database()
    before, is_pending = noted_owner(folder), has_pending(pipeline)
    with database if database.exists() else nullcontext() as db:
        # noted at once: the run may fail before it uses the store, and the next one be elsewhere
        now = FolderOwner.of(client.config, None if db is None else db.store_id)
        if is_pending:
            # while rows are pending, the cursor belongs to them
            if before is not None and not before.is_same(now):
                raise _pending_elsewhere(pipeline, before, now)
        elif has_cursor(pipeline.state):
            _refuse_unknown_cursor(db, pipeline, before, now)
        elif db is None and not pipeline.first_run:
            _refuse_second_store(pipeline, before, now)
    note_owner(folder, now)


def _refuse_second_store(pipeline: Any, before: FolderOwner | None, now: FolderOwner) -> None:
    refuse_second_store(
        f"pipeline {pipeline.pipeline_name!r}", before, now, forgotten_with=pipeline.working_dir
    )


def refuse_second_store(
    whose: str, before: FolderOwner | None, now: FolderOwner, *, forgotten_with: str | Path
) -> None:
    """Refuse a store that does not exist yet while the one that was used so far does.

    `whose` store it is, in words. Whoever means it deletes what it is `forgotten_with`.
    """
    if before is None or before.store_id is None or before.store == now.store:
        return
    file = file_of(before.store)
    if not before.is_same_workspace(now) or (file is not None and not file.exists()):
        return
    # the URL of a server may hold what should not be shown
    which, back = (
        ("another database", "to that database")
        if file is None
        else (str(file), f"= {json.dumps(before.store)}")
    )
    raise ConfigurationError(
        f"The store of {whose} is {which}, but the settings now name one that does not exist. In a "
        "new one, no customer is known: all would be sent again.",
        remedy=f"Run in the folder that it ran in before, or set store_url {back}. For a new "
        f"store, run dlt-bunce adopt{option_of(now.account)} first, or delete {forgotten_with}.",
    )


def _refuse_unknown_cursor(
    db: Database | None, pipeline: Any, before: FolderOwner | None, now: FolderOwner
) -> None:
    name, is_own = pipeline.pipeline_name, before is None or before.is_same(now)
    is_known = db is not None and has_completed_run(db, now.account, name)
    if is_known and is_own:
        return
    is_account = before is not None and before.is_same_workspace(now)
    if is_account and db is not None and has_adopted(db, now.account):
        return  # its store was lost
    why = f"the ledger of account {now.account!r} has no completed run of it"
    if is_known and before is not None:
        why = f"its working folder was last used for {before.beside(now)}"
    lost = ""
    if is_account:
        lost = f" If the store was lost, first run: dlt-bunce adopt{option_of(now.account)}"
    elif before is None:
        adopt = f"dlt-bunce adopt{option_of(now.account)}"
        lost = f" If the store was lost, also run {adopt}, so that nothing is sent again."
    raise ConfigurationError(
        f"Pipeline {name!r} would resume from a cursor, but {why}: rows before the cursor would "
        "never be loaded.",
        remedy="For another store or account, use another pipeline name, or delete "
        f"{pipeline.working_dir} to go on from the account's own cursor, or from the start if it "
        f"has none.{lost}",
    )


def _pending_elsewhere(pipeline: Any, before: FolderOwner, now: FolderOwner) -> ConfigurationError:
    delete = (
        f"delete {pipeline.working_dir}: what was not loaded is read again by the next run of its "
        "own account"
    )
    if before.account != now.account:
        remedy = (
            f"Load them first, with account = {before.account!r} and its key and base_url. Or use "
            f"another pipeline name, or {delete}."
        )
    else:
        remedy = (
            "Restore that store, or set its store_url. If it is lost, run dlt-bunce adopt"
            f"{option_of(now.account)}, and delete {pipeline.working_dir} to read from the start."
        )
    return ConfigurationError(
        f"Pipeline {pipeline.pipeline_name!r} has pending rows that were read for "
        f"{before.beside(now)}, not for account {now.account!r} in this store.",
        remedy=remedy,
    )


def note_of(working_dir: Path) -> Path:
    """Return the file next to a working folder that says whose it is."""
    return working_dir.with_name(f".{working_dir.name}.store")


def _absolute(store_url: str) -> str:
    """Return a store URL that means the same file from every folder."""
    file = file_of(store_url)
    return store_url if file is None else f"{SCHEME}{file.absolute()}"
