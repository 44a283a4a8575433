"""What a reply to a bulk call says about each row that was sent: a pure reading."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dlt_bunce.api.reply import Reply

_COUNT = re.compile(r"(\d+)\s+(?:out\s+)?of\s+(\d+)")
_TAKEN = re.compile(
    r"already\s+(?:been\s+)?(?:taken|exist|registered|in\s+use|used)|duplicate", re.IGNORECASE
)
_TOO_LARGE = re.compile(
    r"too\s+(?:large|many|big|long)|(?:at\s+most|no\s+more\s+than|more\s+than|maximum\s+of|"
    r"limit\s+of|exceeds?\b.*?)\s*\d+\s+(?:customers|items|records|rows)|payload\s+too|"
    r"maximum\s+batch|batch\s+size",
    re.IGNORECASE,
)
_RATE = re.compile(r"maximum\s+request\s+limit|rate\s+limit|too\s+many\s+requests", re.IGNORECASE)
# what stands between the words of an error text; the inside of addresses and ids is left whole
_BREAK = re.compile(r"[\s,;\"'`<>()\[\]{}]+")
_ID_WORDS = frozenset({"customer_id", "customer_id:", "customer", "customer:", "id", "id:", "id="})
_FIELD_WORDS = (
    ("customer_id", re.compile(r"customer[_ ]?id", re.IGNORECASE)),
    ("first_name", re.compile(r"first[_ ]?name", re.IGNORECASE)),
    ("last_name", re.compile(r"last[_ ]?name", re.IGNORECASE)),
    ("phone_no", re.compile(r"phone", re.IGNORECASE)),
    ("devices", re.compile(r"device", re.IGNORECASE)),
    ("email", re.compile(r"e-?mail", re.IGNORECASE)),
)


@dataclass(frozen=True)
class Sent:
    """One row of a request: what its errors may call it by."""

    customer_id: str
    email: str
    phone_no: str


@dataclass(frozen=True)
class Accepted:
    """The call succeeded for the rows in `echoed`; what was sent but not echoed is unknown."""

    echoed: frozenset[str]


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
    if reply.status >= 500 or document is None:
        return Unknown()
    well = 200 <= reply.status < 300
    data = _customers(document)
    if well and reply.flag is not False and "errors" not in document:
        ids = (c.get("customer_id") for c in data)
        return Accepted(frozenset(str(i) for i in ids if i is not None))
    if reply.flag is True and not well:
        return Unknown()
    return _refusal(document, sent)


def is_taken(text: str) -> bool:
    """Whether a text says that somebody has this email or id already."""
    return _TAKEN.search(text) is not None


def named_field(text: str) -> str | None:
    """The Bunce field that an error text speaks of, if it names one."""
    bare = re.sub(r"\S+@\S+", " ", text)
    for name, pattern in _FIELD_WORDS:
        if pattern.search(bare):
            return name
    return "email" if "@" in text and is_taken(text) else None


def _refusal(document: dict[str, Any], sent: Sequence[Sent]) -> Outcome:
    message = str(document.get("message") or "")
    errors = document.get("errors")
    texts = tuple(_texts(errors))
    everything = " ".join((message, *texts))
    named = attribute(texts or (message,), sent)
    if not named:
        if _RATE.search(everything):
            return Limited()
        if _TOO_LARGE.search(everything) and len(sent) > 1:
            return TooLarge()
    count = _COUNT.search(message)
    counted = count is not None and (int(count[1]), int(count[2])) == (len(named), len(sent))
    return Refused(named, counted, texts or ((message,) if message else ()))


def attribute(texts: Sequence[str], sent: Sequence[Sent]) -> dict[int, str]:
    """Position of the row that each text names, by email, phone, or id; first text first.

    A text that fits no row or several is nobody's: better halved than blamed on the wrong row.
    """
    emails = _unique(row.email.lower() for row in sent)
    phones = _unique(row.phone_no for row in sent)
    ids = _unique(row.customer_id for row in sent)
    named: dict[int, str] = {}
    for text in texts:
        words = [word.rstrip(".:!?") for word in _BREAK.split(text)]
        found = {emails[w.lower()] for w in words if emails.get(w.lower()) is not None}
        found = found or {phones[w] for w in words if phones.get(w) is not None}
        found = found or _by_id(text, words, ids)
        if len(found) == 1:
            position = found.pop()
            if position is not None:
                named.setdefault(position, text)
    return named


def _by_id(text: str, words: list[str], ids: dict[str, int | None]) -> set[int | None]:
    found: set[int | None] = set()
    for before, word in zip(["", *words], words, strict=False):
        if ids.get(word) is None:
            continue
        # a bare number may as well be a count, a length, or a position
        if (
            not word.isdigit()
            or before.lower() in _ID_WORDS
            or re.search(rf"[\"'`]{re.escape(word)}[\"'`]", text)
        ):
            found.add(ids[word])
    return found


def _unique(names: Any) -> dict[str, int | None]:
    """Name to position; None for a name that several rows share."""
    positions: dict[str, int | None] = {}
    for position, name in enumerate(names):
        positions[name] = None if name in positions else position
    return positions


def _texts(errors: Any) -> list[str]:
    """Error texts out of a list of strings, or of whatever else `errors` turns out to be."""
    if isinstance(errors, str):
        return [errors]
    if isinstance(errors, dict):
        return [f"{key}: {text}" for key, value in errors.items() for text in _texts(value)]
    if isinstance(errors, list):
        return [text for item in errors for text in _texts(item)]
    return []


def _customers(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The customers of a body: `data` as a list, or as an object with `data` inside."""
    data = document.get("data")
    if isinstance(data, dict):
        data = data.get("data", [data])
    return [c for c in data if isinstance(c, dict)] if isinstance(data, list) else []


def listing(reply: Reply) -> tuple[list[dict[str, Any]], str | None] | None:
    """Customers and the next cursor of a listing, or None when the reply is not a listing."""
    document = reply.document
    if reply.arrival != "answered" or not 200 <= reply.status < 300 or document is None:
        return None
    data = document.get("data")
    inner = data if isinstance(data, dict) else {}
    if reply.flag is False or not isinstance(inner.get("data", data), list):
        return None
    meta = document.get("meta") or inner.get("meta") or {}
    cursor = meta.get("next_page_cursor") if isinstance(meta, dict) else None
    more = bool(cursor) and meta.get("has_next_page", True) is not False
    return _customers(document), str(cursor) if more else None
