"""A run is recorded from its beginning: one that is killed while it reads leaves a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from dlt_bunce.errors import BunceError
from dlt_bunce.load.periodic import periodic
from dlt_bunce.load.progress import TELL_EVERY_S
from dlt_bunce.store.runs import attempts

if TYPE_CHECKING:
    from dlt_bunce.destination.client import BunceClient


@contextmanager
def recorded_from_start(
    client: BunceClient, pipeline_name: str, started_at: str
) -> Iterator[Callable[[], None]]:
    """Record that a run has begun (as of `utc_now`), and each minute that it is alive, until its
    first load file is loaded.

    It is recorded at once if there is a store, as Bunce may take long to answer; else when the
    yielded function is called, which is after the key is checked, and after left-over rows are
    loaded, whose run takes the place of the record. An exception leaves the record for whoever
    writes down why the run failed. A dry run writes nothing.
    """
    if client.config.dry_run:
        yield lambda: None
        return
    account, run_id = client.config.account, ""

    def begin() -> None:
        nonlocal run_id
        with client.database() as db:
            run_id = attempts.begin(
                db, account, pipeline_name, started_at=started_at, source=client.context.source
            )

    def mark_seen() -> None:
        nonlocal run_id
        # without the store, the run itself fails and says why
        with suppress(BunceError):
            if run_id:
                with client.database() as db:
                    if not attempts.mark_seen(db, run_id, pipeline_name):
                        run_id = ""

    if client.database().exists():
        begin()
    with periodic(TELL_EVERY_S, mark_seen, name="bunce-attempt"):
        yield begin
    with client.database() as db:
        attempts.give_way(db, account, pipeline_name)
