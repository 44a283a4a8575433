"""Why rows become dead letters: a closed list of codes, each with its remedy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True)
class RejectCode:
    """Reason why a row became a dead letter.

    `field` is the Bunce field at fault, or None if Bunce did not name one; `stage` is `normalize`
    for a row that was rejected before it was sent, `api` for one that Bunce refused.
    """

    code: str
    field: str | None
    stage: Literal["normalize", "api"]
    meaning: str
    remedy: str


def _codes(*codes: RejectCode) -> Mapping[str, RejectCode]:
    return MappingProxyType({code.code: code for code in codes})


def _missing(name: str) -> RejectCode:
    return RejectCode(
        f"missing_{name}",
        name,
        "normalize",
        f"{name} is null or blank, but Bunce requires it",
        f"fill in {name} at the source, or set a value under [destination.bunce.defaults]",
    )


REJECT_CODES: Mapping[str, RejectCode] = _codes(
    RejectCode(
        "unreadable_row",
        None,
        "normalize",
        "a line of the file has too many or too few cells, bytes of another encoding, or is no "
        "JSON object; the message gives the reason, and the row's `unreadable_line` the text",
        "correct the line in the file and load it again; the dead letter is resolved when Bunce "
        "accepts a row with the line's email",
    ),
    RejectCode(
        "missing_customer_id",
        "customer_id",
        "normalize",
        "customer_id is null or blank",
        "give the row a stable id at the source; dlt-bunce never generates one, because Bunce "
        "would create a second customer",
    ),
    RejectCode(
        "invalid_customer_id",
        "customer_id",
        "normalize",
        "customer_id is not text, an integer, or a UUID, or contains control characters",
        "read the id as text or as an integer; a float above 2^53 has already lost digits",
    ),
    _missing("email"),
    RejectCode(
        "invalid_email",
        "email",
        "normalize",
        "email is not a valid address",
        "correct the address at the source",
    ),
    _missing("first_name"),
    RejectCode(
        "invalid_first_name",
        "first_name",
        "normalize",
        "first_name is not text, or is longer than 255 characters",
        "correct the name at the source",
    ),
    _missing("last_name"),
    RejectCode(
        "invalid_last_name",
        "last_name",
        "normalize",
        "last_name is not text, or is longer than 255 characters",
        "correct the name at the source",
    ),
    _missing("phone_no"),
    RejectCode(
        "invalid_phone_no",
        "phone_no",
        "normalize",
        "phone_no is not an international number of 7 to 15 digits",
        "write it with + and the country code, or set default_region (such as NG) for national "
        "numbers",
    ),
    RejectCode(
        "invalid_devices",
        "devices",
        "normalize",
        "devices is not a list of objects with device_type and device_token, or is not JSON",
        "provide a list of structs or JSON text; the output of Python's str() is not JSON",
    ),
    RejectCode(
        "invalid_version",
        "version",
        "normalize",
        "the version is of another kind than most of the load's, such as seconds among "
        "milliseconds or numbers among timestamps, so it does not tell which row is newer",
        "write all versions of the column in one format and unit, and load the rows again",
    ),
    RejectCode(
        "email_taken",
        "email",
        "api",
        "the email belongs to another customer in Bunce",
        "change the email of one of the two customers, then replay or load again; if they are one "
        'person under two ids, replay with on_email_taken = "link"',
    ),
    RejectCode(
        "already_taken",
        None,
        "api",
        "Bunce says a value is already taken, but offers no lookup to find the other customer",
        "find the other customer in Bunce's dashboard, correct one of the two, then replay",
    ),
    RejectCode(
        "email_not_updated",
        "email",
        "api",
        "Bunce updated the customer but kept the email it had, as it always does with a valid one",
        "change the email in Bunce's dashboard, or change it back at the source; the rest of the "
        "row was updated",
    ),
    RejectCode(
        "unconfirmed",
        None,
        "api",
        "Bunce does not return the customer and gives no reason",
        "search for the customer in Bunce's dashboard; replay if it is missing",
    ),
    RejectCode(
        "undeliverable",
        None,
        "api",
        "every request with this row failed, even without other rows, while others got through",
        "look for what a firewall or the server could stumble over in the row; it is sent again "
        "once it changes, or by a replay",
    ),
    RejectCode(
        "refused",
        None,
        "api",
        "Bunce refused the row; the message gives the reason",
        "correct the field named in the message, then load again or replay",
    ),
)

VALUE_CODES: Mapping[str, RejectCode] = _codes(
    RejectCode(
        "invalid_number",
        None,
        "normalize",
        "the attribute is numeric, but the value is not a number in digits with a decimal point",
        "correct the value at the source, without separators of thousands or a currency",
    ),
    RejectCode(
        "invalid_timestamp",
        None,
        "normalize",
        "the attribute is a timestamp, but the value is not one in ISO 8601, or has no time zone",
        'correct it at the source; for timestamps without a time zone, set timezone = "…"; Bunce '
        "would skip the value without an error",
    ),
    RejectCode(
        "invalid_boolean",
        None,
        "normalize",
        "the column of a segment is neither true nor false",
        "convert it to a boolean at the source; null leaves the membership as it is",
    ),
    RejectCode(
        "invalid_text",
        None,
        "normalize",
        "the value is not UTF-8 text",
        "correct the value at the source",
    ),
    RejectCode(
        "too_long",
        None,
        "normalize",
        "the value is longer than 10,000 characters",
        "shorten the value at the source",
    ),
    RejectCode(
        "unconfirmed",
        None,
        "api",
        "Bunce accepted the request, but its answer does not show this value",
        "check the value and its customer in Bunce's dashboard; it is sent again once it changes, "
        "or after a retry",
    ),
    RejectCode(
        "undeliverable",
        None,
        "api",
        "every request with this value failed, even without other values, while others got through",
        "look for what a firewall or the server could stumble over; it is sent again once it "
        "changes, or after a retry",
    ),
    RejectCode(
        "refused",
        None,
        "api",
        "Bunce refused the value; the message gives the reason",
        "correct the value at the source; it is sent again once it changes, or after a retry",
    ),
)
"""Why attribute values and segment members are rejected; no value makes its row a dead letter."""
