"""Customers by id: who is there, and who certainly is not."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import quote

from dlt_bunce.api.reply import Reply
from dlt_bunce.errors import CredentialsError, ListingError, UnavailableError
from dlt_bunce.logs import logger

MAX_IDS = 99
"""Ids a look-up starts with: with one more as `per_page`, the 100 that pages commonly hold. Twice
as many are asked for each time that so many were answered, until that is refused."""
MAX_CHARACTERS = 4_000
"""Common proxies refuse URLs above 8 KB."""
_MAX_PAGES = 50
_PAGE = 100
TOO_MANY = frozenset({400, 413, 414, 422, 431})
"""What a server may answer to more ids than it takes."""

_NOBODY = "no-such-customer-"

Customer = dict[str, Any]
Get = Callable[[str, Mapping[str, str]], Reply]


class _NoLookupError(Exception):
    """Customers cannot be looked up this way here."""


@dataclass(frozen=True)
class Page:
    """A page of a listing; `more` is what it says of a next page, None when it says nothing.

    `nameless` counts customers that are shown without an id.
    """

    customers: dict[str, Customer]
    cursor: str | None
    more: bool | None
    nameless: int = 0


class Lookup:
    """Looks customers up through `get(path, query)`, and learns how that works here.

    Presence is a fact. Absence could as well be a short page, a list of ids that was cut, or a
    filter that nobody reads. So each list ends with a *control id*, of a customer known to exist:
    only an answer that holds it was read to its end. And where the workspace may have no other
    customer, an id that cannot exist shows once whether the filter is obeyed.
    """

    def __init__(self, get: Get, max_ids: int | None = None) -> None:
        """`max_ids`: how many ids a look-up is known to take where more are refused or ignored."""
        self._get = get
        self._works: bool | None = None
        # batches that need it at the same time wait for one proof
        self._proof = threading.Lock()
        self._works_by_path = False
        self._control: str | None = None
        self.known_email: str | None = None
        """Email of a customer known to exist, once any listing has shown one."""
        self._others_exist = False
        self._most = min(max_ids or MAX_IDS, MAX_IDS)
        self._largest_answered = 0
        self._widens = max_ids is None

    def note(self, reply: Reply) -> None:
        """Take a control id from any listing."""
        page = read_page(reply)
        if page is not None:
            count = len(page.customers) + page.nameless
            self._others_exist = self._others_exist or bool(page.more) or count > 1
        for customer_id, customer in page.customers.items() if page else ():
            if self._control is None and fits_a_list(customer_id):
                self._control = customer_id
            if self.known_email is None and fits_a_list(str(customer.get("email") or "")):
                self.known_email = str(customer["email"])

    def page(self, cursor: str | None) -> Page:
        """Return a page of the listing of all customers. Raises ListingError when this is none."""
        query = {"per_page": str(_PAGE)} | ({"cursor": cursor} if cursor else {})
        page = read_page(self.answer("/customers", query))
        unsure = page is not None and page.more is None and len(page.customers) >= _PAGE
        if page is None or unsure or (page.more and page.cursor is None):
            raise ListingError(
                "Bunce does not list its customers in a way that can be read to the end.",
                remedy="Load without adopting: customers that exist are found as they are sent.",
            )
        return page

    def find(self, customer_ids: Iterable[str]) -> dict[str, Customer] | None:
        """Return the customers that exist among `customer_ids`, by id; None without look-ups.

        Raises UnavailableError or CredentialsError when a look-up is not answered.
        """
        ids = list(dict.fromkeys(customer_ids))
        if self._works is False:
            return None
        try:
            if not self._is_anybody_there():
                return {}
            found = self._by_list([i for i in ids if fits_a_list(i)])
            for customer_id in ids:
                if not fits_a_list(customer_id):
                    found |= self._by_path(customer_id)
        except _NoLookupError:
            return None
        return {i: found[i] for i in ids if i in found}

    def _is_anybody_there(self) -> bool:
        """Prove once that look-ups work, by a customer known to exist. False: there is none."""
        if self._works:
            return True
        with self._proof:
            return self._works or self._prove()

    def _prove(self) -> bool:
        if self._works is False:
            raise _NoLookupError
        if self._control is None:
            reply = self.answer("/customers", {"per_page": str(_PAGE)})
            page = read_page(reply)
            if page is None:
                self._give_up(reply)
            self.note(reply)
            if self._control is None:
                if page.customers or page.more:
                    raise _NoLookupError
                return False
        self._expect({self._control}, [self._control])
        if not self._others_exist:
            self._expect(set(), [_NOBODY + secrets.token_hex(8)])
        self._works = True
        return True

    def _expect(self, customers: set[str], ids: Sequence[str]) -> None:
        """Look up ids of which it is known which exist."""
        reply = self.answer("/customers", _query(ids))
        page = read_page(reply)
        if page is None or page.nameless or set(page.customers) != customers:
            self._give_up(reply)

    def _by_list(self, ids: Sequence[str]) -> dict[str, Customer]:
        found: dict[str, Customer] = {}
        left = list(ids)
        while left:
            control = str(self._control)
            # other threads change it meanwhile
            most = self._most
            part = portion(left, max(1, most - 1))
            alone = most == 1
            asked = part if alone else [*(i for i in part if i != control), control]
            page = self._list(asked)
            self._widens = self._widens and page is not None
            if page is None and len(asked) > 1:
                self._most = max(1, len(asked) // 2)
                continue
            if page is None:
                # refused alone: it is this id, not the number of ids
                self._most = self._largest_answered or MAX_IDS
                found |= self._by_path(part[0])
                left = left[1:]
                continue
            new = page.customers.keys() & set(left)
            found |= page.customers
            only_control = page.customers.keys() <= {control}
            ended = page.more is False or (page.more is None and only_control)
            if alone or (ended and control in page.customers):
                self._largest_answered = max(self._largest_answered, len(asked))
                left = left[len(part) :]
                if self._widens and len(part) == most - 1:
                    self._most *= 2
            else:
                left = [i for i in left if i not in new]
                if control not in page.customers or not new:
                    self._most = max(1, len(asked) // 2)
                    self._widens = False
        return found

    def _list(self, ids: Sequence[str]) -> Page | None:
        """All pages as one; None when so many ids are refused."""
        found: dict[str, Customer] = {}
        query = _query(ids)
        for _ in range(_MAX_PAGES):
            reply = self.answer("/customers", query)
            if reply.status in TOO_MANY:
                return None
            page = read_page(reply)
            # customers nobody asked for: the filter is not known there, absence means nothing
            if page is None or page.nameless or not page.customers.keys() <= set(ids):
                self._give_up(reply)
            grown = len(found)
            found |= page.customers
            if page.cursor is None or len(found) == grown:
                return Page(found, None, page.more)
            if len(found) == len(ids):
                break
            query = {**query, "cursor": page.cursor}
        return Page(found, None, len(found) < len(ids))

    def _by_path(self, customer_id: str) -> dict[str, Customer]:
        """One customer; a 404 means absent only where the call has found the control id before."""
        if not self._works_by_path:
            if not self._one(str(self._control)):
                raise _NoLookupError
            self._works_by_path = True
        return self._one(customer_id)

    def _one(self, customer_id: str) -> dict[str, Customer]:
        if not customer_id.strip("."):
            # a segment of dots is folded away on its way
            raise _NoLookupError
        reply = self.answer("/customers/" + quote(customer_id, safe=""), {})
        if reply.status == 404:
            return {}
        customers = customers_of(reply.document or {})
        if not 200 <= reply.status < 300 or [customer_id] != [
            str(customer.get("customer_id")) for customer in customers
        ]:
            raise _NoLookupError
        return {customer_id: customers[0]}

    def answer(self, path: str, query: Mapping[str, str]) -> Reply:
        """Return a final reply. Raises UnavailableError or CredentialsError."""
        reply = self._get(path, query)
        if reply.arrival == "answered" and reply.status in (401, 403):
            raise CredentialsError(
                f"Bunce refuses the API key for look-ups (HTTP {reply.status}).",
                remedy="Set a valid key and run again; what was not settled is kept.",
            )
        if not reply.is_final:
            raise UnavailableError(
                f"A look-up was not answered: {reply.describe()}.",
                remedy="Run again later: settled rows are not sent again, the others are kept.",
            )
        return reply

    def _give_up(self, reply: Reply) -> NoReturn:
        self._works = False
        logger().info("lookup.unsupported", status=reply.status)
        raise _NoLookupError


def customers_of(document: Mapping[str, Any]) -> list[Customer]:
    """Return the customers of a body: `data` as a list, or as an object with `data` inside."""
    data = document.get("data")
    if isinstance(data, dict):
        data = data.get("data", [data])
    return [c for c in data if isinstance(c, dict)] if isinstance(data, list) else []


def read_page(reply: Reply) -> Page | None:
    """Return the page that a reply holds, or None when it is not a listing."""
    document = reply.document
    if reply.arrival != "answered" or not 200 <= reply.status < 300 or document is None:
        return None
    data = document.get("data")
    inner = data if isinstance(data, dict) else {}
    if reply.flag is False or not isinstance(inner.get("data", data), list):
        return None
    meta = document.get("meta") or inner.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    cursor, more = meta.get("next_page_cursor"), meta.get("has_next_page")
    more = more if isinstance(more, bool) else (True if cursor else None)
    shown = customers_of(document)
    named = {found: customer for customer in shown if (found := id_of(customer)) is not None}
    nameless = sum(id_of(customer) is None for customer in shown)
    return Page(named, str(cursor) if cursor and more else None, more, nameless)


def id_of(customer: Mapping[str, Any]) -> str | None:
    """Return a customer's id; None where it is shown without one."""
    customer_id = customer.get("customer_id")
    return None if customer_id is None or customer_id == "" else str(customer_id)


def _query(ids: Sequence[str]) -> dict[str, str]:
    # room for one more than asked for: a filter that is not read shows itself at once
    return {"customer_ids": ",".join(ids), "per_page": str(len(ids) + 1)}


def fits_a_list(customer_id: str) -> bool:
    """Whether an id survives being joined by commas, split, and perhaps trimmed."""
    return "," not in customer_id and customer_id == customer_id.strip() != ""


def portion(ids: Sequence[str], most: int) -> list[str]:
    """As many of the first ids as fit one URL, at least one."""
    size = 0
    for number, customer_id in enumerate(ids[:most]):
        size += len(quote(customer_id)) + 1
        if number and size > MAX_CHARACTERS:
            return list(ids[:number])
    return list(ids[:most])
