"""A load before its run begins: recorded like any other run, also if it fails or is killed."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import click

from dlt_bunce.errors import BunceError, ThresholdError

if TYPE_CHECKING:
    from dlt_bunce.cli.source_args import Origin

_FAILED = (Exception, KeyboardInterrupt)
_NOT_FAILED = (click.ClickException, click.exceptions.Exit, click.Abort, ThresholdError)


@contextlib.contextmanager
def recorded_if_known(
    origin: Origin, shard: str | None, store_url: str | None, account: str | None
) -> Iterator[str]:
    """Record that the command has begun, and why the block failed, if the same command has loaded
    before; yield when it began (as of `utc_now`).

    A file that is missing for the first time is a mistake; one that was there yesterday is not. So
    is a key. An error that comes once the run has begun is recorded by the run itself.
    """
    from dlt_bunce.store.database import utc_now

    command = _Command(origin, shard, store_url, account, utc_now())
    if click.get_current_context().params["dry_run"]:
        yield command.started_at  # a dry run writes nothing
        return
    # the run itself says why the store cannot be used
    with contextlib.suppress(BunceError):
        command.begin()
    try:
        yield command.started_at
    except _FAILED as error:
        if not isinstance(error, _NOT_FAILED):
            with contextlib.suppress(BunceError):
                command.record(error)
        raise
    finally:
        # by now it is a run, has failed, or was a dry run after all
        with contextlib.suppress(BunceError):
            command.withdraw()


@dataclass
class _Command:
    """A command that loads, with its options."""

    origin: Origin
    shard: str | None
    store_url: str | None
    account: str | None
    started_at: str
    attempt: str | None = None

    @cached_property
    def store(self) -> tuple[str, str]:
        from dlt_bunce.destination.settings.config_file import store_settings

        return store_settings(self.store_url, self.account, checked=False)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        from dlt_bunce.sources import Shard

        # a file with other columns has a pipeline of its own
        origin = self.origin
        name = re.escape(origin.name or "") or f"{origin.family(*self.store)}(_[0-9a-f]+)?"
        return re.compile(Shard.parse(self.shard).pipeline_name(name) if self.shard else name)

    @property
    def source(self) -> str:
        """What people call the source."""
        return f"{self.origin.label} {self.shard}" if self.shard else self.origin.label

    def begin(self) -> None:
        """Record that it has begun, if it has loaded before."""
        from dlt_bunce.destination.settings.config_file import is_dry_run_configured
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.runs.failures import begin_if_known

        url, account = self.store
        database = Database(url)
        if is_dry_run_configured(self.origin.name) or not database.exists():
            return
        with database as db:
            self.attempt = begin_if_known(
                db, account, self._is_its, started_at=self.started_at, source=self.source
            )

    def withdraw(self) -> None:
        """Remove what `begin` has recorded, unless it has become a run or has failed."""
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.runs import attempts

        if self.attempt is not None:
            with Database(self.store[0]) as db:
                attempts.withdraw(db, self.store[1], self.attempt)

    def record(self, error: BaseException) -> None:
        """Record why it failed, if it has loaded before."""
        from dlt_bunce.destination.runs.failed_runs import record_unconfigured

        record_unconfigured(
            error,
            self._is_its,
            started_at=self.started_at,
            source=self.source,
            store_url=self.store[0],
            account=self.store[1],
        )

    def _is_its(self, pipeline_name: str) -> bool:
        return self._pattern.fullmatch(pipeline_name) is not None
