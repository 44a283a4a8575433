"""The calls that change who is a member of a segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlt_bunce.emulator import replies
from dlt_bunce.emulator.attributes import Error, create_unknown, not_taken, refusal
from dlt_bunce.emulator.replies import Reply

if TYPE_CHECKING:
    from dlt_bunce.emulator.behavior import Behavior
    from dlt_bunce.emulator.workspace import Workspace


def change(
    workspace: Workspace, behavior: Behavior, segment_id: str, payload: Any, *, joins: bool
) -> Reply:
    """Add customers to a segment, creating those who do not exist, or remove some."""
    found = [item for item in workspace.attributes.segments if item["id"] == segment_id]
    rows: Any = payload.get("customers") if isinstance(payload, dict) else None
    if not found:
        return replies.failure(behavior, 404, "Segment not found")
    if found[0]["type"] != "manual":
        return replies.failure(behavior, 422, "An automatic segment cannot be changed")
    if (failed := not_taken(workspace, behavior, rows, "customers")) is not None:
        return failed
    ids = [str(row.get("customer_id") if joins else row) for row in rows]
    errors, left_out = _judged(workspace, behavior, ids)
    if not errors or behavior.value_failure == "partial":
        good = [member for place, member in enumerate(ids) if place not in left_out]
        if joins:
            create_unknown(workspace, good)
            workspace.attributes.join(segment_id, good)
        else:
            workspace.attributes.leave(segment_id, good)
    if errors:
        path = "customers.{}.customer_id" if joins else "customers.{}"
        return refusal(behavior, errors, len(rows), "members", path)
    echo = {"absent": None, "members": rows, "empty": []}[behavior.member_echo]
    return replies.success(behavior, "Segment updated", echo)


def _judged(
    workspace: Workspace, behavior: Behavior, ids: list[str]
) -> tuple[list[Error], set[int]]:
    """Return what is wrong with members, and the places of those who change nothing."""
    errors, left_out = [], set()
    for place, member in enumerate(ids):
        if behavior.refused_member and member == behavior.refused_member:
            errors.append(Error(place, f"Customer {member} is locked", "A customer is locked"))
        elif behavior.unknown_member != "created" and member not in workspace:
            left_out.add(place)
            if behavior.unknown_member == "refused":
                text = f"Customer {member} was not found"
                errors.append(Error(place, text, "A customer was not found"))
    return errors, left_out | {error.place for error in errors}
