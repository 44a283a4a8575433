"""The attributes and segments that replayed rows feed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dlt_bunce.destination.client import BunceClient
from dlt_bunce.destination.targets import targets_in_bunce
from dlt_bunce.destination.wanted_targets import ALL, Wanted, decoded_attributes, unmapped
from dlt_bunce.records.targets import Targets


def targets_of(
    client: BunceClient,
    table_name: str,
    columns: Sequence[str],
    mapped: Collection[str],
    record: Mapping[str, Any],
) -> Targets | None:
    """Return what rows feed: as configured now, or else as the run that rejected them had it.

    `record` is that of the run, `columns` are those of the rows, and `mapped` those of the
    customer's own fields. Raises MappingError for what Bunce does not have.
    """
    config = client.config
    segments = config.segments or record.get("segments", {})
    attributes = decoded_attributes(config.attributes)
    if attributes == ALL:
        attributes = record.get("attributes") or unmapped(columns, mapped, segments)
    wanted = Wanted(attributes or record.get("attributes", {}), segments)
    if not wanted:
        return None
    # the types of a row's columns are no longer known, so nothing is created
    return targets_in_bunce(client, {"name": table_name, "columns": {}}, wanted, may_create=False)
