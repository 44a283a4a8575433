"""What is asked for in an address or a form, as a selection of letters, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import ImmutableMultiDict

from dlt_bunce.store.dead_letter_query import STATUSES, Key, Selection
from dlt_bunce.workbench.error_page import ErrorPage

Given = ImmutableMultiDict[str, Any]

ANY = "any"
_NAMES = ("status", "code", "field", "run", "since", "until")
_ID = re.compile("[0-9a-f]{24}")
_KEY = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]+\+00:00),([0-9a-f]{24})")


@dataclass(frozen=True)
class Filter:
    """The fields of the form as they were filled in; empty ones do not count. No value of a row is
    among them, so that they may stand in an address. Times are UTC.
    """

    status: str = "open"
    code: str = ""
    field: str = ""
    run: str = ""
    since: str = ""
    until: str = ""

    @property
    def selection(self) -> Selection:
        """The letters that match. Raises ErrorPage for what is no status or no time."""
        if self.status not in (*STATUSES, ANY):
            raise ErrorPage(400, "Unknown status", f"Choose one of: {', '.join((*STATUSES, ANY))}.")
        return Selection(
            status=None if self.status == ANY else self.status,
            codes=[self.code] if self.code else [],
            fields=[self.field] if self.field else [],
            run_ids=[self.run] if self.run else [],
            since=moment(self.since),
            until=moment(self.until),
        )

    @property
    def given(self) -> dict[str, str]:
        """The fields that differ from an empty form."""
        empty = Filter()
        pairs = ((name, str(getattr(self, name))) for name in _NAMES)
        return {name: value for name, value in pairs if value != getattr(empty, name)}

    def with_code(self, code: str) -> Filter:
        """The letters of one code that have the same status."""
        return Filter(status=self.status, code=code)

    def address(self, **more: str) -> str:
        """The page of letters with this filter."""
        query = urlencode(self.given | more)
        return f"/letters?{query}" if query else "/letters"


def filter_of(given: Given) -> Filter:
    """The filter that a query or a form holds."""
    return Filter(**{name: str(given[name]).strip() for name in _NAMES if name in given})


def ids_of(given: Given) -> list[str]:
    """Letters that were checked. Raises ErrorPage for what is no id."""
    return [check_id(str(one)) for one in given.getlist("id")]


def key_of(given: Mapping[str, object], name: str) -> Key | None:
    """Where a page begins. Raises ErrorPage for what is no key."""
    text = str(given.get(name, ""))
    if not text:
        return None
    found = _KEY.fullmatch(text)
    if found is None:
        raise ErrorPage(400, "Unknown page", "Begin again with the newest letters.")
    return found[1], found[2]


def key_text(letter: Mapping[str, str]) -> str:
    """The key of a letter, for an address."""
    return f"{letter['last_seen_at']},{letter['id']}"


def check_id(letter_id: str) -> str:
    """The id of a letter as it was sent. Raises ErrorPage for what is none."""
    if not _ID.fullmatch(letter_id):
        raise ErrorPage(400, "Unknown letter", "What was sent is no id of a dead letter.")
    return letter_id


def moment(text: str) -> datetime | None:
    """A time as a form sends it, in UTC unless it says otherwise. Raises ErrorPage."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise ErrorPage(
            400, "Unknown time", "Write times in UTC such as 2026-11-25T09:30."
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)
