"""Customers by email: all who have it, or nothing where that is not certain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dlt_bunce.api.lookup import TOO_MANY, Customer, customers_of, fits_a_list, portion, read_page
from dlt_bunce.api.reply import Reply

_MAX_EMAILS = 50
_PER_PAGE = 100
_MAX_PAGES = 20

Answer = Callable[[str, Mapping[str, str]], Reply]


class EmailLookup:
    """Looks customers up by email through `answer(path, query)`, and learns how that works here.

    An answer counts only if it was read to its end and shows nobody who was not asked for: else
    the filter is not obeyed. A list of several emails could have been cut, so it ends with the
    email of a customer known to exist.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._works = True
        self._answered = False
        self._most = _MAX_EMAILS

    def find(self, emails: Sequence[str], control: str | None) -> dict[str, list[Customer]]:
        """Return everybody who has each of `emails`; one that cannot be looked up is left out.

        `control` is the email of some customer who exists. Case makes no difference. Raises what
        `answer` raises.
        """
        asked = {email.lower(): email for email in emails}
        left = [email for email in asked.values() if fits_a_list(email)]
        found: dict[str, list[Customer]] = {}
        while left and self._works:
            # other threads change it meanwhile
            most = self._most
            now = portion(left, most)
            alone = len(now) == 1
            last = [] if control is None or alone else [control]
            others = (email for email in now if alone or email.lower() != str(control).lower())
            page = self._all_pages([*others, *last])
            cut = page is None or not {e.lower() for e in last} <= set(map(_email_of, page))
            if cut and not alone and self._works:
                self._most = max(1, len(now) // 2)
                continue
            self._answered = self._answered or page is not None
            # one email is refused, and never was any other answered: this is no filter here
            self._works = self._works and self._answered
            if page is not None:
                for email in now:
                    key = email.lower()
                    found[email] = [c for c in page if _email_of(c) == key]
            left = left[len(now) :]
        return {
            given: found[asked[given.lower()]] for given in emails if asked[given.lower()] in found
        }

    def _all_pages(self, emails: Sequence[str]) -> list[Customer] | None:
        """Return all customers with these emails; None if the answer may lack some."""
        keys = {email.lower() for email in emails}
        found: list[Customer] = []
        query = {"emails": ",".join(emails), "per_page": str(_PER_PAGE)}
        for _ in range(_MAX_PAGES):
            reply = self._answer("/customers", query)
            page = read_page(reply)
            if page is None or page.more is None:
                # more than it takes, or no listing at all
                self._works = self._works and reply.status in TOO_MANY
                return None
            customers = customers_of(reply.document or {})
            if not keys.issuperset(map(_email_of, customers)):
                self._works = False
                return None
            found += customers
            if not page.more:
                return found
            if page.cursor is None or not customers:
                return None
            query = {**query, "cursor": page.cursor}
        return None


def _email_of(customer: Mapping[str, Any]) -> str:
    return str(customer.get("email") or "").strip().lower()
