"""What an answer looked like, without any value in it.

A word of a message is kept if it is a usual word of error messages; of every other word, and of
every value, only the shape is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dlt_bunce.api.reply import Reply

_MAX_TEXT = 120
_MAX_KEYS = 12
_MAX_DEPTH = 5
_SHORT_NUMBER = 3
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
_KEY = re.compile(r"[A-Za-z_][A-Za-z_]{0,39}")
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

    def words(self, text: str) -> str:
        """Return a message with only the usual words, and what it names as `<id>` or `<email>`."""
        # the longest first: one value may be the beginning of another
        known = [value for value in self._values if value in text]
        for value in sorted(known, key=len, reverse=True):
            text = text.replace(value, f"<{self._values[value]}>")
        text = _EMAIL.sub("<email>", text)
        return _cut(_PART.sub(lambda part: _part(part[0]), text))

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
            is_name = _KEY.fullmatch(key) and key not in self._values
            below = told or key in _TOLD
            shape = self._shape(member, told=below, depth=depth + 1)
            yield f"{key if is_name else self.words(key)}: {shape}"

    def _kind(self, value: str) -> str:
        if value in self._values:
            return self._values[value]
        for kind, pattern in (("email", _EMAIL), ("uuid", _UUID)):
            if pattern.fullmatch(value):
                return kind
        return "time" if _TIME.match(value) else "text"


def _part(part: str) -> str:
    if part.startswith("<"):
        return part
    if part.isdigit():
        return part if len(part) <= _SHORT_NUMBER else "9" * len(part)
    if part.casefold() in _WORDS:
        return part
    return "".join("A" if c.isupper() else "a" if c.isalpha() else c for c in part)


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"
