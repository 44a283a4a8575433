"""What a probe has found so far, and how it looks at the outcome of a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from dlt_bunce.api.batch import Row, Rows
from dlt_bunce.api.lookup import Page, customers_of, read_page
from dlt_bunce.api.reply import Reply
from dlt_bunce.model import Verb
from dlt_bunce.probe.customers import MarkedCustomers
from dlt_bunce.probe.questions import QUESTIONS, Finding
from dlt_bunce.probe.shapes import Shapes
from dlt_bunce.probe.steps import Asking, Bulk, Customer, Get, Wait
from dlt_bunce.settlement import replies
from dlt_bunce.settlement.capabilities import is_about_the_account
from dlt_bunce.settlement.messages import Accepted, Rejected

REQUIRED = ("customer_id", "email", "first_name", "last_name", "phone_no")
ROWS = 24
"""Customers in a test batch."""
_MAX_PAGES = 3
_MAX_LISTS = 3
"""Requests that a look-up of many ids may take; the others are not looked up."""
_REFUSED = frozenset({400, 413, 414, 422, 431})
"""What a look-up of too many ids may get."""


class RefusedAccountError(Exception):
    """The account is refused, whatever it sends."""

    def __init__(self, reply: Reply) -> None:
        super().__init__("the account is refused")
        self.reply = reply


@dataclass(frozen=True)
class Outcome:
    """A bulk request, its reply, and how a load would read that."""

    sent: Sequence[Customer]
    reply: Reply
    read: replies.Reading

    @property
    def is_accepted(self) -> bool:
        """Whether the whole request is a success."""
        return isinstance(self.read, Accepted)

    @property
    def is_refused(self) -> bool:
        """Whether some rows, or the request, are refused for what they contain."""
        return isinstance(self.read, Rejected)

    @property
    def document(self) -> Mapping[str, Any]:
        """The body of the reply, empty if it is no JSON object."""
        return self.reply.document or {}

    @property
    def shown(self) -> dict[str, Customer]:
        """The customers in the reply, by id."""
        return by_id(customers_of(self.document))


@dataclass
class Inquiry:
    """One probe: its customers, its findings, and what its next questions depend on.

    `rows` is how many customers a test batch has, `base` are customers known to exist. `lists` and
    `paths` say whether customers can be looked up so, `max_ids` by how many ids at once, and `lag`
    are the waits before look-ups until one sees a write. `figures` are the numbers that loads use.
    """

    customers: MarkedCustomers
    max_batch: int
    rows: int = ROWS
    base: list[Customer] = field(default_factory=list)
    lists: bool = False
    paths: bool = False
    max_ids: int = 1_000
    lag: tuple[float, ...] = (0.0,)
    findings: dict[str, Finding] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def shapes(self) -> Shapes:
        """Describes replies to what was sent."""
        return Shapes(self.customers.values)

    def note(self, question: str, answer: str, evidence: Reply | Outcome | str) -> None:
        """Keep the answer to a question. Raises KeyError for one that it cannot have."""
        QUESTIONS[question].meaning(answer)
        if isinstance(evidence, Outcome):
            evidence = evidence.reply
        shape = evidence if isinstance(evidence, str) else self.shapes.of(evidence)
        self.findings[question] = Finding(question, answer, shape)

    def answer(self, question: str) -> str | None:
        """Return the answer to a question, None while there is none."""
        found = self.findings.get(question)
        return None if found is None else found.answer

    # asking

    def send(self, verb: Verb, customers: Sequence[Customer]) -> Asking[Outcome]:
        """Send one bulk request. Raises RefusedAccountError."""
        reply = yield Bulk(verb, customers)
        read = replies.read(reply, _rows_of(customers), range(len(customers)), verb)
        if isinstance(read, Rejected) and is_about_the_account(read.words):
            raise RefusedAccountError(reply)
        return Outcome(customers, reply, read)

    def find(self, ids: Sequence[str]) -> Asking[dict[str, Customer | None]]:
        """Look up customers: what is known of each, None for one that is not there.

        An id that is not in the result was not looked up, as one that would not survive a list.
        """
        ids = [customer_id for customer_id in ids if "," not in customer_id]
        if not ids or not (self.lists or self.paths):
            return {}
        yield from self.outwait_lag()
        found: dict[str, Customer | None] = {}
        for _ in range(_MAX_LISTS):
            left = [customer_id for customer_id in ids if customer_id not in found]
            some = (yield from self._some(left)) if left else {}
            if not some:
                break
            found |= some
        return found

    def outwait_lag(self) -> Asking[None]:
        """Wait, with as many look-ups in between, as it took until one saw a write."""
        for seconds in self.lag[:-1]:
            yield Wait(seconds)
            yield from self._some([self.base[0]["customer_id"]])
        yield Wait(self.lag[-1])

    def content(self, outcome: Outcome, customer_id: str) -> Asking[Customer | None]:
        """Return a customer after a request: as looked up, or else as the reply shows it."""
        found = yield from self.find([customer_id])
        return found[customer_id] if customer_id in found else outcome.shown.get(customer_id)

    def listed(self, name: str, values: Sequence[str]) -> Asking[tuple[Reply, Page | None]]:
        """Look up by one filter, page by page; return the first reply, and what all pages show."""
        query = {name: ",".join(values), "per_page": str(len(values) + 1)}
        first: Reply | None = None
        customers: dict[str, Customer] = {}
        page: Page | None = None
        for _ in range(_MAX_PAGES):
            reply = yield Get(query)
            first, page = first or reply, read_page(reply)
            if page is None:
                return first, None
            customers |= page.customers
            if page.cursor is None:
                break
            query = {**query, "cursor": page.cursor}
        assert first is not None  # noqa: S101, there is a page at least
        assert page is not None  # noqa: S101
        return first, Page(customers, page.cursor, page.more)

    def _some(self, ids: Sequence[str]) -> Asking[dict[str, Customer | None]]:
        """Look up the first of the ids, as many as one request tells of."""
        if not self.lists:
            reply = yield Get(customer_id=ids[0])
            shown = by_id(customers_of(reply.document or {})) if reply.is_well else {}
            return {ids[0]: shown.get(ids[0])}
        asked = ids[: self.max_ids]
        _, page = yield from self.listed("customer_ids", asked)
        if page is None:
            return {}
        # on pages that were not all read, nobody is known to be absent
        told = list(page.customers) if page.more else asked
        return {customer_id: page.customers.get(customer_id) for customer_id in told}


def is_too_many(reply: Reply) -> bool:
    """Whether a look-up may have been refused for the number of its ids."""
    return reply.arrival == "answered" and reply.status in _REFUSED


def by_id(customers: Sequence[Customer]) -> dict[str, Customer]:
    """Return customers by their ids."""
    return {str(customer.get("customer_id")): customer for customer in customers}


def _rows_of(customers: Sequence[Customer]) -> Rows:
    """Return the customers as a load would send them, for reading what is said of them."""
    columns = {name: pa.nulls(len(customers), pa.string()) for name in Row._fields}
    columns |= {
        name: pa.array([str(customer.get(name) or "") for customer in customers], pa.string())
        for name in REQUIRED
    }
    columns |= {"payload": pa.array(["{}"] * len(customers), pa.string())}
    columns |= {"indeterminate": pa.array([False] * len(customers), pa.bool_())}
    return Rows(pa.table(columns))
