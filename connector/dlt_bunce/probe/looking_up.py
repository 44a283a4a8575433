"""Look-ups: in which ways customers are found, when a write is seen, and how many at a time."""

from __future__ import annotations

from collections.abc import Sequence

from dlt_bunce.api.lookup import MAX_CHARACTERS, Page, read_page
from dlt_bunce.api.reply import Reply
from dlt_bunce.probe.inquiry import Inquiry, is_too_many
from dlt_bunce.probe.steps import Asking, Get, Wait

LAGS_S = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
"""Waits before look-ups of a customer who was just created, until one sees it."""


def try_look_ups(inquiry: Inquiry) -> Asking[None]:
    """Ask in which ways the base can be looked up, right after it was created."""
    newest = inquiry.base[-1]["customer_id"]
    reply, page = yield from _first_seen(inquiry, newest)
    if page is None and reply.is_final:
        inquiry.note("lookup_by_id", "absent", reply)
        inquiry.note("lookup_form", "none", reply)
    elif page is not None:
        _note_form(inquiry, reply)
        yield from _judge_list(inquiry, newest, reply, page)
    yield from _try_emails(inquiry)
    yield from _try_path(inquiry, newest)
    if inquiry.lists:
        yield from _try_many(inquiry, [c["customer_id"] for c in inquiry.base])


def widen(inquiry: Inquiry, ids: Sequence[str]) -> Asking[None]:
    """Ask for as many of the ids, all of which exist, as fit one request."""
    if inquiry.lists and inquiry.answer("lookup_overflow") == "not met":
        known = inquiry.max_ids
        yield from inquiry.outwait_lag()
        yield from _try_many(inquiry, _that_fit(ids))
        inquiry.max_ids = max(known, inquiry.max_ids)


def try_pages(inquiry: Inquiry) -> Asking[None]:
    """Ask how many customers a page has."""
    for question, query in (("default_page", {}), ("largest_page", {"per_page": "250"})):
        reply = yield Get(query)
        page = read_page(reply)
        if page is None:
            continue
        size = _page_size(reply)
        if size is None and page.more:
            size = len(page.customers)
        if size is not None:
            inquiry.note(question, str(size), f"{len(page.customers)} listed")
            inquiry.figures[question] = size


def _first_seen(inquiry: Inquiry, customer_id: str) -> Asking[tuple[Reply, Page | None]]:
    """Look up a customer until it is seen; the waits that took are those of later look-ups."""
    reply, page = Reply("not_sent"), None
    for number, seconds in enumerate(LAGS_S, start=1):
        yield Wait(seconds)
        reply, page = yield from inquiry.listed("customer_ids", [customer_id])
        if page is None or page.customers:
            inquiry.lag = LAGS_S[:number]
            break
    return reply, page


def _judge_list(inquiry: Inquiry, newest: str, reply: Reply, page: Page) -> Asking[None]:
    if not page.customers:
        inquiry.note("lookup_lag", "never seen", f"not seen in {len(LAGS_S)} look-ups")
        return
    if page.customers.keys() == {newest}:
        nobody = inquiry.customers.one()["customer_id"]
        reply, others = yield from _list(inquiry, "customer_ids", nobody)
        inquiry.lists = others is not None and not others.customers
    works = inquiry.lists
    inquiry.note("lookup_by_id", "works" if works else "filter ignored", reply)
    if works:
        waited = sum(inquiry.lag)
        looks = f"seen by look-up {len(inquiry.lag)}, after {waited:g} s"
        inquiry.note("lookup_lag", "at once" if len(inquiry.lag) == 1 else "later", looks)
        inquiry.figures["lag_s"] = waited


def _try_emails(inquiry: Inquiry) -> Asking[None]:
    """Ask for a customer by email, and for nobody."""
    wanted = inquiry.base[-1]
    reply, page = yield from _list(inquiry, "emails", wanted["email"])
    if page is None:
        if reply.is_final:
            inquiry.note("lookup_by_email", "absent", reply)
        return
    works = page.customers.keys() == {wanted["customer_id"]}
    if works:
        reply, page = yield from _list(inquiry, "emails", inquiry.customers.one()["email"])
        works = page is not None and not page.customers
    if works or (page is not None and page.customers):
        inquiry.note("lookup_by_email", "works" if works else "filter ignored", reply)


def _try_path(inquiry: Inquiry, customer_id: str) -> Asking[None]:
    reply = yield Get(customer_id=customer_id)
    found = reply.is_well and customer_id in str(reply.document)
    if found:
        nobody = yield Get(customer_id=inquiry.customers.one()["customer_id"])
        inquiry.paths = nobody.status == 404
    if inquiry.paths or (reply.is_final and not found):
        inquiry.note("lookup_by_path", "works" if inquiry.paths else "absent", reply)


def _try_many(inquiry: Inquiry, ids: Sequence[str]) -> Asking[None]:
    """Ask for all of the ids, and for half as many until all that are asked for are found."""
    most, overflow, evidence = len(ids), "not met", ""
    while most > 1:
        reply, page = yield from inquiry.listed("customer_ids", ids[:most])
        seen = 0 if page is None else len(page.customers)
        if seen == most:
            evidence = f"{most} of {most} found"
            break
        if page is None and not is_too_many(reply):
            return
        if page is None or not page.more:
            overflow = "refused" if page is None else "cut"
            told = f"HTTP {reply.status}, {seen} of {most} found"
            inquiry.note("lookup_overflow", overflow, told)
        most = min(most // 2, seen or most)
    inquiry.max_ids = max(1, most)
    inquiry.note("lookup_ids", "all asked" if overflow == "not met" else str(most), evidence)
    if overflow == "not met":
        inquiry.note("lookup_overflow", overflow, evidence)
    else:
        inquiry.figures["lookup_ids"] = inquiry.max_ids


def _list(inquiry: Inquiry, name: str, value: str) -> Asking[tuple[Reply, Page | None]]:
    return (yield from inquiry.listed(name, [value]))


def _note_form(inquiry: Inquiry, reply: Reply) -> None:
    document = reply.document or {}
    inside = isinstance(document.get("data"), dict)
    inquiry.note("lookup_form", "inside data" if inside else "beside data", reply)


def _page_size(reply: Reply) -> int | None:
    document = reply.document or {}
    data = document.get("data")
    meta = document.get("meta") or (data.get("meta") if isinstance(data, dict) else None)
    size = meta.get("per_page") if isinstance(meta, dict) else None
    return size if isinstance(size, int) and not isinstance(size, bool) and size > 0 else None


def _that_fit(ids: Sequence[str]) -> list[str]:
    """As many of the ids as fit the URL of one request."""
    size, fit = 0, []
    for customer_id in ids:
        size += len(customer_id) + 1
        if size > MAX_CHARACTERS:
            break
        fit.append(customer_id)
    return fit
