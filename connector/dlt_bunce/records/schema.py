"""Bunce's customer fields, which of them are required, and the names sources give them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

FIELDS: tuple[str, ...] = (
    "customer_id",
    "email",
    "first_name",
    "last_name",
    "phone_no",
    "devices",
)
REQUIRED: tuple[str, ...] = FIELDS[:5]
PARTS: tuple[str, ...] = ("device_type", "device_token")
"""Columns of one device a row, where no column holds `devices`."""
MAPPABLE: tuple[str, ...] = (*FIELDS, *PARTS, "version")
VARIANT = "▶v_"
"""Ends the name of a column in that of another, for values of another type than its own."""

# A source column belongs to one field at most, so no name stands in two of these lists.
ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "customer_id": (
            "id",
            "user_id",
            "uid",
            "uuid",
            "external_id",
            "customer_uuid",
            "client_id",
        ),
        "email": ("email_address", "mail", "e_mail", "customer_email", "user_email"),
        "first_name": ("firstname", "given_name", "fname", "forename"),
        "last_name": ("lastname", "surname", "family_name", "lname"),
        "phone_no": (
            "phone",
            "phone_number",
            "mobile",
            "mobile_no",
            "mobile_number",
            "mobile_phone",
            "msisdn",
            "tel",
            "telephone",
            "telephone_number",
        ),
        "devices": ("device_list", "device"),
        "device_type": (),
        "device_token": (),
    }
)


def fold(name: str) -> str:
    """The form in which two column names count as the same: lower-case, without -, _, blanks."""
    return "".join(c for c in name.lower() if c not in "-_" and not c.isspace())
