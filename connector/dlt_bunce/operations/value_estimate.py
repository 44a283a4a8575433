"""What would become of attribute values and segment members, and what a load would stop at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dlt_bunce.load.dry_run import NOT_COMPARED, Preview
from dlt_bunce.records.values.target_matching import fault_of
from dlt_bunce.records.values.targets import Kind
from dlt_bunce.records.values.value_moments import NO_ZONE
from dlt_bunce.reject_codes import VALUE_CODES

_ZONE_REMEDY = (
    'if all are of one zone, name it: timezone = "Africa/Lagos" under [destination.bunce]; else '
    "write them with an offset"
)

WRONG_TARGETS = "wrong_targets"
"""Code of the warning about attributes and segments that stop a load."""


@dataclass(frozen=True)
class Warned:
    """A likely problem, found before the load."""

    code: str
    text: str
    remedy: str


@dataclass(frozen=True)
class CheckedTarget:
    """A column's attribute or segment, and what would become of its values, counted by fate.

    `data_type` is Bunce's type, or the type that the attribute would be created with; `state` is as
    in FoundTarget. `problem` is why the load would stop, if it would. `absent` counts members who
    would be removed because they are absent.
    """

    table: str
    kind: str
    column: str
    name: str
    data_type: str
    state: str
    values: Mapping[str, int]
    problem: str | None = None
    remedy: str | None = None
    absent: int = 0


@dataclass(frozen=True)
class RejectedValueShapes:
    """Values that would be rejected for one cause, and what they look like."""

    table: str
    kind: str
    column: str
    name: str
    code: str
    cause: str
    values: int
    shapes: tuple[str, ...]
    remedy: str


def checked_targets(preview: Preview) -> list[CheckedTarget]:
    """Return the attributes and segments of a preview, with their values by fate."""
    return [
        CheckedTarget(
            table,
            item.kind,
            item.column,
            item.name,
            item.data_type,
            item.state,
            {f: n for f, n in found.fates.get((item.kind, item.column), {}).items() if n},
            item.fault,
            item.remedy,
            preview.absent.get((table, item.column), 0) if item.kind == "segments" else 0,
        )
        for table, found in preview.values.items()
        for item in found.targets.items
    ]


def rejected_values(preview: Preview, *, show_values: bool = False) -> list[RejectedValueShapes]:
    """Return what would be rejected, by target, code, and cause; with shapes, or with values.

    Values that Bunce has rejected before have no examples.
    """
    shown = []
    for table, found in preview.values.items():
        names = {(item.kind, item.column): item.name for item in found.targets.items}
        for rejected in found.rejected():
            examples, known = rejected.examples, VALUE_CODES[rejected.code]
            shown.append(
                RejectedValueShapes(
                    table,
                    rejected.kind,
                    rejected.column,
                    names[rejected.kind, rejected.column],
                    rejected.code,
                    rejected.cause or known.meaning,
                    rejected.values,
                    tuple(examples.values() if show_values else examples),
                    _ZONE_REMEDY if rejected.cause == NO_ZONE else known.remedy,
                )
            )
    return shown


def available(preview: Preview) -> dict[Kind, Sequence[str]]:
    """Return the names of the attributes and segments that Bunce has, by kind, if they matter."""
    return {
        kind: names
        for found in preview.values.values()
        for kind, names in found.targets.available.items()
    }


def value_warnings(preview: Preview) -> Iterator[Warned]:
    """Yield what would stop the load, and what could not be compared with Bunce."""
    tables = [found.targets for found in preview.values.values()]
    for found in tables:
        fault = fault_of(found)
        if fault is not None:
            text = f"The load will fail. {fault.message}"
            yield Warned(WRONG_TARGETS, text, fault.remedy or "")
    reasons = dict.fromkeys(found.not_compared for found in tables if found.not_compared)
    for reason in reasons:
        text = (
            f"Attributes and segments were not compared with Bunce: {reason}. Types are those of "
            "the last load, or follow from the columns."
        )
        yield Warned(NOT_COMPARED, text, "Check again once Bunce can be asked.")
