"""Which store the source of a command was loaded into last, noted beside the working folders.

The pipeline of `dlt-bunce load FILE` has another name in each folder and for each store, so that
none loads the rows that another has left over. What is noted beside its working folder therefore
says nothing of the stores of the same file.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from dlt_bunce.destination.folder.folder_owner import (
    FolderOwner,
    note_of,
    note_owner,
    noted_owner,
    refuse_second_store,
)

if TYPE_CHECKING:
    from pathlib import Path

    from dlt_bunce.destination.client import BunceClient


def note_store(client: BunceClient, store_id: str) -> None:
    """Record that the working folder, and the source of a command, are loaded into this store."""
    owner = FolderOwner.of(client.config, store_id)
    note_owner(client.working_dir, owner)
    if (folder := _stand_in(client)) is not None:
        note_owner(folder, owner)


def refuse_other_store(client: BunceClient) -> None:
    """Raise ConfigurationError if the client's command would begin a store beside that of its
    source, and send every customer again.
    """
    if (folder := _stand_in(client)) is None or client.database().exists():
        return
    before, now = noted_owner(folder), FolderOwner.of(client.config)
    refuse_second_store(
        client.context.source or "the source", before, now, forgotten_with=note_of(folder)
    )


def _stand_in(client: BunceClient) -> Path | None:
    """Return what the source of an account is noted under, as if it were a working folder."""
    source, config = client.context.command_source, client.config
    if source is None or source.is_named:
        return None
    whose = f"{source.key}\x1f{config.account}\x1f{config.host}"
    digest = blake2b(whose.encode(), digest_size=8).hexdigest()
    return client.working_dir.with_name(f"bunce_load_{digest}")
