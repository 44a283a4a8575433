"""What the runs of one destination share: its clients, its jobs, and dlt's threads."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dlt_bunce.logs import logger

if TYPE_CHECKING:
    from dlt.pipeline.trace import PipelineTrace

    from dlt_bunce.destination.settings.configuration import BunceConfiguration
    from dlt_bunce.errors import BunceError
    from dlt_bunce.load.chunks import Duplicates
    from dlt_bunce.load.dry_run import DryRun, Preview
    from dlt_bunce.load.progress import Progress
    from dlt_bunce.model import RunSummary, Traffic
    from dlt_bunce.records.mapping.mapping import FieldMapping
    from dlt_bunce.records.values.targets import FoundTargets, Targets

Hints = Mapping[str, Mapping[str, Any]]
"""Mapping hints that a run's resources give, by table."""
Listener = Callable[["Progress"], None]
Report = Callable[[str], None]


def _log(progress: Progress) -> None:
    logger().info("load.progress", **progress.as_event())


@dataclass(frozen=True)
class CommandSource:
    """The source of a command, which is compared between its runs by `key`, whatever the names of
    its pipelines. `is_named`: the key is a name that was given, which is also that of the pipeline;
    `is_unversioned`: it was said to have no version.
    """

    key: str
    is_named: bool = False
    is_unversioned: bool = False


class FailedRun(NamedTuple):
    """The figures of a run that has failed, up to then; `transaction` is that of dlt's last trace
    of the run, if it has one.
    """

    summary: RunSummary
    transaction: str | None = None
    is_dry: bool = False


@dataclass(eq=False)
class RunContext:
    """State of runs, which may go on in several threads and pipelines at once.

    `on_progress` is called whenever rows are read or settled, `on_minute` once a minute, `on_wait`
    with a sentence when a run has to wait for another, `on_hook_failure` with one when `on_run_end`
    fails, and `on_mapped` with the mapping and the columns of each table before it is loaded.
    """

    on_progress: list[Listener] = field(default_factory=list)
    on_minute: list[Listener] = field(default_factory=lambda: [_log])
    on_wait: list[Report] = field(default_factory=list)
    on_hook_failure: list[Report] = field(default_factory=list)
    on_mapped: list[Callable[[FieldMapping, Sequence[str]], None]] = field(default_factory=list)

    source: str | None = None
    """What a command loads, as people call it; recorded with the run."""
    command_source: CommandSource | None = None
    began_at: str | None = None
    """When a command began, as of `utc_now`: its run began then, too."""
    settings: dict[tuple[str, str], BunceConfiguration] = field(default_factory=dict)
    """Settings that runs and their traces began with, by the name of the pipeline and by whoever
    removes them again: dlt takes long to resolve them, and asks several times per run.
    """
    previews: dict[str, Preview] = field(default_factory=dict)
    """What dry runs would have done, by load id."""
    preflights: dict[str, list[Traffic]] = field(default_factory=dict)
    """Requests of preflights, by pipeline, until the first job of the run counts them."""
    checked_at: dict[tuple[str, str, str], float] = field(default_factory=dict)
    """When a preflight passed last, by pipeline, host, and key."""
    stores: dict[str, str] = field(default_factory=dict)
    """Which store a run began with, by its owner."""
    hints_in_force: dict[str, Hints] = field(default_factory=dict)
    """Hints to use instead of a package's own, by owner, while left-over rows are loaded."""
    stopped: dict[str, BunceError] = field(default_factory=dict)
    """What ended a load, by load id, or one of its files, by job id: dlt would try again and again
    in the same run.
    """
    targets: dict[tuple[str, str], Targets | None] = field(default_factory=dict)
    """Attributes and segments of the tables of a run, by pipeline and table."""
    loading_customers: Counter[str] = field(default_factory=Counter)
    """Files of customers that are being loaded now, by load id."""
    finding_targets: threading.Lock = field(default_factory=threading.Lock)
    """Held while they are looked for: two jobs must not create the same attribute."""
    found_targets: dict[tuple[str, str], FoundTargets | None] = field(default_factory=dict)
    """The same of a dry run."""
    reports_faults: bool = False
    """Whether a dry run goes on where attributes or segments would stop the load."""
    failures: list[FailedRun] = field(default_factory=list)
    """Runs that have failed, in that order."""
    _flushing: set[str] = field(default_factory=set)
    _traces: dict[int, list[PipelineTrace]] = field(default_factory=dict)
    _dry_runs: dict[str, DryRun] = field(default_factory=dict)
    _duplicates: dict[tuple[Path, str, str], Duplicates] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    reporting: threading.Lock = field(default_factory=threading.Lock)
    """Held while listeners are called: jobs run in threads, collectors expect one."""

    @contextmanager
    def counted_as_customers(self, load_id: str) -> Iterator[None]:
        """Count a file of customers as being loaded."""
        with self._lock:
            self.loading_customers[load_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self.loading_customers[load_id] -= 1

    @contextmanager
    def with_settings(
        self, pipeline_name: str, owner: str, config: BunceConfiguration
    ) -> Iterator[None]:
        """Use these settings for all traces of a run, which are resolved already."""
        key = (pipeline_name, f"run of {owner}")
        self.settings[key] = config
        try:
            yield
        finally:
            del self.settings[key]

    def settings_of(self, pipeline_name: str | None) -> BunceConfiguration | None:
        """Return the settings of a run of this pipeline that goes on, if there is one."""
        found = list(self.settings.items())
        return next((config for (name, _), config in found if name == pipeline_name), None)

    def report_minute(self, progress: Progress) -> None:
        """Call whoever wants to know once a minute."""
        for listener in self.on_minute:
            listener(progress)

    def dry_run_for(self, load_id: str) -> DryRun:
        """Return the one dry run that all jobs of a load take part in."""
        from dlt_bunce.load.dry_run import DryRun

        with self._lock:
            if load_id not in self._dry_runs:
                self._dry_runs[load_id] = DryRun()
            return self._dry_runs[load_id]

    def end_dry_run(self, load_id: str) -> None:
        """Keep what a dry run has counted in `previews`."""
        self.previews[load_id] = self.dry_run_for(load_id).end()
        with self._lock:
            del self._dry_runs[load_id]

    def duplicates_for(
        self, package: Path, table: str, rules: str, make: Callable[[], Duplicates]
    ) -> Duplicates:
        """Return what all jobs share that load files of a package into one table by one rule."""
        key = (package, table, rules)
        with self._lock:
            if key not in self._duplicates:
                self._duplicates[key] = make()
            return self._duplicates[key]

    def forget_duplicates(self, load_id: str) -> None:
        """Drop what the jobs of a completed load have shared."""
        with self._lock:
            self.loading_customers.pop(load_id, None)
            for key in [key for key in self._duplicates if key[0].name == load_id]:
                del self._duplicates[key]

    @contextmanager
    def mapped_as(self, owner: str, hints: Hints) -> Iterator[None]:
        """Use these hints for what an earlier run left over, before newer rows are read."""
        self.map_as(owner, hints)
        self._flushing.add(owner)
        try:
            yield
        finally:
            self._flushing.discard(owner)
            self.map_as_extracted(owner)

    def map_as(self, owner: str, hints: Hints) -> None:
        """Use these hints until `map_as_extracted` is called."""
        self.hints_in_force[owner] = hints
        # found for other hints
        self.targets.clear()

    def map_as_extracted(self, owner: str) -> None:
        """Use again the hints that packages were extracted with."""
        if self.hints_in_force.pop(owner, None) is not None:
            self.targets.clear()

    def is_flushing(self, owner: str) -> bool:
        """Return whether a run loads what an earlier one left over, and will read newer rows."""
        return owner in self._flushing

    @contextmanager
    def traces(self) -> Iterator[list[PipelineTrace]]:
        """Collect the traces of dlt's runs in the block, which are one run of ours."""
        thread, found = threading.get_ident(), list["PipelineTrace"]()
        self._traces[thread] = found
        try:
            yield found
        finally:
            del self._traces[thread]

    def is_collecting(self) -> bool:
        """Return whether this thread is in such a block, whose caller gets a summary."""
        return threading.get_ident() in self._traces

    def collects(self, trace: PipelineTrace) -> bool:
        """Add a trace to those of this thread's block, if it is in one."""
        found = self._traces.get(threading.get_ident())
        if found is None:
            return False
        found.append(trace)
        return True
