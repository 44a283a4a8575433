"""What a load looks at in its versions before it lets them decide who is newer."""

from __future__ import annotations

import time

from dlt_bunce.records.mapping.mapping import FieldMapping
from dlt_bunce.records.prepare import Prepared
from dlt_bunce.records.versions.version_scale import (
    count_ahead,
    middle,
    other_scale,
    other_scale_than_known,
)
from dlt_bunce.store import version_medians
from dlt_bunce.store.database import Database
from dlt_bunce.store.load_file import LoadFile


def check_versions(
    db: Database, load_file: LoadFile, mapping: FieldMapping, prepared: Prepared
) -> None:
    """Raise MappingError when the first rows' versions are in another unit than the last run's, or
    than the ledger's of the same customers; else keep their median for the next run, unless the
    store is only read.
    """
    if mapping.version is None:
        return
    accepted = prepared.accepted
    median = middle(accepted.column("version"))
    fault = other_scale(version_medians.of_last_run(db, load_file), median, mapping.version)
    if fault is None and median is not None:
        pairs = version_medians.known_versions(db, load_file.account, accepted)
        fault = other_scale_than_known(pairs["known"], pairs["now"], mapping.version)
    if fault is not None:
        raise fault
    if median is not None and not db.read_only:
        version_medians.note(db, load_file, median)


def warnings_of(prepared: Prepared) -> dict[str, int]:
    """Count what is odd about rows, by code."""
    ahead = count_ahead(prepared.accepted.column("version"), time.time())
    return {**prepared.warnings, "version_in_future": ahead}
