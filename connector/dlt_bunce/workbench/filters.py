"""Conversion between query strings or forms and selections of dead letters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import ImmutableMultiDict

from dlt_bunce.store.letters.dead_letter_query import Key
from dlt_bunce.store.letters.selection import STATUSES, Selection
from dlt_bunce.workbench.error_page import ErrorPage

Given = ImmutableMultiDict[str, Any]

ANY = "any"
_NAMES = ("status", "code", "field", "run", "since", "until")
_ID = re.compile("[0-9a-f]{24}")
_KEY = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]+\+00:00),([0-9a-f]{24})")

MAX_PAGES = 1_000_000


@dataclass(frozen=True)
class Filter:
    """The filter form's fields as entered; empty fields are ignored.

    None holds data of a row, so they may be part of a URL. Times are UTC.
    """

    status: str = "open"
    code: str = ""
    field: str = ""
    run: str = ""
    since: str = ""
    until: str = ""

    @property
    def selection(self) -> Selection:
        """The matching dead letters. Raises ErrorPage for an unknown status or an invalid time."""
        if self.status not in (*STATUSES, ANY):
            raise ErrorPage(400, "Unknown status", f"Choose one of: {', '.join((*STATUSES, ANY))}.")
        return Selection(
            status=None if self.status == ANY else self.status,
            codes=[self.code] if self.code else None,
            fields=[self.field] if self.field else None,
            run_ids=[self.run] if self.run else None,
            since=moment(self.since),
            until=moment(self.until),
        )

    @property
    def given(self) -> dict[str, str]:
        """The fields that differ from their defaults."""
        empty = Filter()
        pairs = ((name, str(getattr(self, name))) for name in _NAMES)
        return {name: value for name, value in pairs if value != getattr(empty, name)}

    def with_code(self, code: str) -> Filter:
        """Return a filter for one code, with the same status."""
        return Filter(status=self.status, code=code)

    def address(self, **more: str) -> str:
        """Return the address of the dead letters page with this filter, below the root."""
        query = urlencode(self.given | more)
        return f"/letters?{query}" if query else "/letters"


def filter_of(given: Given) -> Filter:
    """Parse the filter from a query string or a form."""
    return Filter(**{name: str(given[name]).strip() for name in _NAMES if name in given})


def ids_of(given: Given) -> list[str]:
    """Return the ids of the checked dead letters. Raises ErrorPage for an invalid id."""
    return [check_id(str(letter_id)) for letter_id in given.getlist("id")]


def key_of(given: Mapping[str, object], name: str) -> Key | None:
    """Return the key at which a page begins. Raises ErrorPage if it is invalid."""
    text = str(given.get(name, ""))
    if not text:
        return None
    found = _KEY.fullmatch(text)
    if found is None:
        raise ErrorPage(400, "Unknown page", "Start again from the newest dead letters.")
    return found[1], found[2]


def key_text(letter: Mapping[str, str]) -> str:
    """Return the key of a dead letter, for use in a URL."""
    return f"{letter['last_seen_at']},{letter['id']}"


def check_id(letter_id: str) -> str:
    """Return the id of a dead letter unchanged. Raises ErrorPage if it is invalid."""
    if not _ID.fullmatch(letter_id):
        raise ErrorPage(400, "Unknown dead letter", "An id has 24 hexadecimal digits.")
    return letter_id


def moment(text: str) -> datetime | None:
    """Parse a time of a form, as UTC if it has no offset. Raises ErrorPage if it is invalid."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise ErrorPage(
            400, "Invalid time", "Write times in UTC, such as 2026-11-25T09:30."
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def page_number(text: str) -> int:
    """Parse the number of a page of runs. Raises ErrorPage."""
    if not (text.isdecimal() and 0 < int(text) < MAX_PAGES):
        raise ErrorPage(400, "Unknown page", "Start again from the newest runs.")
    return int(text)
