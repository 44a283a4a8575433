"""Changes of one batch, before they are kept."""

from __future__ import annotations

from dlt_bunce.emulator.rules import Customer


class Draft:
    """Changes of one batch, visible to its later rows and kept only if the batch is saved."""

    def __init__(self, stored: dict[str, Customer], holders: dict[str, tuple[str, ...]]) -> None:
        self._stored = stored
        self._holders = holders
        self.customers: dict[str, Customer] = {}
        self.holders: dict[str, tuple[str, ...]] = {}

    def get(self, customer_id: str) -> Customer | None:
        """Return a customer as this batch sees it."""
        return self.customers.get(customer_id) or self._stored.get(customer_id)

    def holders_of(self, email: str) -> tuple[str, ...]:
        """Return the ids of those who have an email."""
        if email in self.holders:
            return self.holders[email]
        return self._holders.get(email, ())

    def put(self, customer: Customer) -> None:
        """Store a customer, in place of what it was."""
        customer_id = customer["customer_id"]
        email = email_key(customer["email"])
        before = self.get(customer_id)
        if before is not None and email_key(before["email"]) != email:
            old = email_key(before["email"])
            self.holders[old] = tuple(i for i in self.holders_of(old) if i != customer_id)
        others = self.holders_of(email)
        if customer_id not in others:
            self.holders[email] = (*others, customer_id)
        self.customers[customer_id] = customer


def email_key(email: object) -> str:
    """Return what two spellings of one email have in common."""
    return str(email or "").lower()
