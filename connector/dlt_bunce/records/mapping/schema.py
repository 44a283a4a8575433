"""Bunce's customer fields, the required ones, and their common names in sources."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
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
FULL_NAME = "full_name"
"""A column for both names, split where a row has no name of its own in another column."""
NAMES: tuple[str, ...] = ("first_name", "last_name")
PARTS: tuple[str, ...] = ("device_type", "device_token")
"""Columns for a single device per row, if no column is mapped to `devices`."""
MAPPABLE: tuple[str, ...] = (*FIELDS, FULL_NAME, *PARTS, "version")
SEVERAL: tuple[str, ...] = (*REQUIRED, FULL_NAME)
"""What may be mapped to several columns, of which the first that is filled counts."""
VARIANT = "▶v_"
"""Separator before the type in the name of a variant column, which dlt adds for values of another
type than their column's.
"""
ColumnNames = str | Sequence[str]
"""One column, or several of which the first that is filled counts."""

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
        "full_name": ("name",),
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
            "subscriber_id",
            "account_number",
            "customer_number",
            "customer_no",
            "customer_code",
            "kundennummer",
            "kunden_nr",
            "kunden_id",
            "kontakt_id",
            "numero_client",
            "id_client",
            "code_client",
            "n\u00b0_client",
            "id_cliente",
            "codigo_cliente",
            "codigo_do_cliente",
            "numero_cliente",
            "codice_cliente",
            "klantnummer",
        ),
        "email": (
            "e_mail_address",
            "e_mail_1_value",
            "email_1",
            "primary_email",
            "contact_email",
            "billing_email",
            "work_email",
            "property_email",
            "merge_email",
            "email_adresse",
            "e_mail_adresse",
            "courriel",
            "adresse_email",
            "adresse_e_mail",
            "adresse_mail",
            "correo",
            "correo_electronico",
            "e_mailadres",
            "indirizzo_email",
            "endereco_de_email",
        ),
        "first_name": (
            "vorname",
            "prenom",
            "nombre",
            "nombres",
            "primeiro_nome",
            "voornaam",
            "customer_first_name",
            "contact_first_name",
            "billing_first_name",
            "property_firstname",
            "merge_fname",
        ),
        "last_name": (
            "nachname",
            "familienname",
            "nom",
            "nom_de_famille",
            "apellido",
            "apellidos",
            "sobrenome",
            "apelido",
            "ultimo_nome",
            "cognome",
            "achternaam",
            "customer_last_name",
            "contact_last_name",
            "billing_last_name",
            "property_lastname",
            "merge_lname",
        ),
        "phone_no": (
            "cell",
            "cell_phone",
            "cell_number",
            "primary_phone",
            "phone_1",
            "phone_1_value",
            "contact_phone",
            "customer_phone",
            "billing_phone",
            "property_phone",
            "merge_phone",
            "handy",
            "handynummer",
            "mobilnummer",
            "mobiltelefon",
            "telefon",
            "telefonnummer",
            "portable",
            "telephone_portable",
            "numero_de_telephone",
            "movil",
            "telefono",
            "telefono_movil",
            "celular",
            "telefone",
            "telemovel",
            "cellulare",
            "telefoon",
            "telefoonnummer",
            "whatsapp",
        ),
        "full_name": (
            "display_name",
            "customer_name",
            "contact_name",
            "client_name",
            "nombre_completo",
            "nome_completo",
            "nom_complet",
            "vollstandiger_name",
        ),
    }
)
"""Names that exports of CRMs use, tried where none of the other names is there."""


def fold(name: str) -> str:
    """Normalize a column name for comparison: lowercase letters without accents, and digits.

    White space and the signs - _ . : * # are left out.
    """
    plain = unicodedata.normalize("NFKD", name.lower())
    return "".join(
        c for c in plain if c not in "-_.:*#" and not c.isspace() and not unicodedata.combining(c)
    )


def names_of(columns: ColumnNames) -> tuple[str, ...]:
    """Return the names of one column or several."""
    return (columns,) if isinstance(columns, str) else tuple(columns)


def listed(columns: Sequence[str]) -> ColumnNames:
    """Return a single column as its name, several as a list: how mappings are written."""
    return columns[0] if len(columns) == 1 else list(columns)
