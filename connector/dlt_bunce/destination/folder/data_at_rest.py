"""Copies of the source that dlt leaves in its working folder: made private, and deleted.

The files of a loaded package hold every column of every row, including those that were not sent.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlt import Pipeline

    from dlt_bunce.destination.settings.configuration import BunceConfiguration


GIVEN_UP = ".given_up"
"""Suffix of the folder next to the working folder that keeps the rows of dropped packages."""


def given_up_folder(working_dir: Path) -> Path:
    """Return the folder that keeps the rows of dropped packages."""
    return working_dir.with_name(working_dir.name + GIVEN_UP)


def mappings_of(package: Path) -> Path:
    """Return the path of the JSON file with the table hints of a dropped package."""
    return package.with_name(f"{package.name}.json")


def make_private(pipeline: Pipeline) -> None:
    """Restrict the working folder to the current user."""
    folder = Path(pipeline.working_dir)
    if folder.is_dir():
        folder.chmod(0o700)


def remove_old_rows(pipeline: Pipeline, config: BunceConfiguration) -> None:
    """Delete the rows of dropped packages, and loaded packages with the files of their failed jobs,
    once they are older than `retention_days`.
    """
    if config.retention_days is None:
        return
    since = time.time() - config.retention_days * 86_400
    working = Path(pipeline.working_dir)
    for package in [*given_up_folder(working).glob("*/"), *working.glob("load/loaded/*/")]:
        if package.stat().st_mtime < since:
            shutil.rmtree(package)
            mappings_of(package).unlink(missing_ok=True)


def remove_completed_jobs(pipeline: Pipeline, config: BunceConfiguration) -> None:
    """Delete the files of loaded packages, unless `keep_completed_jobs` is set; files of failed
    jobs stay.
    """
    if config.keep_completed_jobs:
        return
    for jobs in Path(pipeline.working_dir).glob("load/loaded/*/completed_jobs"):
        # a year of hourly runs leaves thousands of packages, emptied by the runs before
        is_empty = next(jobs.iterdir(), None) is None
        if not is_empty and (jobs.parent / "package_completed.json").exists():
            shutil.rmtree(jobs, ignore_errors=True)
            jobs.mkdir(exist_ok=True)
