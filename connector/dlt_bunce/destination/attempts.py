"""A run is recorded from its beginning: one that is killed while it reads leaves a trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from dlt_bunce.errors import StoreError
from dlt_bunce.load.periodic import periodic
from dlt_bunce.load.progress import TELL_EVERY_S
from dlt_bunce.store import attempts

if TYPE_CHECKING:
    from dlt_bunce.destination.client import BunceClient


@contextmanager
def recorded_from_start(client: BunceClient, pipeline_name: str, started_at: str) -> Iterator[None]:
    """Record that a run has begun (as of `utc_now`), and each minute that it is alive, until its
    first load file is loaded.

    An exception leaves the record for whoever writes down why the run failed. A dry run writes
    nothing.
    """
    if client.config.dry_run:
        yield
        return
    account, is_reading = client.config.account, True
    with client.database() as db:
        run_id = attempts.begin(
            db, account, pipeline_name, started_at=started_at, source=client.context.source
        )

    def mark_seen() -> None:
        nonlocal is_reading
        # without the store, the run itself fails and says why
        with suppress(StoreError):
            if is_reading:
                with client.database() as db:
                    is_reading = attempts.mark_seen(db, run_id, pipeline_name)

    with periodic(TELL_EVERY_S, mark_seen, name="bunce-attempt"):
        yield
    with client.database() as db:
        attempts.give_way(db, account, pipeline_name)
