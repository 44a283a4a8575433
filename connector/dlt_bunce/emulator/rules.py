"""Validation of customers, and the error messages for invalid ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from dlt_bunce.emulator.behavior import Behavior

Row = Mapping[str, Any]
Customer = dict[str, Any]

REQUIRED = ("customer_id", "email", "first_name", "last_name", "phone_no")
"""Fields required to create a customer."""

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+")


class RowError(NamedTuple):
    """The reason that a row is not saved."""

    text: str
    """Message as documented, which names the row where the documentation does."""
    anonymous: str
    """The same message without anything that identifies the row."""
    subject: str = ""
    """The row's email, or else its id."""
    shape: bool = False
    """Whether the row itself is invalid, regardless of other customers."""


def taken(value: str) -> RowError:
    """Return the error for an email or id that another customer has."""
    return RowError(
        f"{value} is already taken", "A customer with these details already exists", value
    )


def unknown(customer_id: str) -> RowError:
    """Return the error for an update of a customer that does not exist."""
    text = f"Customer {customer_id} was not found"
    return RowError(text, "A customer was not found", customer_id)


def missing(field: str, subject: str) -> RowError:
    """Return the error for a required field that is absent, null, or blank."""
    text = f"{field} is required and must be present"
    return RowError(text, text, subject, shape=True)


def is_email(value: object) -> bool:
    """Return whether a value looks like an email address."""
    return isinstance(value, str) and _EMAIL.fullmatch(value) is not None


def subject(row: Row) -> str:
    """Return the value by which a message names the row."""
    return str(row.get("email") or row.get("customer_id") or "")


def first_error(row: Row, fields: Iterable[str], behavior: Behavior) -> RowError | None:
    """Return the first error in the given fields of a row, or None."""
    for field in fields:
        value = row.get(field)
        if not isinstance(value, str):
            if value is None:
                return missing(field, subject(row))
            text = f"{field} must be a string"
            return RowError(text, text, subject(row), shape=True)
        if not value or value.isspace():
            return missing(field, subject(row))
        if field == "email":
            error = _email_error(value, behavior)
        elif field == "customer_id":
            error = _pattern_error(field, value, behavior.id_pattern, row)
        elif field == "phone_no":
            error = _pattern_error(field, value, behavior.phone_pattern, row)
        else:
            continue
        if error is not None:
            return error
    devices = row.get("devices")
    return None if devices is None else _devices_error(devices, row)


def _email_error(email: str, behavior: Behavior) -> RowError | None:
    if behavior.check_emails and _EMAIL.fullmatch(email) is None:
        text = f"{email} is not a valid email address"
        return RowError(text, "email must be a valid email address", email, shape=True)
    domain = behavior.refused_email_domain
    if domain and email.lower().endswith(f"@{domain.lower()}"):
        return RowError(f"{email} cannot receive emails", "email cannot receive emails", email)
    return None


def _pattern_error(field: str, value: str, pattern: str, row: Row) -> RowError | None:
    if not pattern or re.fullmatch(pattern, value):
        return None
    text = f"{field} format is invalid"
    return RowError(text, text, subject(row), shape=True)


def _devices_error(devices: object, row: Row) -> RowError | None:
    if not isinstance(devices, list):
        text = "devices must be an array"
        return RowError(text, text, subject(row), shape=True)
    for device in devices:
        for field in ("device_type", "device_token"):
            value = device.get(field) if isinstance(device, dict) else None
            if not isinstance(value, str) or not value:
                return missing(field, subject(row))
    return None
