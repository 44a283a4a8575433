"""The three things that are delivered, and what is different about each.

All go through one resolver. Customers can be looked up, and have two operations: create and update.
Attribute values and segment members cannot be looked up, and have one operation, which does no
harm when it is repeated: what is in doubt is sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dlt_bunce.settlement import replies, value_replies


@dataclass(frozen=True)
class Deliverable:
    """One kind of thing. `read` reads a reply; `nothing` is a request without any of them.

    `messages` replaces what a dead letter says by code. `must_be_shown`: a success that shows
    others and passes over a row has not taken it.
    """

    noun: str
    read: Callable[..., replies.Reading]
    nothing: bytes
    messages: Mapping[str, str] = field(default_factory=dict)
    must_be_shown: bool = False

    def field_of(self, code: str, text: str) -> str | None:
        """Return the field of a customer that a rejection is about, if it names one."""
        if self is not CUSTOMERS:
            return None
        return (
            "email" if code in {"email_taken", "email_not_updated"} else replies.named_field(text)
        )


CUSTOMERS = Deliverable(
    "customer",
    replies.read,
    b'{"customers":[]}',
    {
        "email_not_updated": "Bunce has kept the email it had",
        "unconfirmed": "Bunce gives no reason and does not show the customer",
    },
)
VALUES = Deliverable("value", value_replies.read, b'{"attributes":[]}', must_be_shown=True)
MEMBERS = Deliverable("segment member", value_replies.read, b'{"customers":[]}')
