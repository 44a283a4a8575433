"""Files that a load has finished, and of which the store knows nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dlt.common.storages.load_package import PackageStorage, ParsedLoadJobFileName

from dlt_bunce.destination.folder.load_files import load_file
from dlt_bunce.errors import StoreError
from dlt_bunce.store.accounts import option_of
from dlt_bunce.store.runs import run_chunks

if TYPE_CHECKING:
    from dlt_bunce.destination.client import BunceClient
    from dlt_bunce.store.database import Database


def refuse_unrecorded(client: BunceClient, db: Database, load_id: str) -> None:
    """Raise StoreError if files of customers are loaded without a record of what became of their
    rows: the store that had it was lost before the load ended.
    """
    working_dir = client.working_dir
    recorded = run_chunks.recorded_jobs(db, load_id)
    lost = [
        path.name
        for path in _completed_files(working_dir, load_id)
        if ParsedLoadJobFileName.parse(path.name).file_id not in recorded and _has_rows(path)
    ]
    if lost:
        raise StoreError(
            f"The store has no record of load {load_id}, of which {len(lost)} "
            f"{'file is' if len(lost) == 1 else 'files are'} loaded: the store was "
            "removed or replaced since.",
            remedy="Restore it and run again. If it is lost, run dlt-bunce adopt"
            f"{option_of(client.config.account)}, and delete {working_dir} to read from the start.",
        )


def _completed_files(working_dir: Path, load_id: str) -> list[Path]:
    package = working_dir / "load" / "normalized" / load_id
    found = sorted(package.glob(f"{PackageStorage.COMPLETED_JOBS_FOLDER}/*"))
    return [path for path in found if not path.name.startswith("_dlt_")]


def _has_rows(path: Path) -> bool:
    return next(load_file(str(path)).chunks(1), None) is not None
