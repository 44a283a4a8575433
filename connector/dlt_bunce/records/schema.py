"""Bunce's customer fields, the required ones, and their common names in sources."""

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
"""Columns for a single device per row, if no column is mapped to `devices`."""
MAPPABLE: tuple[str, ...] = (*FIELDS, *PARTS, "version")
VARIANT = "▶v_"
"""Separator before the type in the name of a variant column, which dlt adds for values of another
type than their column's.
"""

# A source column belongs to at most one field, so no name may appear in two of these lists.
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

EXPORT_ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "customer_id": (
            "record_id",
            "contact_id",
            "person_id",
            "lead_id",
            "member_id",
            "profile_id",
            "customer_number",
            "customer_no",
            "kundennummer",
            "id_cliente",
        ),
        "email": (
            "e_mail_address",
            "e_mail_1_value",
            "primary_email",
            "contact_email",
            "property_email",
            "merge_email",
            "courriel",
            "correo",
            "correo_electronico",
        ),
        "first_name": (
            "vorname",
            "prenom",
            "pr\u00e9nom",
            "nombre",
            "billing_first_name",
            "property_firstname",
            "merge_fname",
        ),
        "last_name": (
            "nachname",
            "nom",
            "nom_de_famille",
            "apellido",
            "apellidos",
            "billing_last_name",
            "property_lastname",
            "merge_lname",
        ),
        "phone_no": (
            "cell",
            "cell_phone",
            "cell_number",
            "primary_phone",
            "phone_1_value",
            "contact_phone",
            "billing_phone",
            "property_phone",
            "merge_phone",
            "telefon",
            "telefonnummer",
            "telefono",
            "tel\u00e9fono",
            "t\u00e9l\u00e9phone",
            "celular",
            "whatsapp",
        ),
    }
)
"""Names that exports of CRMs use, tried where none of the other names is there."""


def fold(name: str) -> str:
    """Normalize a column name for comparison: lowercase, without -, _, and white space."""
    return "".join(c for c in name.lower() if c not in "-_" and not c.isspace())
