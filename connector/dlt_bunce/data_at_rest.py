"""Copies of the source that dlt would leave in its working folder: shut to others, and removed.

The files of a package that is loaded hold every column of every row, also those that nobody sent.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlt import Pipeline

    from dlt_bunce.configuration import BunceConfiguration


def given_up_folder(working_dir: Path) -> Path:
    """Where rows of packages that were given up are kept, beside the working folder."""
    return working_dir.with_name(f"{working_dir.name}.given_up")


def shut(pipeline: Pipeline) -> None:
    """Let nobody but this user look into the working folder."""
    folder = Path(pipeline.working_dir)
    if folder.is_dir():
        folder.chmod(0o700)


def remove_old_rows(pipeline: Pipeline, config: BunceConfiguration) -> None:
    """Remove rows of packages that were given up longer than `retention_days` ago."""
    if config.retention_days is None:
        return
    since = time.time() - config.retention_days * 86_400
    for package in given_up_folder(Path(pipeline.working_dir)).glob("*"):
        if package.stat().st_mtime < since:
            shutil.rmtree(package)


def remove_completed_jobs(pipeline: Pipeline, config: BunceConfiguration) -> None:
    """Remove the files of packages that are loaded, unless `keep_completed_jobs` is set; files of
    failed jobs stay.
    """
    if config.keep_completed_jobs:
        return
    for package in Path(pipeline.working_dir).glob("load/loaded/*"):
        if (package / "package_completed.json").exists():
            shutil.rmtree(package / "completed_jobs", ignore_errors=True)
            (package / "completed_jobs").mkdir(exist_ok=True)
