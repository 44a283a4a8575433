"""The attributes and segments that replayed rows feed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dlt_bunce.destination.client import BunceClient
from dlt_bunce.destination.mapping.targets import targets_to_replay
from dlt_bunce.destination.mapping.wanted_targets import ALL, Wanted, decoded_attributes, unmapped
from dlt_bunce.records.values.recorded_targets import hinted
from dlt_bunce.records.values.targets import Targets


def targets_of(
    client: BunceClient,
    table_name: str,
    columns: Sequence[str],
    mapped: Collection[str],
    record: Mapping[str, Any],
) -> Targets | None:
    """Return what rows feed: as the table's own hint had it, as configured now, or else as the run
    that read them had it.

    `record` is that of the run, `columns` are those of the rows, and `mapped` those of the
    customer's own fields. Raises MappingError for what is configured and Bunce does not have. What
    comes from the record alone is left out then: a value never holds a customer back.
    """
    config, recorded = client.config, hinted(record)
    segments: Mapping[str, str] = config.segments or {}
    if "segments" in recorded or not segments:
        segments, recorded = record.get("segments", {}), [*recorded, "segments"]
    attributes = decoded_attributes(config.attributes)
    earlier = record.get("attributes", {})
    if "attributes" in recorded or not attributes or (attributes == ALL and earlier):
        attributes, recorded = earlier, [*recorded, "attributes"]
    elif attributes == ALL:
        attributes = unmapped(columns, mapped, segments)
    wanted = Wanted(attributes, segments, hinted(record))
    if not wanted:
        return None
    targets = targets_to_replay(client, table_name, wanted, recorded)
    return targets if targets.items else None
