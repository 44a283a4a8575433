"""Copies of the source that dlt would leave in its working folder: shut to others, and removed.

The files of a package that is loaded hold every column of every row, also those that nobody sent.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from dlt.common.configuration.exceptions import ConfigurationException

from dlt_bunce.destinations import client_of
from dlt_bunce.errors import BunceError

if TYPE_CHECKING:
    from dlt import Pipeline


def shut(pipeline: Pipeline) -> None:
    """Let nobody but this user look into the working folder."""
    folder = Path(pipeline.working_dir)
    if folder.is_dir():
        folder.chmod(0o700)


def remove_completed_jobs(pipeline: Pipeline) -> None:
    """Remove the files of packages that are loaded, unless `keep_completed_jobs` is set; files of
    failed jobs stay.
    """
    try:
        keep = client_of(pipeline).config.keep_completed_jobs
    except (BunceError, ConfigurationException):
        return  # without settings nothing was loaded either; the run itself tells why
    if keep:
        return
    for package in Path(pipeline.working_dir).glob("load/loaded/*"):
        if (package / "package_completed.json").exists():
            shutil.rmtree(package / "completed_jobs", ignore_errors=True)
            (package / "completed_jobs").mkdir(exist_ok=True)
