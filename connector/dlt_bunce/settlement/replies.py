"""What a reply to a bulk call says about each row that was sent: a pure reading."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlt_bunce.api.batch import Row, Rows
from dlt_bunce.api.lookup import customers_of, id_of
from dlt_bunce.api.reply import Reply
from dlt_bunce.model import Verb
from dlt_bunce.settlement.bodies import (
    MAX_TEXT,
    errors_in,
    failed_items,
    is_success,
    message_in,
    told,
)
from dlt_bunce.settlement.capabilities import is_about_the_account
from dlt_bunce.settlement.comparison import compare
from dlt_bunce.settlement.error_attribution import attribute
from dlt_bunce.settlement.messages import (
    Accepted,
    Blocked,
    Holders,
    Indeterminate,
    Kind,
    Match,
    Misfit,
    Reason,
    Rejected,
    TooLarge,
)
from dlt_bunce.settlement.positions import positions_in, texts_in

_COUNT = re.compile(r"(?<!\d)(\d{1,9})\s{1,9}(?:out\s{1,9})?of\s{1,9}(\d{1,9})(?!\d)")
_TAKEN = re.compile(
    r"already\s+(?:been\s+)?(?:taken|exist|registered|in\s+use|used)|duplicate", re.IGNORECASE
)
_UNKNOWN = re.compile(
    r"(?:not|never|n't|cannot\s+be)\s+(?:\w+\s+)?(?:found|exist\w*|known)|unknown\s+customer|"
    r"no\s+(?:such\s+)?customer|unknown\s+(?:customer[_ ])?id",
    re.IGNORECASE,
)
_TOO_LARGE = re.compile(
    r"too\s+many\s+(?:customers|attributes|values|items|records|rows)|"
    r"(?:payload|body|request|batch|entity|content)\b.{0,30}\btoo\s+(?:large|big|long)|"
    r"(?:at\s+most|more\s+than|maximum\s+of|limit\s+of|up\s+to|exceed\w*\b[^.]{0,30}?)\s*\d+\s+bytes|"
    r"maximum\s+batch|batch\s+size",
    re.IGNORECASE,
)
_LIMIT = re.compile(
    r"\b(?:at\s+most|more\s+than|max(?:imum)?(?:\s+of)?|limit\s+of|limited\s+to|up\s+to|"
    r"(?:less|fewer)\s+than(?:\s+or\s+equal\s+to)?|only(?:\s+\w{1,20}){0,2}|exceed\w*\b[^.]{0,30}?)"
    r"\s*\b(\d{1,3}(?:,\d{3}){1,2}|\d{1,9})\s+"
    r"(?:customers?|attributes|values|items?|elements?|entries|objects|records?|rows?)\b",
    re.IGNORECASE,
)
"""How many rows a request may have, in the words of frameworks that check lists."""
_BODY_TOO_LARGE = re.compile(
    r"\b(?:payload|body|request|entity)\b.{0,30}\b"
    r"(?:too\s+(?:large|big|long)|exceed\w*\b.{0,30}\b(?:bytes|[km]i?b|size))\b",
    re.IGNORECASE,
)
_RATE = re.compile(r"maximum\s+request\s+limit|rate\s+limit|too\s+many\s+requests", re.IGNORECASE)
_NOT_THE_ROWS = frozenset({404, 405, 406, 407, 408, 415, 425, 426})
"""Statuses of a call that is not understood or not let through; no row is to blame for them."""
_SPEAKING = frozenset({"data", "errors", "message"})
"""Keys of which the body of an API's answer has one, if it has no flag; a proxy's may have none."""
NO_REASON = "no reason given"
"""Words of a rejection without any: rows that are rejected so are rejected alike."""
_FIELD_WORDS = (
    ("customer_id", re.compile(r"customer[_ ]?id", re.IGNORECASE)),
    ("first_name", re.compile(r"first[_ ]?name", re.IGNORECASE)),
    ("last_name", re.compile(r"last[_ ]?name", re.IGNORECASE)),
    ("phone_no", re.compile(r"phone", re.IGNORECASE)),
    ("devices", re.compile(r"device", re.IGNORECASE)),
    ("email", re.compile(r"e-?mail", re.IGNORECASE)),
)
_EQUAL = Match(email=True, rest=True)


@dataclass(frozen=True)
class RateLimited:
    """Too many requests: nothing was carried out."""


@dataclass(frozen=True)
class Unauthorized:
    """The key is not accepted: nothing was carried out."""


@dataclass(frozen=True)
class NotSent:
    """The request never left."""


Bulk = Accepted | Rejected | TooLarge | Misfit | Blocked | Indeterminate
Reading = Bulk | RateLimited | Unauthorized | NotSent


def read(reply: Reply, sent: Rows, rows: Sequence[int], verb: Verb) -> Reading:
    """Read a reply to customers. `rows` are the numbers of the rows that were `sent`, in order."""
    document = judged(reply)
    if not isinstance(document, dict):
        return document
    is_shown = "data" in document or errors_in(document)
    if reply.is_well and reply.flag is None and not is_shown:
        return Indeterminate(seen(reply), reply.status)
    if is_success(reply, document) and not failed_items(document):
        shown = {str(customer.get("customer_id")): customer for customer in customers_of(document)}
        return Accepted(matches(sent, rows, shown))
    return _rejection(reply, document, sent, rows, verb)


def judged(reply: Reply) -> Reading | dict[str, Any]:
    """Return the body of a reply that is about its rows, or what kept them from being judged.

    The body's flag and the status are read together: neither is documented for every case.
    """
    if reply.arrival == "not_sent":
        return NotSent()
    if reply.arrival == "lost":
        return Indeterminate(reply.describe())
    if reply.status == 429:
        return RateLimited()
    if reply.status == 401:
        return Unauthorized()
    if reply.status == 403:
        return Blocked(403)
    if reply.status == 413:
        return TooLarge(413)
    document = reply.document
    if document is None or not (reply.is_well or 400 <= reply.status < 500):
        return Indeterminate(seen(reply), reply.status)
    if reply.flag is True and not reply.is_well:
        return Indeterminate(seen(reply), reply.status)
    if reply.is_well and reply.flag is None and not document.keys() & _SPEAKING:
        return Indeterminate(seen(reply), reply.status)
    return document


def not_about_rows(reply: Reply, everything: str, *, rows: int, nobody: bool) -> Reading | None:
    """Return what a rejection that names no row means for its request, if it is about that.

    `nobody`: it says that a customer does not exist.
    """
    if reply.status in _NOT_THE_ROWS and not nobody:
        return Indeterminate(reply.describe(), reply.status)
    if _RATE.search(everything):
        return RateLimited()
    # "devices must not have more than 5 items" is about a row, not about the batch
    if _is_too_large(everything, rows) and named_field(everything) is None:
        return TooLarge(reply.status)
    return None


def _is_too_large(text: str, rows: int) -> bool:
    """Whether a text says that a request of so many rows has too many of them, or is too large."""
    if rows == 1:
        return _BODY_TOO_LARGE.search(text) is not None
    # a limit that the request keeps to is one of something else, such as an account
    limits = (int(limit.replace(",", "")) for limit in _LIMIT.findall(text))
    return _TOO_LARGE.search(text) is not None or any(rows >= limit for limit in limits)


def matches(
    sent: Rows, rows: Sequence[int], customers: Mapping[str, Mapping[str, Any]]
) -> dict[int, Match]:
    """Compare the rows with those of `customers` (by id) that Bunce shows."""
    if sent.are_shown(customers):
        return dict.fromkeys(rows, _EQUAL)
    return {
        i: compare(row.content, customers[row.customer_id])
        for i, row in zip(rows, sent, strict=True)
        if row.customer_id in customers
    }


def holders(rows: Mapping[int, Row], found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Holders:
    """Compare rows with the customers `found` by their emails."""
    own: dict[int, Match] = {}
    others: dict[int, dict[str | None, Match]] = {}
    for i, row in rows.items():
        if row.email not in found:
            continue
        others[i] = {}
        for customer in found[row.email]:
            customer_id = id_of(customer)
            if customer_id == row.customer_id:
                own[i] = compare(row.content, customer)
            else:
                others[i][customer_id] = compare(row.content, customer)
    return Holders(others, own)


def gets_through(reply: Reply) -> bool:
    """Whether the API itself has answered a request, however it judged it."""
    turned_away = reply.status >= 500 or reply.status in {401, 403, 407, 429}
    return reply.arrival == "answered" and not turned_away and reply.document is not None


def seen(reply: Reply) -> str:
    """Return what came back instead of an answer that can be read."""
    page = ", but no answer of Bunce's, as from a proxy or a sign-in page" if reply.is_well else ""
    return reply.describe() + page


def named_field(text: str) -> str | None:
    """Return the Bunce field that an error text speaks of, if it names one."""
    bare = re.sub(r"[^\s@]{1,256}@[^\s@]{1,256}", " ", text[:MAX_TEXT])
    for name, pattern in _FIELD_WORDS:
        if pattern.search(bare):
            return name
    return "email" if "@" in text and is_taken(text) else None


def is_taken(text: str) -> bool:
    """Whether a text says that somebody has this email or id already."""
    return _TAKEN.search(text[:MAX_TEXT]) is not None


def is_unknown(text: str) -> bool:
    """Whether a text says that there is no such customer."""
    return _UNKNOWN.search(text[:MAX_TEXT]) is not None


def _rejection(
    reply: Reply, document: dict[str, Any], sent: Rows, rows: Sequence[int], verb: Verb
) -> Reading:
    errors = errors_in(document)
    texts, everything = told(document)
    by_id = _by_id(errors, sent)
    named = _failed(document, sent) | attribute(texts, sent) | (by_id or {})
    unclear = bool(named) or by_id is None
    positions = {} if unclear else of_several(positions_in(errors), len(sent))
    field = named_field(everything)
    if not named and not positions:
        nobody = is_unknown(everything) and "customer" in everything.casefold()
        request = not_about_rows(reply, everything, rows=len(sent), nobody=nobody)
        if request is not None:
            return request
        about_it = field is not None or is_taken(everything) or (verb == "update" and nobody)
        about_it = about_it and not is_about_the_account(everything)
        if len(sent) == 1 and about_it:
            named = {0: "; ".join(texts)}
    count = _COUNT.search(message_in(document))
    failed = len(named or positions)
    return Rejected(
        {rows[at]: _reason(text, verb, reply.status) for at, text in named.items()},
        counted=count is not None and (int(count[1]), int(count[2])) == (failed, len(sent)),
        positions={at: _reason(text, verb, reply.status) for at, text in positions.items()},
        words="" if named or positions else "; ".join(texts)[:MAX_TEXT] or NO_REASON,
        status=reply.status,
    )


def _by_id(errors: Any, sent: Rows) -> dict[int, str] | None:
    """Return the texts of errors whose keys are ids of rows, by the place of the row; None where
    the keys could as well be positions.
    """
    if not isinstance(errors, dict):
        return {}
    places = {row.customer_id: at for at, row in enumerate(sent)}
    known = [key for key in map(str, errors) if key in places]
    if any(key.isascii() and key.isdecimal() and int(key[:9]) <= len(sent) for key in known):
        return None
    return {places[key]: "; ".join(texts_in(errors[key])) for key in known if key in errors}


def _failed(document: Mapping[str, Any], sent: Rows) -> dict[int, str]:
    """Return the texts of rows that a list shows as failed, by their place."""
    texts = {id_of(item): text for item, text in failed_items(document)}
    if not texts:
        return {}
    return {at: texts[row.customer_id] for at, row in enumerate(sent) if row.customer_id in texts}


def of_several(positions: dict[int, str], rows: int) -> dict[int, str]:
    """Positions, unless some of them cannot be: then they are something else, such as lengths."""
    return positions if all(position <= rows for position in positions) else {}


def _reason(text: str, verb: Verb, status: int) -> Reason:
    kind: Kind = "bad"
    if is_taken(text):
        kind = "taken"
    elif verb == "update" and is_unknown(text):
        kind = "unknown"
    return Reason(kind, text[:MAX_TEXT], status)
