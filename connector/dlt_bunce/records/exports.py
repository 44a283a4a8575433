"""Exports of common programs, recognized by their headers: which of their columns is which field.

An export is recognized if a table has all of its `marks`. Its columns then go before aliases, so
that, of several phones or ids, the order here decides. Names are compared as `fold` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dlt_bunce.records.schema import fold


@dataclass(frozen=True)
class Export:
    """An export: `marks` are columns that only it has, `columns` those of each field, in order.

    Columns that a table does not have are skipped.
    """

    name: str
    marks: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

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
        ("External ID", "Display Name", "Mobile"),
        {
            "customer_id": ("External ID",),
            "full_name": ("Display Name",),
            "phone_no": ("Mobile", "Phone"),
        },
    ),
    Export(
        "Wix",
        ("Contact ID", "Email 1", "Phone 1"),
        {
            "customer_id": ("Contact ID",),
            "email": ("Email 1", "Email 2"),
            "phone_no": ("Phone 1", "Phone 2"),
        },
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
        "an Italian or Portuguese list",
        ("Nome", "Cognome"),
        {"first_name": ("Nome",)},
    ),
    Export(
        "an Italian or Portuguese list",
        ("Nome", "Sobrenome"),
        {"first_name": ("Nome",)},
    ),
    Export(
        "an Italian or Portuguese list",
        ("Nome", "Apelido"),
        {"first_name": ("Nome",)},
    ),
)


def recognized(columns: Sequence[str]) -> Export | None:
    """Return the export that a table with these columns is, or None if it is none or several."""
    folded = {fold(column): column for column in columns}
    if len(folded) < len(columns):
        folded = {name: column for name, column in folded.items() if _is_unique(name, columns)}
    found = [export for export in EXPORTS if export.has_made(folded)]
    return found[0] if len({export.name for export in found}) == 1 else None


def _is_unique(name: str, columns: Sequence[str]) -> bool:
    return sum(fold(column) == name for column in columns) == 1
