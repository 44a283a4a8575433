"""Whether what Bunce shows of a customer is what a row says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlt_bunce.settlement.messages import Match

_NAMES = ("first_name", "last_name")
_NATIONAL_DIGITS = 9
"""Digits at the end of a phone number that stay whichever prefix a server writes."""


def compare(content: Mapping[str, Any], customer: Mapping[str, Any]) -> Match:
    """Compares a row's fields with those that `customer` has; what is not shown differs in nothing.

    Case, and how a server writes names and phone numbers, make no difference: a customer whom a
    server has tidied up is not taken for one with other content.
    """
    if all(customer.get(name) == content[name] for name in content if name != "devices"):
        # as most are: nothing was tidied up
        return Match(True, _has_devices(content, customer))
    return Match(
        email=_agree("email", str.casefold, content, customer),
        rest=all(_agree(name, _letters, content, customer) for name in _NAMES)
        and _agree("phone_no", _digits, content, customer)
        and _has_devices(content, customer),
    )


def _agree(name: str, form: Any, content: Mapping[str, Any], customer: Mapping[str, Any]) -> bool:
    if name not in customer:
        return True
    return bool(form(str(content.get(name) or "")) == form(str(customer[name] or "")))


def _letters(name: str) -> str:
    bare = "".join(c for c in name.casefold() if c.isalnum())
    return bare or name.strip()


def _digits(phone: str) -> str:
    return "".join(c for c in phone if c.isdigit())[-_NATIONAL_DIGITS:]


def _has_devices(content: Mapping[str, Any], customer: Mapping[str, Any]) -> bool:
    devices = _devices(content)
    return not devices or devices <= _devices(customer, devices)


def _devices(
    customer: Mapping[str, Any], unless_shown: set[tuple[str, str]] | None = None
) -> set[tuple[str, str]]:
    """Type and token of each device; Bunce may have more of them than the row."""
    devices = customer.get("devices")
    if not isinstance(devices, list):
        return unless_shown or set()
    return {
        (str(device.get("device_type")).casefold(), str(device.get("device_token")))
        for device in devices
        if isinstance(device, dict)
    }
