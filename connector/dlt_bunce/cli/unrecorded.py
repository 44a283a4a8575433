"""A load that fails before its run begins: recorded like any other run that fails."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from dlt_bunce.errors import BunceError, ThresholdError

if TYPE_CHECKING:
    from dlt_bunce.cli.source_args import Origin

_NOT_FAILED = (click.ClickException, click.exceptions.Exit, click.Abort, ThresholdError)


@contextlib.contextmanager
def recorded_if_known(
    origin: Origin, shard: str | None, store_url: str | None, account: str | None
) -> Iterator[None]:
    """Record why the block failed if the same command has loaded before.

    A file that is missing for the first time is a mistake; one that was there yesterday is not. So
    is a key. An error that comes once the run has begun is recorded by the run itself.
    """
    from dlt_bunce.store.database import utc_now

    started_at = utc_now()
    try:
        yield
    except _NOT_FAILED:
        raise
    except Exception as error:
        if click.get_current_context().params["dry_run"]:
            raise  # a dry run writes nothing
        with contextlib.suppress(BunceError):
            _record(error, origin, shard, store_url, account, started_at)
        raise


def _record(
    error: Exception,
    origin: Origin,
    shard: str | None,
    store_url: str | None,
    account: str | None,
    started_at: str,
) -> None:
    from dlt_bunce.destination.config_file import store_settings
    from dlt_bunce.destination.failed_runs import record_unconfigured
    from dlt_bunce.sources import Shard

    store = store_settings(store_url, account, checked=False)
    # a file with other columns has a pipeline of its own
    name = re.escape(origin.name or "") or f"{origin.family(*store)}(_[0-9a-f]+)?"
    pattern = re.compile(Shard.parse(shard).pipeline_name(name) if shard else name)
    record_unconfigured(
        error,
        lambda known: bool(pattern.fullmatch(known)),
        started_at=started_at,
        source=f"{origin.label} {shard}" if shard else origin.label,
        store_url=store[0],
        account=store[1],
    )
