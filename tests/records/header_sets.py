"""Headers of exports as programs write them, and what a load of each needs; the values are ours."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class HeaderSet:
    """The header of an export.

    `maps` and `defaults` are what a load must be told, `fields` the columns that feed each field.
    """

    name: str
    header: str
    fields: dict[str, str]
    maps: dict[str, str] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """The columns in order."""
        return self.header.split("|")


def _of(name: str, header: str, fields: str, *, maps: str = "", defaults: str = "") -> HeaderSet:
    return HeaderSet(name, header, _pairs(fields), _pairs(maps), _pairs(defaults))


def _pairs(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split("|") if part)


PHONE = "phone_no=+2348000000000"
HEADER_SETS = (
    _of(
        "Stripe",
        "id|Description|Email|Name|Created (UTC)|Delinquent|Card ID|Currency|Total Spend",
        "customer_id=id|email=Email|full_name=Name",
        defaults=PHONE,
    ),
    _of(
        "HubSpot",
        "Record ID|First Name|Last Name|Email|Phone Number|Mobile Phone Number|Lifecycle Stage",
        "customer_id=Record ID|email=Email|phone_no=Mobile Phone Number, Phone Number",
    ),
    _of(
        "HubSpot in a warehouse",
        "id|property_email|property_firstname|property_lastname|property_phone|property_mobilephone",
        "customer_id=id|email=property_email|phone_no=property_mobilephone, property_phone",
    ),
    _of(
        "Salesforce contacts",
        "Id|IsDeleted|AccountId|LastName|FirstName|Salutation|Name|MailingCity|MailingCountry"
        "|Phone|Fax|MobilePhone|HomePhone|OtherPhone|Email|OwnerId",
        "customer_id=Id|first_name=FirstName|phone_no=MobilePhone, Phone, HomePhone, OtherPhone",
    ),
    _of(
        "a Salesforce report",
        "Contact ID|First Name|Last Name|Account Name|Mailing City|Phone|Mobile|Email",
        "customer_id=Contact ID|phone_no=Mobile, Phone",
    ),
    _of(
        "Mailchimp",
        "Email Address|First Name|Last Name|Address|Phone Number|Birthday|MEMBER_RATING"
        "|OPTIN_TIME|LEID|EUID|NOTES|TAGS",
        "customer_id=LEID|email=Email Address|phone_no=Phone Number",
    ),
    _of(
        "Mailchimp in a warehouse",
        "id|email_address|status|merge_fname|merge_lname|merge_phone",
        "customer_id=id|email=email_address|first_name=merge_fname|phone_no=merge_phone",
    ),
    _of(
        "Klaviyo",
        "Email|Klaviyo ID|First Name|Last Name|Organization|Phone Number|City|Country"
        "|Email Marketing Consent|Profile Created On|Date Added",
        "customer_id=Klaviyo ID|email=Email|phone_no=Phone Number",
    ),
    _of(
        "Shopify",
        "Customer ID|First Name|Last Name|Email|Accepts Email Marketing|Default Address Company"
        "|Default Address Phone|Phone|Accepts SMS Marketing|Total Spent|Total Orders|Note|Tags",
        "customer_id=Customer ID|phone_no=Phone, Default Address Phone",
    ),
    _of(
        "Google Contacts",
        "First Name|Middle Name|Last Name|Nickname|Organization Name|Birthday|Labels"
        "|E-mail 1 - Label|E-mail 1 - Value|E-mail 2 - Value|Phone 1 - Label|Phone 1 - Value"
        "|Phone 2 - Value",
        "email=E-mail 1 - Value, E-mail 2 - Value|phone_no=Phone 1 - Value, Phone 2 - Value",
        maps="customer_id=E-mail 1 - Value",
    ),
    _of(
        "Google Contacts, as before 2024",
        "Name|Given Name|Additional Name|Family Name|Group Membership|E-mail 1 - Type"
        "|E-mail 1 - Value|Phone 1 - Type|Phone 1 - Value",
        "first_name=Given Name|last_name=Family Name|email=E-mail 1 - Value",
        maps="customer_id=E-mail 1 - Value",
    ),
    _of(
        "Outlook",
        "First Name|Middle Name|Last Name|Company|E-mail Address|E-mail 2 Address|Home Phone"
        "|Business Phone|Mobile Phone|Notes",
        "email=E-mail Address, E-mail 2 Address|phone_no=Mobile Phone, Home Phone, Business Phone",
        maps="customer_id=E-mail Address",
    ),
    _of(
        "Magento",
        "ID|Name|Email|Group|Phone|ZIP|Country|State/Province|Customer Since|Web Site",
        "customer_id=ID|full_name=Name|phone_no=Phone",
    ),
    _of(
        "Pipedrive",
        "Person - ID|Person - Name|Person - Email - Work|Person - Email - Home"
        "|Person - Phone - Work|Person - Phone - Mobile|Person - Organization",
        "customer_id=Person - ID|full_name=Person - Name"
        "|email=Person - Email - Work, Person - Email - Home"
        "|phone_no=Person - Phone - Mobile, Person - Phone - Work",
    ),
    _of(
        "WooCommerce",
        "ID|customer_id|user_login|user_email|first_name|last_name|display_name|billing_email"
        "|billing_phone|shipping_phone",
        "customer_id=customer_id|email=user_email, billing_email"
        "|phone_no=billing_phone, shipping_phone",
    ),
    _of(
        "Zoho CRM",
        "Record Id|Contact Owner.id|Contact Owner|Lead Source|First Name|Last Name|Account Name"
        "|Email|Phone|Home Phone|Mobile",
        "customer_id=Record Id|phone_no=Mobile, Phone, Home Phone",
    ),
    _of(
        "Intercom",
        "id|user_id|email|phone|name|signed_up_at|last_seen_at|unsubscribed_from_emails",
        "customer_id=user_id|full_name=name|phone_no=phone",
    ),
    _of(
        "Zendesk",
        "id|external_id|name|email|phone|role|organization_id|created_at|verified",
        "customer_id=id|full_name=name",
    ),
    _of(
        "Freshdesk",
        "Full name|Title|Company|Email|Work phone|Mobile phone|Contact ID|Time zone",
        "customer_id=Contact ID|full_name=Full name|phone_no=Mobile phone, Work phone",
    ),
    _of(
        "Brevo",
        "CONTACT ID|EMAIL|FIRSTNAME|LASTNAME|SMS|WHATSAPP|EMAIL_BLACKLIST|SMS_BLACKLIST",
        "customer_id=CONTACT ID|phone_no=SMS, WHATSAPP",
    ),
    _of(
        "Brevo in French",
        "CONTACT ID|EMAIL|NOM|PRENOM|SMS|EMAIL_BLACKLIST|ADDED_TIME",
        "customer_id=CONTACT ID|first_name=PRENOM|last_name=NOM|phone_no=SMS",
    ),
    _of(
        "ActiveCampaign",
        "ID|Email|First Name|Last Name|Phone|Organization|Tags|Date Created|IP Address",
        "customer_id=ID|phone_no=Phone",
    ),
    _of(
        "Braze",
        "braze_id|external_id|first_name|last_name|email|phone|unformatted_phone|country|language",
        "customer_id=external_id|phone_no=phone, unformatted_phone",
    ),
    _of(
        "Customer.io",
        "id|cio_id|email|first_name|last_name|phone|created_at|unsubscribed",
        "customer_id=id",
    ),
    _of(
        "Segment",
        "id|anonymous_id|user_id|received_at|context_library_name|email|first_name|last_name|phone",
        "customer_id=user_id",
    ),
    _of(
        "Square",
        "Reference ID|First Name|Last Name|Email Address|Phone Number|Nickname|Company Name"
        "|Square Customer ID|Creation Source|Transaction Count|Total Spend",
        "customer_id=Square Customer ID|phone_no=Phone Number",
    ),
    _of(
        "Squarespace",
        "Email|First Name|Last Name|Shipping Phone Number|Billing Phone Number|Order Count",
        "phone_no=Billing Phone Number, Shipping Phone Number",
        maps="customer_id=Email",
    ),
    _of(
        "Wix",
        "First Name|Last Name|Email 1|Email 2|Phone 1|Labels|Created At (UTC+0)",
        "email=Email 1, Email 2|phone_no=Phone 1",
        maps="customer_id=Email 1",
    ),
    _of(
        "BigCommerce",
        "Customer ID|First Name|Last Name|Company|Email|Phone|Notes|Store Credit|Date Joined",
        "customer_id=Customer ID|phone_no=Phone",
    ),
    _of(
        "Odoo",
        "External ID|Name|Phone|Mobile|Email|Salesperson|City|Country",
        "customer_id=External ID|full_name=Name|phone_no=Mobile, Phone",
    ),
    _of(
        "a table in Airtable",
        "Name|Email|Phone|Status|Notes|Created",
        "full_name=Name|phone_no=Phone",
        maps="customer_id=Email",
    ),
    _of(
        "PrestaShop",
        "id_customer|firstname|lastname|email|newsletter|phone|phone_mobile",
        "customer_id=id_customer|phone_no=phone_mobile, phone",
    ),
    _of(
        "Paystack",
        "Customer Code|First Name|Last Name|Email|Phone|Transactions|Date Added",
        "customer_id=Customer Code",
    ),
    _of(
        "Facebook lead ads",
        "id|created_time|ad_id|ad_name|campaign_id|form_id|platform|email|full_name|phone_number",
        "customer_id=id|full_name=full_name|phone_no=phone_number",
    ),
    _of(
        "LinkedIn connections",
        "First Name|Last Name|URL|Email Address|Company|Position|Connected On",
        "email=Email Address",
        maps="customer_id=Email Address",
        defaults=PHONE,
    ),
    _of(
        "Eventbrite",
        "Order #|Order Date|First Name|Last Name|Email|Ticket Type|Attendee #|Cell Phone",
        "phone_no=Cell Phone",
        maps="customer_id=Email",
    ),
    _of(
        "a form in Google Forms",
        "Timestamp|Email Address|What is your full name?|On which number can we reach you?",
        "email=Email Address",
        maps="customer_id=Email Address|full_name=What is your full name?"
        "|phone_no=On which number can we reach you?",
    ),
    _of(
        "a list in German",
        "Kundennummer|Anrede|Vorname|Nachname|Stra\u00dfe|PLZ|Ort|Telefon|Mobil|E-Mail",
        "customer_id=Kundennummer|email=E-Mail|last_name=Nachname|phone_no=Mobil, Telefon",
    ),
    _of(
        "a list in French",
        "N\u00b0 client|Civilit\u00e9|Pr\u00e9nom|Nom|Ville|T\u00e9l\u00e9phone|Portable"
        "|Adresse e-mail",
        "customer_id=N\u00b0 client|first_name=Pr\u00e9nom|phone_no=Portable, T\u00e9l\u00e9phone",
    ),
    _of(
        "a list in Spanish",
        "ID Cliente|Nombre|Apellidos|Correo electr\u00f3nico|Tel\u00e9fono|M\u00f3vil|Ciudad",
        "customer_id=ID Cliente|last_name=Apellidos|phone_no=M\u00f3vil, Tel\u00e9fono",
    ),
    _of(
        "a list in Portuguese",
        "C\u00f3digo do cliente|Nome|Sobrenome|CPF|E-mail|Celular|Telefone",
        "customer_id=C\u00f3digo do cliente|first_name=Nome|phone_no=Celular, Telefone",
    ),
    _of(
        "a list in Italian",
        "Codice cliente|Nome|Cognome|Email|Cellulare",
        "customer_id=Codice cliente|last_name=Cognome|phone_no=Cellulare",
    ),
    _of(
        "a list in Dutch",
        "Klantnummer|Voornaam|Achternaam|E-mailadres|Telefoonnummer",
        "customer_id=Klantnummer|email=E-mailadres|phone_no=Telefoonnummer",
    ),
)
