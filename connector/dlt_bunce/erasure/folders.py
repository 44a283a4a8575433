"""Working folders of dlt on this machine that hold rows of an account's customers."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt_bunce.destination.adapter import mapping_hint
from dlt_bunce.destination.data_at_rest import GIVEN_UP, belongs_to, given_up_folder, mappings_of
from dlt_bunce.erasure.files import RowsFile
from dlt_bunce.erasure.person import Persons
from dlt_bunce.errors import UsageError
from dlt_bunce.store import runs
from dlt_bunce.store.database import Database

if TYPE_CHECKING:
    from dlt_bunce.erasure.erase import Request

_OURS = "dlt_bunce.destination.factory.bunce"
# of a package that is to be loaded, these files will be read again
_TO_LOAD = ("new_jobs", "started_jobs")
_PENDING = "load/normalized/*"
_OTHERS = ("normalize/extracted/*", "load/new/*", "load/loaded/*")


@dataclass(frozen=True)
class Found:
    """Folders of the account, and such as nothing tells whether they are."""

    folders: list[Path]
    unclear: list[Path]


def belonging(request: Request, pipelines: set[str]) -> Found:
    """The working folders of the account: by the note that a run has left in it, else by name."""
    found = Found([], [])
    for folder in _all_folders(request):
        noted = belongs_to(folder, request.store_url, request.account)
        if noted or (noted is None and folder.name in pipelines):
            found.folders.append(folder)
        elif noted is None and next(_files(folder), None) is not None:
            found.unclear.append(folder)
    return found


def rows_of(
    db: Database, persons: Persons, folders: list[Path], request: Request
) -> list[RowsFile]:
    """The files that hold rows of the persons.

    Raises UsageError for one that cannot be cleaned, with the remedy.
    """
    found: list[RowsFile] = []
    for folder in folders:
        for package, path in _files(folder):
            guesses = (request.mapping, request.configured)
            file = RowsFile.of(path, persons, _hints(package, path), guesses)
            if file is None:
                continue
            to_load = package.parent == folder / "load" / "normalized"
            if to_load and path.parent.name in _TO_LOAD and runs.is_begun(db, package.name):
                raise UsageError(
                    f"Package {package.name} of pipeline {folder.name!r} holds such rows, and a "
                    "part of it is loaded already: without them its other rows would be counted "
                    "wrongly. Nothing was erased.",
                    remedy="Run the pipeline again, so that it is loaded to its end, and then the "
                    "same command.",
                )
            found.append(file)
    return found


def _all_folders(request: Request) -> Iterator[Path]:
    from dlt.common.pipeline import get_dlt_pipelines_dir

    own = Path(get_dlt_pipelines_dir())
    # folders of one run each, of which a kill has left some
    left = sorted(Path(tempfile.gettempdir()).glob("dlt-bunce-*"))
    for parent in dict.fromkeys(one.absolute() for one in (own, *request.pipelines_dirs, *left)):
        folders = sorted(parent.glob("*")) if parent.is_dir() else []
        # pipeline.drop() leaves what was given up
        kept = [folder for folder in folders if folder.suffix == GIVEN_UP]
        yield from dict.fromkeys(
            [
                *(folder for folder in folders if _is_ours(folder)),
                *(folder.with_suffix("") for folder in kept),
            ]
        )


def _is_ours(folder: Path) -> bool:
    try:
        state: dict[str, Any] = json.loads((folder / "state.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return state.get("destination_type") == _OURS


def _files(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Package and file of all rows of a source in a working folder, and of those given up."""
    for pattern in (_PENDING, *_OTHERS):
        for package in sorted(folder.glob(pattern)):
            for path in sorted(package.glob("*_jobs/*")):
                if not path.name.startswith("_dlt_") and path.suffix != ".exception":
                    yield package, path
    for package in sorted(given_up_folder(folder).glob("*/")):
        for path in sorted(package.glob("*")):
            yield package, path


def _hints(package: Path, path: Path) -> dict[str, str]:
    """What the package itself says of the table's columns."""
    table = path.name.split(".")[0]
    said: Mapping[str, Any] = {}
    for told in (package / "schema.json", mappings_of(package)):
        try:
            said = json.loads(told.read_text("utf-8"))["tables"].get(table, {})
            break
        except (OSError, ValueError, KeyError):
            continue
    return mapping_hint(said)
