"""What a reply to a bulk call says about each row that was sent: a pure reading."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dlt_bunce.api.error_attribution import Sent, attribute
from dlt_bunce.api.lookup import customers_of
from dlt_bunce.api.reply import Reply

_COUNT = re.compile(r"(\d+)\s+(?:out\s+)?of\s+(\d+)")
_TAKEN = re.compile(
    r"already\s+(?:been\s+)?(?:taken|exist|registered|in\s+use|used)|duplicate", re.IGNORECASE
)
_UNKNOWN = re.compile(
    r"(?:not|never|n't|cannot\s+be)\s+(?:\w+\s+)?(?:found|exist\w*|known)|unknown\s+customer|"
    r"no\s+(?:such\s+)?customer|unknown\s+(?:customer[_ ])?id",
    re.IGNORECASE,
)
_TOO_LARGE = re.compile(
    r"too\s+many\s+(?:customers|items|records|rows)|"
    r"(?:payload|body|request|batch|entity|content)\b.{0,30}\btoo\s+(?:large|big|long)|"
    r"(?:at\s+most|more\s+than|maximum\s+of|limit\s+of|up\s+to|exceed\w*\b[^.]{0,30}?)\s*\d+\s+"
    r"(?:customers|items|records|rows|bytes)|maximum\s+batch|batch\s+size",
    re.IGNORECASE,
)
_RATE = re.compile(r"maximum\s+request\s+limit|rate\s+limit|too\s+many\s+requests", re.IGNORECASE)
_NOT_THE_ROWS = frozenset({404, 405, 406, 407, 408, 415, 425, 426})
"""Statuses of a call that is not understood or not let through; no row is to blame for them."""
_FIELD_WORDS = (
    ("customer_id", re.compile(r"customer[_ ]?id", re.IGNORECASE)),
    ("first_name", re.compile(r"first[_ ]?name", re.IGNORECASE)),
    ("last_name", re.compile(r"last[_ ]?name", re.IGNORECASE)),
    ("phone_no", re.compile(r"phone", re.IGNORECASE)),
    ("devices", re.compile(r"device", re.IGNORECASE)),
    ("email", re.compile(r"e-?mail", re.IGNORECASE)),
)


@dataclass(frozen=True)
class Accepted:
    """The call succeeded, and shows `customers` by id; who was sent and is not shown is unknown."""

    customers: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Refused:
    """Some or all rows failed.

    `named` maps the position of a row to its error text; `counted` tells that the message's own
    count of failures over the rows sent equals the rows named; `texts` are all errors there were.
    """

    named: Mapping[int, str] = field(default_factory=dict)
    counted: bool = False
    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class TooLarge:
    """The batch as such is refused for its size; no row of it was looked at."""


@dataclass(frozen=True)
class Limited:
    """Too many requests: nothing was carried out."""


@dataclass(frozen=True)
class Unauthorized:
    """The key is refused: nothing was carried out."""


@dataclass(frozen=True)
class NotSent:
    """The request never left."""


@dataclass(frozen=True)
class Unknown:
    """It may have been carried out for any of the rows."""


Outcome = Accepted | Refused | TooLarge | Limited | Unauthorized | NotSent | Unknown


def read(reply: Reply, sent: Sequence[Sent]) -> Outcome:
    """Judges by the body's flag and the status together (neither is documented for every case)."""
    if reply.arrival != "answered":
        return NotSent() if reply.arrival == "not_sent" else Unknown()
    if reply.status == 429:
        return Limited()
    if reply.status in (401, 403):
        return Unauthorized()
    if reply.status == 413:
        return TooLarge()
    document = reply.document
    well = reply.is_well
    if document is None or not (well or 400 <= reply.status < 500):
        return Unknown()
    if well and reply.flag is not False and not document.get("errors"):
        return Accepted({str(c.get("customer_id")): c for c in customers_of(document)})
    if reply.flag is True and not well:
        return Unknown()
    return _refusal(reply, document, sent)


def is_taken(text: str) -> bool:
    """Whether a text says that somebody has this email or id already."""
    return _TAKEN.search(text) is not None


def is_unknown(text: str) -> bool:
    """Whether a text says that there is no such customer."""
    return _UNKNOWN.search(text) is not None


def named_field(text: str) -> str | None:
    """The Bunce field that an error text speaks of, if it names one."""
    bare = re.sub(r"\S+@\S+", " ", text)
    for name, pattern in _FIELD_WORDS:
        if pattern.search(bare):
            return name
    return "email" if "@" in text and is_taken(text) else None


def _refusal(reply: Reply, document: dict[str, Any], sent: Sequence[Sent]) -> Outcome:
    message = str(document.get("message") or "")
    texts = tuple(_texts(document.get("errors")))
    named = attribute(texts or (message,), sent)
    if not named:
        everything = " ".join((message, *texts))
        nobody = is_unknown(everything) and "customer" in everything.casefold()
        if reply.status in _NOT_THE_ROWS and not nobody:
            return Unknown()
        if _RATE.search(everything):
            return Limited()
        # "devices must not have more than 5 items" is about a row, not about the batch
        if len(sent) > 1 and _TOO_LARGE.search(everything) and named_field(everything) is None:
            return TooLarge()
    count = _COUNT.search(message)
    counted = count is not None and (int(count[1]), int(count[2])) == (len(named), len(sent))
    return Refused(named, counted, texts or ((message,) if message else ()))


def _texts(errors: Any) -> list[str]:
    """Error texts out of a list of strings, or of whatever else `errors` turns out to be."""
    if isinstance(errors, str):
        return [errors]
    if isinstance(errors, dict):
        return [f"{key}: {text}" for key, value in errors.items() for text in _texts(value)]
    if isinstance(errors, list):
        # an object in a list is one error, whatever its fields
        return [
            text
            for item in errors
            for text in (["; ".join(_texts(item))] if isinstance(item, dict) else _texts(item))
        ]
    return []
