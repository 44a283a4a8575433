"""Customers that a probe sends: each is marked as test data, and nobody's address or number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from dlt_bunce.probe.steps import Customer

DOMAIN = "example.com"
"""Reserved for documentation: no mailbox exists there."""
# 555-0100 to 555-0199 are reserved for fiction in each of these area codes
_AREAS = (202, 212, 213, 305, 312, 404, 415, 503, 512, 602, 617, 702, 713, 808, 816, 907)
SAMPLE_PHONE = "+23481999999999"
"""Of the API reference: it has more digits than a number in Nigeria can have."""
PLACEHOLDER_PHONE = "+2340000000000"
FIRST_NAME, CHANGED_NAME, LAST_NAME = "Probe", "Changed", "Test"

IdForm = Literal["hyphens", "letters", "digits"]
PhoneForm = Literal["fiction", "sample", "placeholder"]


@dataclass
class MarkedCustomers:
    """Makes customers whose ids and emails begin with `prefix` and a random `token`.

    `made` counts the customers, each with an id of its own.
    """

    prefix: str
    token: str
    id_form: IdForm = "hyphens"
    phone_form: PhoneForm = "fiction"
    made: int = 0
    values: dict[str, str] = field(default_factory=dict)
    """Every id, email, and phone number made, and what it is."""

    def one(self, **changes: object) -> Customer:
        """Return a customer that no other request has; `changes` replace fields, None removes."""
        self.made += 1
        number = self.made
        customer: Customer = {
            "customer_id": self._id(number),
            "email": f"{self.prefix}-{self.token}-{number}@{DOMAIN}",
            "first_name": FIRST_NAME,
            "last_name": LAST_NAME,
            "phone_no": self._phone(number),
            "devices": [{"device_type": "android", "device_token": f"{self.token}-{number}"}],
        } | changes
        customer = {name: value for name, value in customer.items() if value is not None}
        for name, kind in (("customer_id", "id"), ("email", "email"), ("phone_no", "phone")):
            if name in customer:
                self.values[str(customer[name])] = kind
        return customer

    def several(self, count: int) -> list[Customer]:
        """Return so many new customers."""
        return [self.one() for _ in range(count)]

    def _id(self, number: int) -> str:
        match self.id_form:
            case "hyphens":
                return f"{self.prefix}-{self.token}-{number}"
            case "letters":
                letters = "".join(c for c in self.prefix + self.token if c.isalnum())
                return f"{letters}n{number}"
        return f"{int(self.token, 16)}{number:06d}"

    def _phone(self, number: int) -> str:
        match self.phone_form:
            case "sample":
                return SAMPLE_PHONE
            case "placeholder":
                return PLACEHOLDER_PHONE
        area, line = _AREAS[number // 100 % len(_AREAS)], 100 + number % 100
        return f"+1{area}5550{line}"


def other_forms(customers: MarkedCustomers) -> Iterator[MarkedCustomers]:
    """Yield the maker in each combination of forms, the usual one first; it keeps the last."""
    for id_form in ("hyphens", "letters", "digits"):
        for phone_form in ("fiction", "sample", "placeholder"):
            customers.id_form = id_form
            customers.phone_form = phone_form
            yield customers
