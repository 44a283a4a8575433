"""dlt working folders on this machine that contain rows of an account's customers."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt_bunce.destination.folder.data_at_rest import GIVEN_UP, given_up_folder, mappings_of
from dlt_bunce.destination.folder.folder_owner import belongs_to
from dlt_bunce.destination.mapping.adapter import mapping_hint
from dlt_bunce.erasure.files import RowsFile
from dlt_bunce.erasure.person import Persons
from dlt_bunce.errors import UsageError
from dlt_bunce.records.mapping.schema import ColumnNames
from dlt_bunce.store.database import Database
from dlt_bunce.store.runs import run_chunks

if TYPE_CHECKING:
    from dlt_bunce.erasure.erase import Request

_OURS = "dlt_bunce.destination.factory.bunce"
# folders of a pending package whose files will still be loaded
_TO_LOAD = ("new_jobs", "started_jobs")
_PENDING = "load/normalized"
_NOT_PENDING = ("normalize/extracted", "load/new", "load/loaded")


@dataclass(frozen=True)
class Found:
    """Folders of the account, and folders that may or may not belong to it."""

    folders: list[Path]
    unclear: list[Path]


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Raise UsageError if this user may not read a path, or one within it: it may hold rows."""
    try:
        yield
    except PermissionError as error:
        raise UsageError(
            f"{error.filename or path} may hold rows of these customers, and this user may not "
            "read it. Nothing was erased.",
            remedy="Run this command as the user who runs the loads, or as root.",
        ) from None


def belonging(request: Request, pipelines: set[str]) -> Found:
    """Return the account's working folders: by the note a run left in the folder, else by name.

    Raises UsageError for a folder that cannot be searched.
    """
    from dlt.common.pipeline import get_dlt_pipelines_dir

    found = Found([], [])
    given = (Path(get_dlt_pipelines_dir()), *request.pipelines_dirs)
    parents = dict.fromkeys(path.absolute() for path in given)
    for parent in parents:
        with _reading(parent):
            _classify(parent, found, request, pipelines)
    # temporary folders of single runs, left behind by a kill
    temporary = Path(tempfile.gettempdir()).absolute().glob("dlt-bunce-*")
    for parent in sorted({*temporary} - {*parents}):
        try:
            _classify(parent, found, request, pipelines)
        except PermissionError:  # noqa: PERF203, each may be another user's
            found.unclear.append(parent)
    return found


def _classify(parent: Path, found: Found, request: Request, pipelines: set[str]) -> None:
    """Add the working folders in a folder to what was found."""
    for folder in _working_folders(parent):
        noted = belongs_to(folder, request.store_url, request.account)
        if noted or (noted is None and folder.name in pipelines):
            found.folders.append(folder)
        elif noted is None and next(_files(folder), None) is not None:
            found.unclear.append(folder)


def rows_of(
    db: Database, persons: Persons, folders: list[Path], request: Request
) -> list[RowsFile]:
    """Return the files that contain rows of the customers.

    Raises UsageError, with the remedy, for a file that cannot be read or cleaned.
    """
    found: list[RowsFile] = []
    for folder in folders:
        with _reading(folder):
            files = list(_files(folder))
        for package, path in files:
            guesses = (request.mapping, request.configured)
            with _reading(path):
                file = RowsFile.of(path, persons, _hints(package, path), guesses)
            if file is None:
                continue
            to_load = package.parent == folder / "load" / "normalized"
            if to_load and path.parent.name in _TO_LOAD and run_chunks.is_begun(db, package.name):
                raise UsageError(
                    f"Package {package.name} of pipeline {folder.name!r} contains rows of these "
                    "customers and is partly loaded; removing them now would make its row counts "
                    "wrong. Nothing was erased.",
                    remedy="Run the pipeline again to finish loading the package, then rerun this "
                    "command.",
                )
            found.append(file)
    return found


def remove_parts(folders: list[Path]) -> None:
    """Remove files that a killed process was writing, which may contain rows of anybody: the files
    they were to replace are complete.
    """
    for folder in folders:
        given_up = given_up_folder(folder).glob(".*")
        packages = (
            part for each in (_PENDING, *_NOT_PENDING) for part in folder.glob(f"{each}/*/.*")
        )
        for part in (*given_up, *packages):
            if part.is_file():
                part.unlink()


def _working_folders(parent: Path) -> list[Path]:
    folders = _within(parent)
    # pipeline.drop() does not delete packages that were given up
    kept = [folder.with_suffix("") for folder in folders if folder.suffix == GIVEN_UP]
    return list(dict.fromkeys([*filter(_is_ours, folders), *kept]))


def _is_ours(folder: Path) -> bool:
    try:
        state: dict[str, Any] = json.loads((folder / "state.json").read_text("utf-8"))
    except PermissionError:
        raise
    except (OSError, ValueError):
        return False
    return state.get("destination_type") == _OURS


def _within(folder: Path) -> list[Path]:
    """Return what a folder contains, if there is one. Unlike `glob`, this raises PermissionError
    for a folder that may not be read.
    """
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _files(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Yield package and path of every row file in a working folder, including those given up."""
    for packages in (_PENDING, *_NOT_PENDING):
        for package in _within(folder / packages):
            for jobs in _within(package):
                for path in _within(jobs) if jobs.name.endswith("_jobs") else ():
                    if not path.name.startswith("_dlt_") and path.suffix != ".exception":
                        yield package, path
    for package in _within(given_up_folder(folder)):
        for path in _within(package):
            yield package, path


def _hints(package: Path, path: Path) -> dict[str, ColumnNames]:
    """Return the mapping hints that the package stores for the file's table."""
    name = path.name.split(".")[0]
    table: Mapping[str, Any] = {}
    for schema in (package / "schema.json", mappings_of(package)):
        try:
            table = json.loads(schema.read_text("utf-8"))["tables"].get(name, {})
            break
        except (OSError, ValueError, KeyError):
            continue
    return mapping_hint(table)
