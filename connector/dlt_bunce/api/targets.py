"""Attributes and segments as Bunce lists them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from dlt_bunce.api.reply import Reply
from dlt_bunce.errors import CredentialsError, UnavailableError

_PER_PAGE = 100
_MAX_PAGES = 1_000
_NOT_FOUND = 404
Get = Callable[[str, Mapping[str, str]], Reply]
Post = Callable[[str, bytes], Reply | None]


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


def create_attribute(post: Post, name: str, data_type: str) -> dict[str, Any]:
    """Create an attribute. Raises UnavailableError when Bunce does not."""
    reply = post("/attributes", json.dumps({"name": name, "data_type": data_type}).encode())
    document = (reply and reply.document) or {}
    data = document.get("data")
    if reply is None or not reply.is_well or reply.flag is False or not isinstance(data, dict):
        seen = "no answer" if reply is None else reply.describe()
        raise UnavailableError(
            f"Bunce did not create the attribute {name!r}: {seen}.",
            remedy="Create it in Bunce's dashboard, then run again; nothing was sent.",
        )
    return data


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
