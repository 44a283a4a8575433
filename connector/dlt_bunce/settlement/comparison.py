"""Whether what Bunce shows of a customer is what a row says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlt_bunce.settlement.messages import Match

_NAMES = ("first_name", "last_name")
_TEXTS = ("email", *_NAMES, "phone_no")
_NATIONAL_DIGITS = 9
"""Digits at the end of a phone number that stay whichever prefix a server writes."""
_MASKS = frozenset("*•●…")


def compare(content: Mapping[str, Any], customer: Mapping[str, Any]) -> Match:
    """Compare a row's fields with those of `customer`, as Bunce shows it.

    A field that is not shown, is null, or is shown masked or in a form that cannot be compared
    differs in nothing. Case, spaces around a value, and how a server writes names and phone numbers
    make no difference: a customer whom a server has tidied up is not one with other content.
    """
    if all(customer.get(name) == content[name] for name in content if name != "devices"):
        # as most are: nothing was tidied up
        return Match(
            email=True,
            rest=_has_devices(content, customer),
            devices=not _lacks_devices(content, customer),
        )
    return Match(
        email=_agree("email", _address, content, customer),
        rest=all(_agree(name, _letters, content, customer) for name in _NAMES)
        and _agree("phone_no", _digits, content, customer)
        and _has_devices(content, customer),
        devices=not _lacks_devices(content, customer),
        exact=all(customer.get(name) in (None, content[name]) for name in _TEXTS),
    )


def _agree(name: str, form: Any, content: Mapping[str, Any], customer: Mapping[str, Any]) -> bool:
    shown = _text(customer.get(name))
    return shown is None or bool(form(str(content.get(name) or "")) == form(shown))


def _text(value: Any) -> str | None:
    """Return a shown value as text; None where it cannot be compared."""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        return None
    text = str(value)
    return None if _MASKS.intersection(text) else text


def _address(email: str) -> str:
    return email.strip().casefold()


def _letters(name: str) -> str:
    bare = "".join(c for c in name.casefold() if c.isalnum())
    return bare or name.strip()


def _digits(phone: str) -> str:
    return "".join(c for c in phone if c.isdigit())[-_NATIONAL_DIGITS:]


def _lacks_devices(content: Mapping[str, Any], customer: Mapping[str, Any]) -> bool:
    return bool(content.get("devices")) and customer.get("devices") == []


def _has_devices(content: Mapping[str, Any], customer: Mapping[str, Any]) -> bool:
    """Whether all devices of a row are shown, of which Bunce may have more. Its bulk calls show a
    token as `device_token`, its look-ups as `token` (types of its own SDK).
    """
    shown = customer.get("devices")
    if not isinstance(shown, list) or not shown:
        return True
    found = set()
    for device in shown:
        token = _text(_token(device)) if isinstance(device, dict) else None
        if token is None:
            return True  # one that cannot be compared may be any
        found.add((str(device.get("device_type")).casefold(), token))
    return {
        (str(device.get("device_type")).casefold(), str(device.get("device_token")))
        for device in content.get("devices") or ()
    } <= found


def _token(device: Mapping[str, Any]) -> Any:
    token = device.get("device_token")
    return device.get("token") if token is None else token
