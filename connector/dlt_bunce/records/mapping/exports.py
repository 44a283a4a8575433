"""Exports of common programs, recognized by their headers: which of their columns is which field.

An export is recognized if a table has all of its `marks`. Its columns then go before aliases, so
that, of several phones or ids, the order here decides. Names are compared as `fold` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dlt_bunce.records.mapping.schema import ALIASES, EXPORT_ALIASES, fold


@dataclass(frozen=True)
class Export:
    """An export: `marks` are columns that only it has, `columns` those of each field, in order.

    Columns that a table does not have are skipped. One that `is_general` gives way to any other.
    """

    name: str
    marks: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    is_general: bool = False

    def has_made(self, folded: Mapping[str, str]) -> bool:
        """Return whether a table with these columns (by folded name) is such an export."""
        return all(fold(mark) in folded for mark in self.marks)

    def found(self, folded: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
        """Return the columns of each field that a table has (by folded name)."""
        present = {
            name: tuple(folded[fold(column)] for column in columns if fold(column) in folded)
            for name, columns in self.columns.items()
        }
        return {name: columns for name, columns in present.items() if columns}


def _list(language: str, names: tuple[str, str], phones: tuple[str, ...]) -> Export:
    """Return a list whose columns are named in a language."""
    columns = {"first_name": names[:1], "last_name": names[1:], "phone_no": phones}
    return Export(f"a list in {language}", names, columns, is_general=True)


EXPORTS: tuple[Export, ...] = (
    Export(
        "HubSpot contacts",
        ("Record ID", "First Name", "Last Name", "Lifecycle Stage"),
        {
            "customer_id": ("Record ID",),
            "phone_no": ("Mobile Phone Number", "Phone Number"),
        },
    ),
    Export(
        "Salesforce contacts",
        ("Id", "AccountId", "MailingCountry"),
        {
            "customer_id": ("Id",),
            "phone_no": ("MobilePhone", "Phone", "HomePhone", "OtherPhone"),
        },
    ),
    Export(
        "Salesforce leads",
        ("Id", "LeadSource", "IsConverted"),
        {"customer_id": ("Id",), "phone_no": ("MobilePhone", "Phone")},
    ),
    Export(
        "a Salesforce report",
        ("Contact ID", "Mobile", "Phone", "Mailing City"),
        {"customer_id": ("Contact ID",), "phone_no": ("Mobile", "Phone")},
    ),
    Export(
        "Mailchimp",
        ("Email Address", "LEID", "EUID"),
        {"customer_id": ("LEID",), "phone_no": ("Phone Number", "Phone", "SMS Phone Number")},
    ),
    Export(
        "Klaviyo",
        ("Email", "Klaviyo ID"),
        {"customer_id": ("Klaviyo ID",), "phone_no": ("Phone Number",)},
    ),
    Export(
        "Shopify",
        ("Customer ID", "Accepts Email Marketing", "Total Spent"),
        {"phone_no": ("Phone", "Default Address Phone")},
    ),
    Export(
        "Google Contacts",
        ("First Name", "E-mail 1 - Value", "Phone 1 - Value"),
        {
            "email": ("E-mail 1 - Value", "E-mail 2 - Value"),
            "phone_no": ("Phone 1 - Value", "Phone 2 - Value", "Phone 3 - Value"),
        },
    ),
    Export(
        "Google Contacts",
        ("Given Name", "Family Name", "Phone 1 - Value"),
        {
            "email": ("E-mail 1 - Value", "E-mail 2 - Value"),
            "phone_no": ("Phone 1 - Value", "Phone 2 - Value", "Phone 3 - Value"),
        },
    ),
    Export(
        "Outlook",
        ("First Name", "E-mail Address", "Mobile Phone", "Business Phone"),
        {
            "email": ("E-mail Address", "E-mail 2 Address", "E-mail 3 Address"),
            "phone_no": ("Mobile Phone", "Primary Phone", "Home Phone", "Business Phone"),
        },
    ),
    Export(
        "Magento",
        ("ID", "Name", "Email", "Customer Since", "Web Site"),
        {"customer_id": ("ID",), "full_name": ("Name",), "phone_no": ("Phone",)},
    ),
    Export(
        "Pipedrive",
        ("Person - ID", "Person - Name"),
        {
            "customer_id": ("Person - ID",),
            "email": ("Person - Email - Work", "Person - Email - Home", "Person - Email - Other"),
            "first_name": ("Person - First name",),
            "last_name": ("Person - Last name",),
            "full_name": ("Person - Name",),
            "phone_no": (
                "Person - Phone - Mobile",
                "Person - Phone - Work",
                "Person - Phone - Home",
                "Person - Phone - Other",
            ),
        },
    ),
    Export(
        "WooCommerce",
        ("user_email", "first_name", "billing_phone", "billing_email"),
        {
            "customer_id": ("customer_id", "ID", "user_id"),
            "email": ("user_email", "billing_email"),
            "phone_no": ("billing_phone", "shipping_phone"),
        },
    ),
    Export(
        "Zoho CRM",
        ("Record Id", "Contact Owner", "Email", "Mobile"),
        {"customer_id": ("Record Id",), "phone_no": ("Mobile", "Phone", "Home Phone")},
    ),
    Export(
        "Intercom",
        ("user_id", "name", "email", "signed_up_at"),
        {"customer_id": ("user_id",), "full_name": ("name",), "phone_no": ("phone",)},
    ),
    Export(
        "Zendesk users",
        ("id", "external_id", "organization_id", "role"),
        {"customer_id": ("id",), "full_name": ("name",), "phone_no": ("phone",)},
    ),
    Export(
        "Freshdesk contacts",
        ("Contact ID", "Full name", "Work phone"),
        {
            "customer_id": ("Contact ID",),
            "full_name": ("Full name",),
            "phone_no": ("Mobile phone", "Work phone"),
        },
    ),
    Export(
        "Brevo",
        ("EMAIL", "SMS", "EMAIL_BLACKLIST"),
        {"customer_id": ("CONTACT ID", "ID"), "phone_no": ("SMS", "WHATSAPP")},
    ),
    Export(
        "Braze",
        ("braze_id", "external_id", "email"),
        {"customer_id": ("external_id",), "phone_no": ("phone", "unformatted_phone")},
    ),
    Export(
        "Customer.io",
        ("cio_id", "id", "email"),
        {"customer_id": ("id",), "phone_no": ("phone",)},
    ),
    Export(
        "Segment identifies",
        ("user_id", "anonymous_id", "context_library_name"),
        {"customer_id": ("user_id",), "phone_no": ("phone",)},
    ),
    Export(
        "Square",
        ("Reference ID", "Square Customer ID", "Email Address"),
        {"customer_id": ("Square Customer ID",), "phone_no": ("Phone Number",)},
    ),
    Export(
        "Odoo",
        ("External ID", "Email", "Mobile"),
        {
            "customer_id": ("External ID",),
            "full_name": ("Complete Name", "Display Name", "Name"),
            "phone_no": ("Mobile", "Phone"),
        },
    ),
    Export(
        "Squarespace",
        ("Email", "Billing Phone Number", "Shipping Phone Number"),
        {"phone_no": ("Billing Phone Number", "Shipping Phone Number")},
    ),
    Export(
        "Wix",
        ("Email 1", "Phone 1", "Labels"),
        {"email": ("Email 1", "Email 2"), "phone_no": ("Phone 1", "Phone 2")},
    ),
    Export(
        "PrestaShop",
        ("id_customer", "firstname", "lastname"),
        {"customer_id": ("id_customer",), "phone_no": ("phone_mobile", "phone")},
    ),
    Export(
        "Auth0",
        ("user_id", "given_name", "family_name", "email_verified"),
        {"customer_id": ("user_id",), "phone_no": ("phone_number",)},
    ),
    Export(
        "Constant Contact",
        ("Email address", "First name", "Phone - mobile"),
        {"phone_no": ("Phone - mobile", "Phone - home", "Phone - work")},
    ),
    Export(
        "HubSpot in a warehouse",
        ("property_email", "property_firstname", "property_lastname"),
        {"customer_id": ("id",), "phone_no": ("property_mobilephone", "property_phone")},
    ),
    Export(
        "Eventbrite",
        ("Order #", "Attendee #", "Ticket Type"),
        {"phone_no": ("Cell Phone", "Home Phone", "Work Phone")},
    ),
    _list("German", ("Vorname", "Nachname"), phones=("Mobil", "Mobilnummer", "Handy", "Telefon")),
    _list("French", ("Pr\u00e9nom", "Nom"), phones=("Portable", "Mobile", "T\u00e9l\u00e9phone")),
    _list("Spanish", ("Nombre", "Apellidos"), phones=("M\u00f3vil", "Celular", "Tel\u00e9fono")),
    _list("Portuguese", ("Nome", "Sobrenome"), phones=("Celular", "Telem\u00f3vel", "Telefone")),
    _list("Portuguese", ("Nome", "Apelido"), phones=("Telem\u00f3vel", "Celular", "Telefone")),
    _list("Italian", ("Nome", "Cognome"), phones=("Cellulare", "Telefono")),
    _list("Dutch", ("Voornaam", "Achternaam"), phones=("Mobiel", "Telefoonnummer", "Telefoon")),
)


def known_names(fields: Iterable[str]) -> frozenset[str]:
    """Return all names, folded, by which columns are mapped to some of these fields."""
    wanted = frozenset(fields)
    aliases = [
        name for field in wanted for name in (*ALIASES[field], *EXPORT_ALIASES.get(field, ()))
    ]
    exported = [
        column
        for export in EXPORTS
        for field, columns in export.columns.items()
        for column in columns
        if field in wanted
    ]
    return frozenset(map(fold, (*wanted, *aliases, *exported)))


def recognized(columns: Sequence[str]) -> Export | None:
    """Return the export that a table with these columns is, or None if it is none or several."""
    folded = {fold(column): column for column in columns}
    if len(folded) < len(columns):
        folded = {name: column for name, column in folded.items() if _is_unique(name, columns)}
    found = [export for export in EXPORTS if export.has_made(folded)]
    # a program's export may have the columns of a language
    found = [export for export in found if not export.is_general] or found
    return found[0] if len({export.name for export in found}) == 1 else None


def _is_unique(name: str, columns: Sequence[str]) -> bool:
    return sum(fold(column) == name for column in columns) == 1
