"""What an answer looked like, without any value in it.

A word of a message is kept if it is a usual word of error messages, and a key if it is a known
field; of every other word or key, and of every value, only the shape is shown. A number is kept if
it is short and alone, as a count, a position, or a limit is, and a part of a phone number is not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any

from dlt_bunce.api.reply import Reply

_MAX_TEXT = 120
_MAX_KEYS = 12
_MAX_DEPTH = 5
_SHORT_NUMBER = 3
"""Digits that numbers may have together, without a usual word between them."""
_USUAL = """
    a account active address allowed already an and any api are array as at attribute attributes
    bad batch be been before body bulk by bytes cannot change changed character characters conflict
    contain count country create created creating customer customers data database date deleted
    device devices does duplicate email emails empty encountered entity error errors exceed
    exceeded exceeds exist existing exists fail failed failure field fields first for forbidden
    format found from gateway greater has have html http id ids identifier in index invalid is item
    items json key large last least length less limit list long mail many maximum may message
    minimum missing more most must name no not null number numeric object of on one only or other
    out page parameter partial payload permission phone plan please position present provided
    reached read record records refused rejected replace request requests required retrieved row
    rows saved server short size some something status string success successfully than that the
    these this to token too type unique unknown update updated updating upgrade use used user valid
    validation value values was were went while with workspace wrong you your zero
    customer_id customer_ids device_id device_type device_token email_address first_name last_name
    per_page phone_no taken
    """
_WORDS = frozenset(_USUAL.split())
_EMAIL = re.compile(r"[^\s\"'`<>(),;]+@[^\s\"'`<>(),;]+")
_KNOWN_FIELDS = """
    attribute attribute_id attributes channel_state code created_at customer customer_created_at
    customer_email customer_id customer_ids customers data data_type description detail details
    device device_id device_token device_type devices email email_address email_addresses error
    errors field first_name has_next_page has_prev_page id index items last_name message meta name
    next_page_cursor ok page path per_page phone_no prev_page_cursor reason region request_id result
    segment_id segments status success title token total trace type updated_at value values
    """
_FIELDS = frozenset(_KNOWN_FIELDS.split())
_PART = re.compile(r"<(?:id|email|phone)>|[^\W\d]+|\d+")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TOLD = frozenset({"message", "errors", "error", "detail", "details"})
"""Keys below which texts are messages."""

_LATE = {"data": 1, "meta": 2}


class Shapes:
    """Describes replies; `values` are what was sent, and what each of them is."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def of(self, reply: Reply) -> str:
        """Return the status of a reply and the shape of its body, in one line."""
        if reply.arrival != "answered":
            return reply.describe()
        if reply.document is None:
            return f"HTTP {reply.status}, no JSON"
        return f"HTTP {reply.status} {self._shape(reply.document, told=False, depth=0)}"

    def words(self, text: str, known_words: frozenset[str] = _WORDS) -> str:
        """Return a message with only known words, and what it names as `<id>` or `<email>`."""
        # the longest first: one value may be the beginning of another
        known = [value for value in self._values if value in text]
        for value in sorted(known, key=len, reverse=True):
            text = text.replace(value, f"<{self._values[value]}>")
        return _cut(_masked(_EMAIL.sub("<email>", text), known_words))

    def _shape(self, value: Any, *, told: bool, depth: int) -> str:
        if depth > _MAX_DEPTH:
            return "…"
        if isinstance(value, dict):
            return "{" + ", ".join(self._members(value, told, depth)) + "}"
        if isinstance(value, list):
            if not value:
                return "[]"
            return f"[{len(value)} x {self._shape(value[0], told=told, depth=depth + 1)}]"
        if isinstance(value, str):
            return f'"{self.words(value)}"' if told else self._kind(value)
        if isinstance(value, bool) or value is None:
            return {True: "true", False: "false", None: "null"}[value]
        return "number"

    def _members(self, value: Mapping[str, Any], told: bool, depth: int) -> Iterator[str]:
        # what an answer says first, then what it shows
        members = sorted(value.items(), key=lambda member: _LATE.get(member[0], 0))
        for number, (key, member) in enumerate(members):
            if number == _MAX_KEYS:
                yield "…"
                return
            below = told or key in _TOLD
            shape = self._shape(member, told=below, depth=depth + 1)
            yield f"{self.words(key, _FIELDS)}: {shape}"

    def _kind(self, value: str) -> str:
        if value in self._values:
            return self._values[value]
        for kind, pattern in (("email", _EMAIL), ("uuid", _UUID)):
            if pattern.fullmatch(value):
                return kind
        return "time" if _TIME.match(value) else "text"


def _masked(text: str, known_words: frozenset[str]) -> str:
    parts = _PART.findall(text)
    # numbers belong together unless a word of some length parts them: "12 ext. 34", but "1 of 3"
    runs = list(accumulate(int(len(p) > 1 and _is_known(p, known_words)) for p in parts))
    digits = Counter[int]()
    for part, run in zip(parts, runs, strict=True):
        digits[run] += len(part) if part.isdecimal() else 0
    lengths = iter([digits[run] for run in runs])
    return _PART.sub(lambda found: _part(found[0], known_words, next(lengths)), text)


def _is_known(part: str, known_words: frozenset[str]) -> bool:
    return part.casefold() in known_words


def _part(part: str, known_words: frozenset[str], digits: int) -> str:
    """Return a part of a text as it may be shown; `digits` are those of the numbers around it."""
    if part.startswith("<") or _is_known(part, known_words):
        return part
    if part.isdecimal():
        return part if digits <= _SHORT_NUMBER else "9" * len(part)
    return "".join(map(_character, part))


def _character(c: str) -> str:
    if c.isupper():
        return "A"
    return "a" if c.isalpha() else "9" if c.isnumeric() else c


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"
