"""Attributes and segments of one emulated workspace, and the calls that write them."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from dlt_bunce.emulator import replies
from dlt_bunce.emulator.replies import Reply

if TYPE_CHECKING:
    from dlt_bunce.emulator.behavior import Behavior
    from dlt_bunce.emulator.workspace import Workspace

_NAMES = {
    "id": ("id", "value"),
    "attribute_id": ("attribute_id", "attribute_value"),
    "both": ("id", "attribute_id"),
}
DATA_TYPES = ("text", "timestamp", "numeric", "date")
_MOMENTS = frozenset({"timestamp", "datetime", "date"})
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Error(NamedTuple):
    """What is wrong with a row of a request: a text that names it, and one that does not."""

    place: int
    text: str
    anonymous: str


class Attributes:
    """Attributes with their values by customer, and segments with their members."""

    def __init__(self) -> None:
        """Start without any."""
        self._lock = threading.Lock()
        self.attributes: list[dict[str, str]] = []
        self.segments: list[dict[str, str]] = []
        self._values: dict[str, dict[str, str]] = {}
        self._members: dict[str, set[str]] = {}
        self.values_received = 0
        """Values and members received, those sent again included."""

    def add(self, name: str, data_type: str) -> dict[str, str]:
        """Create an attribute."""
        attribute = {"id": str(uuid.uuid4()), "name": name, "data_type": data_type}
        with self._lock:
            self.attributes.append(attribute)
        return attribute

    def add_segment(self, name: str, kind: str = "manual") -> dict[str, str]:
        """Create a segment of type `manual` or `automatic`."""
        segment = {"id": str(uuid.uuid4()), "name": name, "type": kind}
        with self._lock:
            self.segments.append(segment)
        return segment

    def values_of(self, customer_id: str) -> dict[str, str]:
        """Return the values of a customer by the attributes' names."""
        names = {attribute["id"]: attribute["name"] for attribute in self.attributes}
        with self._lock:
            return {names[key]: v for key, v in self._values.get(customer_id, {}).items()}

    def members_of(self, name: str) -> set[str]:
        """Return the members of a segment, by its name."""
        ids = [segment["id"] for segment in self.segments if segment["name"] == name]
        with self._lock:
            return {member for key in ids for member in self._members.get(key, ())}

    def write(
        self, rows: list[Any], behavior: Behavior, exists: Callable[[str], bool]
    ) -> tuple[list[Any], list[Error]]:
        """Write values; return those written, and the errors of the others."""
        there = [item for item in self.attributes if item["name"] != behavior.gone_attribute]
        types = {attribute["id"]: attribute["data_type"].casefold() for attribute in there}
        names = ("customer_id", *_NAMES[behavior.value_names])
        written, errors = [], []
        for place, row in enumerate(rows):
            customer, key, value = (str(row.get(n)) for n in names)
            error = _value_error(place, customer, key, value, types.get(key), behavior)
            if error is None and not exists(customer):
                if behavior.unknown_value_customer == "ignored":
                    continue
                if behavior.unknown_value_customer == "refused":
                    text = f"Customer {customer} was not found"
                    error = Error(place, text, "A customer was not found")
            if error is not None:
                errors.append(error)
            elif types[key] not in _MOMENTS or _TIMESTAMP.fullmatch(value):
                written.append((customer, key, value, row))
        with self._lock:
            self.values_received += len(rows)
            if errors and behavior.value_failure == "atomic":
                return [], errors
            for customer, key, value, _ in written:
                self._values.setdefault(customer, {})[key] = value
        return [row for *_, row in written], errors

    def join(self, segment_id: str, ids: list[str]) -> None:
        """Add members to a segment."""
        with self._lock:
            self.values_received += len(ids)
            self._members.setdefault(segment_id, set()).update(ids)

    def leave(self, segment_id: str, ids: list[str]) -> None:
        """Remove members from a segment."""
        with self._lock:
            self.values_received += len(ids)
            self._members.setdefault(segment_id, set()).difference_update(ids)


def _value_error(
    place: int, customer: str, key: str, value: str, data_type: str | None, behavior: Behavior
) -> Error | None:
    if data_type is None:
        text = f"Attribute {key} of customer {customer} does not exist"
        return Error(place, text, "An attribute does not exist")
    refused = behavior.refused_value and value == behavior.refused_value
    if refused or (data_type == "numeric" and not _NUMBER.fullmatch(value)):
        text = f"The value for customer {customer} is invalid"
        return Error(place, text, "A value is invalid")
    return None


def listed(items: list[dict[str, str]], behavior: Behavior, query: Mapping[str, str]) -> Reply:
    """Return a page of attributes, by cursor, or of segments, by page number."""
    try:
        size = min(int(query.get("per_page") or behavior.default_per_page), behavior.max_per_page)
        start = int(query.get("cursor") or (int(query.get("page") or 1) - 1) * size)
    except ValueError:
        return replies.failure(behavior, 422, "per_page, page, or cursor is invalid")
    more = len(items) > start + size
    cursor = str(start + size) if more else None
    meta = {"has_next_page": more, "next_page_cursor": cursor, "per_page": size}
    return replies.success(behavior, "Retrieved", items[start : start + size], meta=meta)


def create(workspace: Workspace, behavior: Behavior, payload: Any) -> Reply:
    """Create an attribute."""
    name = payload.get("name") if isinstance(payload, dict) else None
    if not name or payload.get("data_type") not in DATA_TYPES:
        return replies.failure(behavior, 422, "name and data_type are required")
    made = workspace.attributes.add(str(name), payload["data_type"])
    return replies.success(behavior, "Attribute created", made)


def create_segment(workspace: Workspace, behavior: Behavior, payload: Any) -> Reply:
    """Create a manual segment."""
    name = payload.get("name") if isinstance(payload, dict) else None
    if not name:
        return replies.failure(behavior, 422, "name is required and must be present")
    return replies.success(behavior, "Segment created", workspace.attributes.add_segment(str(name)))


def write(workspace: Workspace, behavior: Behavior, payload: Any) -> Reply:
    """Write attribute values."""
    rows: Any = payload.get("attributes") if isinstance(payload, dict) else None
    if (failed := not_taken(workspace, behavior, rows, "attributes")) is not None:
        return failed
    if missing := _missing_names(rows, behavior):
        body = {"errors": missing, "message": "Validation failed", "status": False}
        return replies.plain(behavior.failure_status, body)
    if behavior.unknown_value_customer == "created":
        create_unknown(workspace, [str(row.get("customer_id")) for row in rows])
    written, errors = workspace.attributes.write(rows, behavior, workspace.__contains__)
    if errors:
        return refusal(behavior, errors, len(rows), "values", "attributes.{}.value")
    echo = {"saved": written, "sent": rows, "absent": None, "empty": []}[behavior.value_echo]
    return replies.success(behavior, "Attributes saved", echo)


def refusal(behavior: Behavior, errors: list[Error], rows: int, noun: str, path: str) -> Reply:
    """Return the reply to a request of so many rows, of which some are bad; `path` is that of a
    value, by its place.
    """
    failed = max(0, len(errors) + behavior.count_offset)
    body = {
        "errors": _errors(behavior, errors, path),
        "message": f"{failed} out of {rows} {noun} failed",
        "status": False,
    }
    return replies.plain(behavior.failure_status, body)


def not_taken(workspace: Workspace, behavior: Behavior, rows: Any, field: str) -> Reply | None:
    """Return the reply to a request that is refused as a whole, whatever is in its `rows`."""
    if not isinstance(rows, list) or not rows:
        return replies.failure(behavior, 422, f"{field} is required and must be present")
    if behavior.max_values and len(rows) > behavior.max_values:
        text = f"{field} must not have more than {behavior.max_values} items"
        return replies.failure(behavior, 422, text)
    quota = behavior.value_quota
    if behavior.suspended or 0 < quota <= workspace.attributes.values_received:
        return replies.failure(behavior, behavior.account_status, behavior.account_message)
    return None


def create_unknown(workspace: Workspace, ids: list[str]) -> None:
    """Create customers who do not exist, with nothing but their ids."""
    workspace.seed({"customer_id": key} for key in dict.fromkeys(ids) if key not in workspace)


def _missing_names(rows: list[Any], behavior: Behavior) -> Any:
    """Return an error for each name that a value lacks, however values are named otherwise."""
    missing = {
        f"attributes.{place}.{name}": [f"The {name} field is required."]
        for place, row in enumerate(rows)
        for name in _NAMES[behavior.value_names]
        if name not in row
    }
    if behavior.value_errors == "anonymous":
        return [text for texts in missing.values() for text in texts]
    return dict(list(missing.items())[:1]) if behavior.value_errors == "first" else missing


def _errors(behavior: Behavior, errors: list[Error], path: str) -> Any:
    if behavior.value_errors == "positions":
        return {path.format(error.place): [error.anonymous] for error in errors}
    if behavior.value_errors == "rows":
        return [f"Row {error.place + 1}: {error.anonymous}" for error in errors]
    if behavior.value_errors == "anonymous":
        return [error.anonymous for error in errors]
    return [error.text for error in (errors[:1] if behavior.value_errors == "first" else errors)]
