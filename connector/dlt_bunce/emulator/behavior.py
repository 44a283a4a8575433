"""Switches of the emulator: behavior that Bunce leaves undocumented, and faults."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

Call = Literal["create", "update", "lookup", "single", "values", "members", "listing", "other"]
"""Bulk create, bulk update, both kinds of GET, PUT of one customer, attribute values, segment
members, listings and creation of attributes and segments, and unknown calls.
"""

FaultKind = Literal[
    "cut_short",
    "drop_after",
    "drop_before",
    "drop_midway",
    "error_after",
    "error_before",
    "error_midway",
    "hang_after",
    "hang_before",
    "html_403",
    "html_502",
    "html_502_after",
    "rate_limited",
    "truncated",
]
"""`before`, `midway`, and `after` say how much of the batch is stored when the fault happens.

error_*      a JSON error with `status`
drop_*       the connection closes without a response
html_403     a firewall's page; nothing is stored
html_502     a gateway's HTML page instead of JSON; nothing is stored unless `_after`
truncated    stored, then a complete HTTP response with half the JSON
cut_short    stored, then half of the announced body and a closed connection
hang_before  waits `seconds`, then stores and responds, even if the client has disconnected
hang_after   stores, waits `seconds`, then responds
rate_limited 429 with `Retry-After` of `seconds`; nothing is stored, the client is not blocked
"""


@dataclass(frozen=True)
class Fault:
    """A failure of the n-th request (1-based), or of random requests.

    Requests are counted from the moment the behavior is set, without those refused with 401 or by
    the rate limit.
    """

    kind: FaultKind
    """Kind of the fault."""
    on_request: int = 0
    """Number of the request that fails, 1 being the next; 0 leaves it to `probability`."""
    until_request: int = 0
    """Number of the last request that fails; 0 means only `on_request`."""
    probability: float = 0.0
    """Fraction of requests that fail, chosen by `Behavior.seed` and the request's number."""
    call: Literal[
        "bulk", "create", "update", "lookup", "single", "values", "members", "listing", "any"
    ] = "bulk"
    """Calls that count; `bulk` means creates and updates."""
    status: int = 500
    """HTTP status of the `error_*` kinds."""
    seconds: float = 1.0
    """Duration of a hang, and the `Retry-After` of `rate_limited`."""

    def __post_init__(self) -> None:
        """Raise ValueError for values that no request can match."""
        _check(self)
        if self.until_request and self.until_request < self.on_request:
            raise ValueError("until_request must not be below on_request")

    def counts(self, call: Call) -> bool:
        """Return whether requests of this kind count for the schedule."""
        if self.call == "bulk":
            return call in {"create", "update"}
        return self.call in {"any", call}

    def strikes(self, number: int, seed: str) -> bool:
        """Return whether the request with this number fails."""
        if self.on_request:
            return self.on_request <= number <= (self.until_request or self.on_request)
        if not self.probability:
            return False
        return random.Random(f"{seed}/{number}").random() < self.probability  # noqa: S311


@dataclass(frozen=True)
class Behavior:
    """Switches of the emulator; the defaults are the behavior that Bunce documents."""

    seed: int = 0
    """Seed of everything random: device ids, times, faults by probability."""
    api_keys: tuple[str, ...] = ()
    """Accepted keys; if empty, any key that is not blank is accepted."""

    flag: Literal["documented", "success", "status", "absent"] = "documented"
    """Name of the success flag; `documented` means `success`, but `status` for a failed batch."""
    created_status: int = 200
    """Status of a bulk create without failures."""
    unknown_fields: bool = False
    """Whether responses have undocumented fields."""
    reorder_echo: bool = False
    """Whether `data` lists customers in a different order than they were sent."""
    drop_echo_every: int = 0
    """Omit every n-th saved customer from `data`; 0 omits none."""

    failure: Literal["partial", "atomic"] = "partial"
    """Whether a failed batch saves its valid rows."""
    failure_status: int = 422
    """Status of a failed batch."""
    errors: Literal["all", "first", "twice", "anonymous"] = "all"
    """Messages of a failed batch: one per row, only one, two per row, or none that name a row."""
    error_form: Literal["texts", "dotted", "bracketed", "index", "row"] = "texts"
    """`texts` name rows by email or id. The others name places in the request: an object with keys
    such as `customers.3.email`, texts with `customers[3]`, objects with an index, or `Row 4: …`.
    """
    error_words: str = ""
    """Text of every error of a failed batch, whatever the reason; empty gives the reason."""
    failure_count: bool = True
    """Whether the message says `k out of n customers failed`."""
    count_offset: int = 0
    """Added to k in that message, to make it wrong; of customers, values, and members."""
    data_on_failure: bool = False
    """Whether the response to a failed batch lists the customers it saved."""
    shape_errors: Literal["rows", "request"] = "rows"
    """Whether a missing or malformed field fails its row or, with one message, the request."""

    emails: Literal["unique", "shared"] = "unique"
    """Whether two customers can have the same email."""
    check_emails: bool = True
    """Whether emails must look like an address."""
    lowercase_emails: bool = False
    """Whether emails are stored and returned in lowercase."""
    refused_email_domain: str = ""
    """Domain whose emails are refused; empty refuses none."""
    poison_text: str = ""
    """A bulk request that contains this text always meets `poison`; empty poisons none."""
    poison: FaultKind = "html_403"
    """What happens to such a request."""
    max_customers: int = 0
    """Customers that the account has room for, beyond which creates fail; 0 sets no limit."""
    suspended: bool = False
    """Whether every bulk call fails, whatever it contains."""
    account_status: int = 402
    """Status of calls that fail because of the account, with one text that names no row."""
    account_message: str = "You have reached the maximum number of customers on your plan"
    """That text."""
    id_pattern: str = ""
    """Regular expression that `customer_id` must fully match; empty accepts any."""
    phone_pattern: str = ""
    """Regular expression that `phone_no` must fully match; empty accepts any."""
    repeated_id: Literal["refused", "overwritten", "ignored"] = "refused"
    """What creating a known `customer_id` does; `ignored` returns the stored customer."""
    twice_in_batch: Literal["row_by_row", "refused"] = "row_by_row"
    """Whether an id repeated in a batch is handled by `repeated_id` or fails the whole request."""

    max_batch: int = 0
    """Maximum rows of a bulk request; 0 sets no limit."""
    max_body_bytes: int = 0
    """Maximum bytes of a request body; 0 sets no limit."""
    too_large_status: int = 413
    """Status beyond either limit; 413 responds with HTML, as gateways do."""

    unknown_update: Literal["refused", "created", "ignored"] = "refused"
    """What updating an unknown `customer_id` does."""
    email_update: Literal["only_invalid", "refused", "always"] = "only_invalid"
    """Bulk updates of a valid stored email: silently skipped, refused, or applied."""
    null_on_update: Literal["cleared", "ignored", "refused"] = "cleared"
    """What null does to a field in an update."""

    lookup: Literal["sdk", "nested", "unfiltered", "absent"] = "sdk"
    """`meta` beside `data`, `meta` and `data` inside `data`, filters ignored, or 404."""
    lookup_max_ids: int = 0
    """Maximum ids or emails per lookup; 0 sets no limit."""
    lookup_overflow: Literal["refused", "ignored"] = "refused"
    """Whether a lookup with more is refused with 422 or answered for the first ones."""
    shown_devices: Literal["sdk", "sent", "empty", "missing", "masked"] = "sdk"
    """How look-ups and updates show devices; `sdk` names a token `token`, as Bunce's SDK does."""
    lookup_lag_seconds: float = 0.0
    """Seconds until a look-up sees a write."""
    lookup_lag: int = 0
    """Number of lookups before a write becomes visible."""
    email_filter: Literal["obeyed", "ignored", "refused"] = "obeyed"
    """What a look-up with `emails` does: filter, list everybody, or respond with 422."""
    made_ids: Literal["shown", "hidden"] = "shown"
    """Whether look-ups show the ids of customers that were seeded without one, or null."""
    default_per_page: int = 20
    """Page size if the request has none."""
    max_per_page: int = 100
    """Maximum page size, whatever is requested."""

    value_names: Literal["id", "attribute_id", "both"] = "id"
    """Names that a value must have: `id` and `value`; `attribute_id` and `attribute_value`; or
    `id` and `attribute_id`.
    """
    value_failure: Literal["partial", "atomic"] = "partial"
    """Whether a request with a bad attribute value, or segment member, writes the others."""
    value_errors: Literal["named", "first", "positions", "rows", "anonymous"] = "named"
    """How its errors name values: by customer, only the first one, by position from 0, by position
    from 1 (`Row 1: …`), or not at all.
    """
    value_echo: Literal["saved", "sent", "absent", "empty"] = "saved"
    """What a success shows: the values that were written, all that were sent, no list, or a list
    that is always empty.
    """
    unknown_value_customer: Literal["refused", "ignored", "created"] = "refused"
    """What a value of an unknown customer does."""
    unknown_member: Literal["created", "refused", "ignored"] = "created"
    """What adding an unknown customer to a segment does; removing one is refused or ignored."""
    member_echo: Literal["absent", "members", "empty"] = "absent"
    """What a change of members shows: no list, the members, or a list that is always empty."""
    refused_value: str = ""
    """A value that every attribute refuses; empty refuses none."""
    gone_attribute: str = ""
    """Name of an attribute that is listed, and does not exist for values; empty is none."""
    refused_member: str = ""
    """A customer whom no segment takes or lets go; empty is nobody."""
    max_values: int = 0
    """Maximum values, or segment members, in a request; 0 sets no limit."""
    value_quota: int = 0
    """Values and segment members that the account may write, after which every call with some
    fails because of the account; 0 sets no limit."""

    rate_limit: int = 500
    """Requests per client in `rate_window_seconds`; 0 turns the limit off."""
    rate_window_seconds: float = 60.0
    """Length of the sliding window."""
    block_seconds: float = 60.0
    """How long a client over the limit is refused."""
    retry_after: Literal["seconds", "date", "missing"] = "seconds"
    """Format of `Retry-After`."""

    latency_ms: float = 0.0
    """Delay of every request."""
    row_latency_ms: float = 0.0
    """Additional delay per row of a bulk request, before anything is stored."""
    faults: tuple[Fault, ...] = ()
    """Scheduled faults; the first that matches a request happens."""

    def __post_init__(self) -> None:
        """Raise ValueError for a value that a switch does not accept."""
        _check(self)

    @classmethod
    def from_json(cls, switches: Mapping[str, Any], base: Behavior | None = None) -> Behavior:
        """Build from JSON; switches that are not named keep their value in `base`."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(switches) - known)
        if unknown:
            raise ValueError(
                f"unknown switch: {', '.join(unknown)}; valid switches: {', '.join(sorted(known))}"
            )
        values = {name: _as_tuple(value) for name, value in switches.items()}
        return dataclasses.replace(base or cls(), **values)

    def to_json(self) -> dict[str, Any]:
        """Return all switches as plain values."""
        return dataclasses.asdict(self)


def _as_tuple(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return tuple(Fault(**item) if isinstance(item, dict) else item for item in value)


def _check(switches: Fault | Behavior) -> None:
    for name, hint in get_type_hints(type(switches)).items():
        value = getattr(switches, name)
        if get_origin(hint) is Literal:
            if value not in get_args(hint):
                raise ValueError(
                    f"{name} must be one of {', '.join(get_args(hint))}, not {value!r}"
                )
        elif get_origin(hint) is tuple:
            inner = get_args(hint)[0]
            if not isinstance(value, tuple) or not all(isinstance(item, inner) for item in value):
                raise ValueError(f"{name} must be a tuple of {inner.__name__}")
        elif hint is float or hint is int:
            accepted = (int, float) if hint is float else int
            if isinstance(value, bool) or not isinstance(value, accepted):
                raise ValueError(f"{name} must be a number, not {value!r}")
            if value < 0 and name != "count_offset":
                raise ValueError(f"{name} must not be negative")
        elif not isinstance(value, hint):
            raise ValueError(f"{name} must be of type {hint.__name__}, not {value!r}")
