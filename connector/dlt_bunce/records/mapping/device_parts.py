"""Mapping of the columns of one device in each row."""

from __future__ import annotations

from collections.abc import Sequence

from dlt_bunce.errors import MappingError
from dlt_bunce.records.mapping.instructions import instructions
from dlt_bunce.records.mapping.matching import match
from dlt_bunce.records.mapping.schema import PARTS


def map_device_parts(
    chosen: dict[str, tuple[str, ...]], how: dict[str, str], columns: Sequence[str]
) -> None:
    """Map device_type and device_token if both exist, unless a column is mapped to `devices`."""
    given = [part for part in PARTS if part in chosen]
    if given and "devices" in chosen:
        if how["devices"] in {"hint", "config"}:
            raise MappingError(
                f"Both devices and {given[0]} are mapped; only one of them can be.",
                columns=columns,
                remedy=instructions({"devices": chosen["devices"][0]}),
            )
        del chosen["devices"], how["devices"]
    if "devices" in chosen:
        return
    found = {part: match(part, columns) for part in PARTS if part not in chosen}
    matches = {part: matched for part, matched in found.items() if matched is not None}
    if len(given) + len(matches) == len(PARTS):
        for part, matched in matches.items():
            chosen[part], how[part] = matched
    elif given:
        [missing] = [part for part in PARTS if part not in given]
        raise MappingError(
            f"{given[0]} is mapped but {missing} is not; a device needs both.",
            columns=columns,
            remedy=f"Map {missing} to one of these columns, or neither.",
        )
