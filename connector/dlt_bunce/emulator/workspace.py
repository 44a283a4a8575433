"""Customers of one emulated Bunce workspace, and how they are created and updated."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import TYPE_CHECKING, Any

from dlt_bunce.emulator import rules
from dlt_bunce.emulator.attributes import Attributes
from dlt_bunce.emulator.draft import Draft, email_key
from dlt_bunce.emulator.rules import REQUIRED, Customer, Row, RowError

if TYPE_CHECKING:
    from dlt_bunce.emulator.behavior import Behavior

_FIRST_DAY = datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1)))
# about the interval between the documented sample rows
_ROW_TIME = timedelta(milliseconds=114)


@dataclass
class Outcome:
    """Result of one batch."""

    saved: list[Customer] = field(default_factory=list)
    """Customers after the batch, in the order sent."""
    errors: list[RowError] = field(default_factory=list)
    """One per failed row."""
    places: list[int] = field(default_factory=list)
    """Place of each of these in the batch, from 0."""
    total: int = 0
    """Rows in the batch."""


class Workspace:
    """Customers in memory; every method is thread-safe."""

    def __init__(self, seed: int = 0) -> None:
        """Start empty; the seed determines device ids and times."""
        self._lock = threading.Lock()
        self._chance = random.Random(seed)  # noqa: S311
        self._created = 0
        self._customers: dict[str, Customer] = {}
        self._holders: dict[str, tuple[str, ...]] = {}
        self._made_ids: set[str] = set()
        self._reads = 0
        self.attributes = Attributes()
        self._unseen: dict[str, tuple[int, float, Customer | None]] = {}

    @property
    def customers(self) -> dict[str, Customer]:
        """All customers by id, as a copy."""
        with self._lock:
            return dict(self._customers)

    def __len__(self) -> int:
        """Return the number of customers."""
        return len(self._customers)

    def __contains__(self, customer_id: object) -> bool:
        """Return whether a customer with that id exists."""
        return customer_id in self._customers

    def seed(self, customers: Iterable[Row]) -> None:
        """Store customers as they are, with no rule applied; one without an id is given one."""
        with self._lock:
            draft = self._draft()
            for row in customers:
                made = {**self._new_customer(row), **row}
                if not made["customer_id"]:
                    made["customer_id"] = self._uuid()
                    self._made_ids.add(made["customer_id"])
                draft.put(made)
            self._keep(draft, lag=0)

    def create(self, rows: Sequence[Any], behavior: Behavior) -> Outcome:
        """Create customers, row by row."""
        outcome = Outcome(total=len(rows))
        with self._lock:
            draft = self._draft()
            for place, row in enumerate(rows):
                _record(outcome, place, self._create(row, draft, behavior))
            self._settle(draft, outcome, behavior)
        return outcome

    def update(self, rows: Sequence[Any], behavior: Behavior, *, guarded: bool = True) -> Outcome:
        """Change the given fields; `guarded` applies the bulk call's rule for emails."""
        outcome = Outcome(total=len(rows))
        with self._lock:
            draft = self._draft()
            for place, row in enumerate(rows):
                _record(outcome, place, self._update(row, draft, behavior, guarded=guarded))
            self._settle(draft, outcome, behavior)
        return outcome

    def grows(self, rows: Sequence[Any]) -> int:
        """Return how many customers there would be with these."""
        ids = {str(row.get("customer_id")) for row in rows if isinstance(row, dict)}
        with self._lock:
            return len(self._customers.keys() | ids)

    def read(
        self,
        behavior: Behavior,
        *,
        ids: Iterable[str] | None = None,
        emails: Sequence[str] = (),
        start: int = 0,
        limit: int = 1,
    ) -> list[Customer]:
        """Return customers as a client sees them, which may lag behind; without a filter, all.

        Returns at most `limit` from position `start` on, and reads no others.
        """
        with self._lock:
            self._reads += 1
            if emails:
                held = [self._holders.get(email_key(email), ()) for email in emails]
                ids = [customer_id for holders in held for customer_id in holders]
            if not (behavior.lookup_lag or behavior.lookup_lag_seconds):
                self._unseen.clear()
            if ids is None and not self._unseen:
                existing = iter(self._customers.values())
            else:
                wanted = self._customers if ids is None else dict.fromkeys(ids)
                seen = map(self._visible, wanted)
                existing = (customer for customer in seen if customer is not None)
            found = list(islice(existing, start, start + limit))
            hidden = self._made_ids if behavior.made_ids == "hidden" else ()
            return [c | {"customer_id": None} if c["customer_id"] in hidden else c for c in found]

    def _visible(self, customer_id: str) -> Customer | None:
        due = self._unseen.get(customer_id)
        if due is not None:
            reads, moment, before = due
            if self._reads <= reads or time.monotonic() < moment:
                return before
            del self._unseen[customer_id]
        return self._customers.get(customer_id)

    def _create(self, row: Any, draft: Draft, behavior: Behavior) -> Customer | RowError | None:
        if not isinstance(row, dict):
            return rules.missing("customer_id", "")
        error = rules.first_error(row, REQUIRED, behavior)
        if error is not None:
            return error
        known = draft.get(row["customer_id"])
        if known is not None:
            if behavior.repeated_id == "refused":
                return rules.taken(row["customer_id"])
            if behavior.repeated_id == "ignored":
                return known
        email = row["email"].lower() if behavior.lowercase_emails else row["email"]
        if _is_taken(email, row["customer_id"], draft, behavior):
            return rules.taken(email)
        customer = self._new_customer({**row, "email": email})
        if known is not None:
            customer["customer_created_at"] = known["customer_created_at"]
        draft.put(customer)
        return customer

    def _update(
        self, row: Any, draft: Draft, behavior: Behavior, *, guarded: bool
    ) -> Customer | RowError | None:
        if not isinstance(row, dict):
            return rules.missing("customer_id", "")
        error = rules.first_error(row, ("customer_id",), behavior)
        if error is not None:
            return error
        known = draft.get(row["customer_id"])
        if known is None:
            if behavior.unknown_update == "created":
                return self._create(row, draft, behavior)
            refused = behavior.unknown_update == "refused"
            return rules.unknown(row["customer_id"]) if refused else None
        given = {name: row[name] for name in (*REQUIRED, "devices") if name in row}
        nulls = [name for name, value in given.items() if value is None]
        if nulls and behavior.null_on_update == "refused":
            return rules.missing(nulls[0], rules.subject(row))
        if behavior.null_on_update == "ignored":
            given = {name: value for name, value in given.items() if value is not None}
        checked = [name for name in REQUIRED if given.get(name) is not None]
        error = rules.first_error(given, checked, behavior)
        if error is not None:
            return error
        error = _settle_email(given, known, draft, behavior, guarded=guarded)
        if error is not None:
            return error
        if given.get("devices") is not None:
            given["devices"] = self._devices(given["devices"])
        customer = {**known, **given}
        draft.put(customer)
        return customer

    def _new_customer(self, row: Row) -> Customer:
        self._created += 1
        customer: Customer = {name: row.get(name) for name in REQUIRED}
        customer["customer_created_at"] = (_FIRST_DAY + self._created * _ROW_TIME).isoformat()
        devices = row.get("devices")
        customer["devices"] = self._devices(devices) if devices else []
        return customer

    def _devices(self, devices: Sequence[Row]) -> list[Customer]:
        return [
            {
                "device_id": self._uuid(),
                "device_type": device["device_type"],
                "device_token": device["device_token"],
            }
            for device in devices
        ]

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128)))

    def _draft(self) -> Draft:
        return Draft(self._customers, self._holders)

    def _settle(self, draft: Draft, outcome: Outcome, behavior: Behavior) -> None:
        request_fails = behavior.shape_errors == "request" and any(
            error.shape for error in outcome.errors
        )
        if outcome.errors and (request_fails or behavior.failure == "atomic"):
            outcome.saved = []
            return
        self._keep(draft, lag=behavior.lookup_lag, lag_s=behavior.lookup_lag_seconds)

    def _keep(self, draft: Draft, lag: int, lag_s: float = 0.0) -> None:
        if lag or lag_s:
            for customer_id in draft.customers:
                shown = self._customers.get(customer_id)
                due = time.monotonic() + lag_s
                self._unseen[customer_id] = (self._reads + lag, due, shown)
        self._customers.update(draft.customers)
        self._holders.update(draft.holders)


def _record(outcome: Outcome, place: int, result: Customer | RowError | None) -> None:
    if isinstance(result, RowError):
        outcome.errors.append(result)
        outcome.places.append(place)
    elif result is not None:
        outcome.saved.append(result)


def _is_taken(email: str, customer_id: str, draft: Draft, behavior: Behavior) -> bool:
    if behavior.emails == "shared":
        return False
    return any(holder != customer_id for holder in draft.holders_of(email_key(email)))


def _settle_email(
    given: Customer, known: Customer, draft: Draft, behavior: Behavior, *, guarded: bool
) -> RowError | None:
    """Check the email of an update; one that is silently skipped is removed from `given`."""
    if "email" not in given:
        return None
    email = given["email"]
    if email is not None and behavior.lowercase_emails:
        email = given["email"] = email.lower()
    changes = email != known["email"]
    if changes and guarded and behavior.email_update != "always" and rules.is_email(known["email"]):
        if behavior.email_update == "refused":
            return RowError(
                f"{email} cannot replace a valid email", "email cannot be changed", email
            )
        del given["email"]
        return None
    if email is not None and _is_taken(email, known["customer_id"], draft, behavior):
        return rules.taken(email)
    return None
