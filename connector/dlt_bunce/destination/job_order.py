"""In which order the files of a load are delivered: customers first, then values of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dlt.common.runtime import signals
from dlt.common.storages.load_package import PackageStorage, ParsedLoadJobFileName

from dlt_bunce.logs import logger

if TYPE_CHECKING:
    from dlt.common.destination.typing import PreparedTableSchema

    from dlt_bunce.destination.client import BunceClient

_UNFINISHED = (PackageStorage.NEW_JOBS_FOLDER, PackageStorage.STARTED_JOBS_FOLDER)
_POLL_S = 0.05
_MAX_IDLE_S = 5.0
"""So long no file of customers is being loaded, and then values no longer wait for them: all of
dlt's workers may be waiting for the customers that none of them can load.
"""


def wait_for_customers(client: BunceClient, file_path: str, load_id: str) -> None:
    """Wait until dlt has loaded all files of customers in the package of a file of values.

    Raises what has stopped the load meanwhile.
    """
    package, context = Path(file_path).parent.parent, client.context
    waiting, idle_since = threading.Event(), time.monotonic()
    while jobs := [job for job in _unfinished(package) if _brings_customers(client, job)]:
        for key in (load_id, *(job.file_id for job in jobs)):
            if key in context.stopped:
                raise context.stopped[key]
        if signals.was_signal_received():
            return  # the load ends by itself
        if context.loading_customers[load_id]:
            idle_since = time.monotonic()
        elif time.monotonic() - idle_since > _MAX_IDLE_S:
            logger().warning("values.before_customers", run=load_id)
            return
        waiting.wait(_POLL_S)


def _unfinished(package: Path) -> Iterator[ParsedLoadJobFileName]:
    """Yield a package's files that are not loaded yet."""
    for folder in _UNFINISHED:
        for path in (package / folder).glob("*"):
            yield ParsedLoadJobFileName.parse(path.name)


def _brings_customers(client: BunceClient, job: ParsedLoadJobFileName) -> bool:
    table = cast("PreparedTableSchema | None", client.schema.tables.get(job.table_name))
    return (
        table is not None
        and not job.table_name.startswith("_dlt_")
        and not client.hint(table).get("values_only")
    )
