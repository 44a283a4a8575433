"""Copies of the source that dlt would leave in its working folder: shut to others, and removed.

The files of a package that is loaded hold every column of every row, also those that nobody sent.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlt import Pipeline

    from dlt_bunce.destination.configuration import BunceConfiguration


GIVEN_UP = ".given_up"
"""How the folder ends, beside the working folder, that keeps the rows of packages given up."""


def given_up_folder(working_dir: Path) -> Path:
    """Where the rows of packages are kept that were given up."""
    return working_dir.with_name(working_dir.name + GIVEN_UP)


def mappings_of(package: Path) -> Path:
    """Beside the rows of a package that was given up: the hints of its tables, as JSON."""
    return package.with_name(f"{package.name}.json")


def note_store(pipeline: Pipeline, config: BunceConfiguration) -> None:
    """Write beside the working folder whose customers are in it."""
    note = _note_of(Path(pipeline.working_dir))
    text = json.dumps({"store": _absolute(config.store_url), "account": config.account})
    if not note.exists() or note.read_text("utf-8") != text:
        note.touch(mode=0o600)
        note.write_text(text, "utf-8")


def belongs_to(working_dir: Path, store_url: str, account: str) -> bool | None:
    """Whether a working folder holds customers of an account; None where it says nothing, or
    names another store: the store may have moved.
    """
    try:
        noted = json.loads(_note_of(working_dir).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if noted["account"] != account:
        return False
    return True if noted["store"] == _absolute(store_url) else None


def _note_of(working_dir: Path) -> Path:
    return working_dir.with_name(f".{working_dir.name}.store")


def _absolute(store_url: str) -> str:
    """A relative file, named so that it is the same from every folder."""
    prefix = "sqlite:///"
    if not store_url.startswith(prefix):
        return store_url
    return prefix + str(Path(store_url.removeprefix(prefix)).absolute())


def shut(pipeline: Pipeline) -> None:
    """Let nobody but this user look into the working folder."""
    folder = Path(pipeline.working_dir)
    if folder.is_dir():
        folder.chmod(0o700)


def remove_old_rows(pipeline: Pipeline, config: BunceConfiguration) -> None:
    """Remove what is older than `retention_days`: rows of packages that were given up, and packages
    that are loaded, with the files of their failed jobs.
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
    """Remove the files of packages that are loaded, unless `keep_completed_jobs` is set; files of
    failed jobs stay.
    """
    if config.keep_completed_jobs:
        return
    for package in Path(pipeline.working_dir).glob("load/loaded/*"):
        if (package / "package_completed.json").exists():
            shutil.rmtree(package / "completed_jobs", ignore_errors=True)
            (package / "completed_jobs").mkdir(exist_ok=True)
