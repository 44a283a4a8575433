"""What a customer must look like to be let in, and the texts that refuse it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from dlt_bunce.emulator.behavior import Behavior

Row = Mapping[str, Any]
Customer = dict[str, Any]

REQUIRED = ("customer_id", "email", "first_name", "last_name", "phone_no")
"""Fields without which nobody is created."""

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+")


class Refusal(NamedTuple):
    """Why one row is not saved."""

    text: str
    """As documented, naming the row where the documentation does."""
    anonymous: str
    """The same without anything that tells which row it was."""
    subject: str = ""
    """The row's email, or else its id."""
    shape: bool = False
    """Whether the row alone, without any other customer, is at fault."""


def taken(value: str) -> Refusal:
    """Refuse an email or id that someone else has."""
    return Refusal(
        f"{value} is already taken", "A customer with these details already exists", value
    )


def unknown(customer_id: str) -> Refusal:
    """Refuse to update somebody who does not exist."""
    text = f"Customer {customer_id} was not found"
    return Refusal(text, "A customer was not found", customer_id)


def missing(field: str, subject: str) -> Refusal:
    """Refuse a required field that is absent, null, or blank."""
    text = f"{field} is required and must be present"
    return Refusal(text, text, subject, shape=True)


def is_email(value: object) -> bool:
    """Tell whether a value has the shape of an email address."""
    return isinstance(value, str) and _EMAIL.fullmatch(value) is not None


def subject(row: Row) -> str:
    """Give what a text would call the row by."""
    return str(row.get("email") or row.get("customer_id") or "")


def refusal(row: Row, fields: Iterable[str], behavior: Behavior) -> Refusal | None:
    """Find the first thing wrong with the given fields of a row."""
    for field in fields:
        value = row.get(field)
        if not isinstance(value, str):
            if value is None:
                return missing(field, subject(row))
            text = f"{field} must be a string"
            return Refusal(text, text, subject(row), shape=True)
        if not value or value.isspace():
            return missing(field, subject(row))
        if field == "email":
            wrong = _email_refusal(value, behavior)
        elif field == "customer_id":
            wrong = _pattern_refusal(field, value, behavior.id_pattern, row)
        elif field == "phone_no":
            wrong = _pattern_refusal(field, value, behavior.phone_pattern, row)
        else:
            continue
        if wrong is not None:
            return wrong
    devices = row.get("devices")
    return None if devices is None else _devices_refusal(devices, row)


def _email_refusal(email: str, behavior: Behavior) -> Refusal | None:
    if behavior.check_emails and _EMAIL.fullmatch(email) is None:
        text = f"{email} is not a valid email address"
        return Refusal(text, "email must be a valid email address", email, shape=True)
    domain = behavior.refused_email_domain
    if domain and email.lower().endswith(f"@{domain.lower()}"):
        return Refusal(f"{email} cannot receive emails", "email cannot receive emails", email)
    return None


def _pattern_refusal(field: str, value: str, pattern: str, row: Row) -> Refusal | None:
    if not pattern or re.fullmatch(pattern, value):
        return None
    text = f"{field} format is invalid"
    return Refusal(text, text, subject(row), shape=True)


def _devices_refusal(devices: object, row: Row) -> Refusal | None:
    if not isinstance(devices, list):
        text = "devices must be an array"
        return Refusal(text, text, subject(row), shape=True)
    for device in devices:
        for field in ("device_type", "device_token"):
            value = device.get(field) if isinstance(device, dict) else None
            if not isinstance(value, str) or not value:
                return missing(field, subject(row))
    return None
