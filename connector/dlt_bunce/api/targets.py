"""Attributes and segments as Bunce lists them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dlt_bunce.api.observer import RequestInfo
from dlt_bunce.api.reply import Reply
from dlt_bunce.errors import CredentialsError, UnavailableError

if TYPE_CHECKING:
    from dlt_bunce.api.client import Session

_PER_PAGE = 100
_MAX_PAGES = 1_000
_NOT_FOUND, _TOO_MANY = 404, 429
Get = Callable[[str, Mapping[str, str]], Reply]


def list_all(get: Get, path: str) -> list[dict[str, Any]]:
    """Return all items of the listing at `path` (/attributes or /segments), page by page.

    Attributes are paged by cursor, segments by number: both are sent. Raises UnavailableError or
    CredentialsError when a page is not answered.
    """
    found: dict[str, dict[str, Any]] = {}
    query = {"per_page": str(_PER_PAGE)}
    for number in range(2, _MAX_PAGES):
        reply = get(path, query)
        if found and reply.status == _NOT_FOUND:
            break  # a page after the last one
        items, cursor, more = _page(reply, path)
        new = [item for item in items if str(item["id"]) not in found]
        found |= {str(item["id"]): item for item in items}
        # a listing that ignores the page shows the same items again; one that does not say whether
        # more follow may hold fewer than asked for
        if not new or more is False:
            break
        query = {"per_page": str(_PER_PAGE), "page": str(number)}
        if cursor:
            query = {"per_page": str(_PER_PAGE), "cursor": cursor}
    return list(found.values())


def create_attribute(session: Session, name: str, data_type: str) -> dict[str, Any]:
    """Return an attribute that is created now, or that a request has made whose answer got lost.

    Raises UnavailableError when Bunce does not create it, and as `list_all` does.
    """
    path = "/attributes"
    body = json.dumps({"name": name, "data_type": data_type}).encode()
    attempt = 1
    while True:
        question = RequestInfo("POST", path, "values", attempt=attempt)
        reply = session.deliver(question, path, body, lambda: False)
        if reply is None:
            raise _not_created(name, "the load ends", "Run again")
        if (made := _item(reply)) is not None:
            return made
        if reply.is_final and not reply.is_cut_off:
            remedy = "Create it in Bunce's dashboard, then run again"
            raise _not_created(name, reply.describe(), remedy)
        if not session.pause(reply, attempt):
            raise _not_created(name, reply.describe(), "Run again later")
        # unless the request was refused or never left, it may have made the attribute
        if reply.status != _TOO_MANY and reply.arrival != "not_sent":
            for item in list_all(session.get, path):
                if item["name"] == name:
                    return item
        attempt += 1


def _item(reply: Reply) -> dict[str, Any] | None:
    """Return what a request has made, None if it has not."""
    data = (reply.document or {}).get("data")
    is_made = reply.is_well and reply.flag is not False and isinstance(data, dict)
    return data if is_made else None


def _not_created(name: str, why: str, remedy: str) -> UnavailableError:
    return UnavailableError(
        f"Bunce did not create the attribute {name!r}: {why}.",
        remedy=f"{remedy}; nothing was sent.",
    )


def _page(reply: Reply, path: str) -> tuple[list[dict[str, Any]], str | None, bool | None]:
    """Return the items of a page, the cursor of the next one, and whether there is one."""
    if reply.status in (401, 403):
        raise CredentialsError(
            f"Bunce refuses the API key for {path} (HTTP {reply.status}).",
            remedy="Set a key that may read attributes and segments; nothing was sent.",
        )
    document = reply.document or {}
    data = document.get("data")
    inner = data if isinstance(data, dict) else {}
    items = inner.get("data", data)
    if not reply.is_well or reply.flag is False or not isinstance(items, list):
        raise UnavailableError(
            f"Bunce does not list {path}: {reply.describe()}.",
            remedy="Run again later; nothing was sent. Without attributes and segments in the "
            "mapping, customers load without them.",
        )
    meta = document.get("meta") or inner.get("meta") or {}
    cursor, more = meta.get("next_page_cursor"), meta.get("has_next_page")
    more = more if isinstance(more, bool) else (True if cursor else None)
    rows = [item for item in items if isinstance(item, dict) and "id" in item and "name" in item]
    return rows, str(cursor) if cursor else None, more
