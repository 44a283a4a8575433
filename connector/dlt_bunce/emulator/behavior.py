"""The switches: how Bunce answers where its documentation is silent, and what breaks."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

Call = Literal["create", "update", "lookup", "single", "other"]
"""Bulk create, bulk update, either GET, PUT of one customer, and calls that do not exist."""

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
    "html_502",
    "html_502_after",
    "rate_limited",
    "truncated",
]
"""`before`, `midway`, and `after` say how much of the batch is stored when it happens.

error_*      a JSON error with `status`
drop_*       the connection closes without an answer
html_502     a gateway's page instead of JSON; nothing is stored unless `_after`
truncated    stored, then a complete HTTP answer that holds half the JSON
cut_short    stored, then half of the announced body and a closed connection
hang_before  waits `seconds`, then stores and answers, even if the client has left
hang_after   stores, waits `seconds`, then answers
rate_limited 429 with `Retry-After` of `seconds`; nothing is stored, the client is not blocked
"""


@dataclass(frozen=True)
class Fault:
    """One accident, on the n-th request (1-based) or by chance.

    Requests are counted from the moment the behavior is set; those refused with 401 or by the rate
    limit do not count.
    """

    kind: FaultKind
    """What happens."""
    on_request: int = 0
    """The request it happens to, 1 being the next one; 0 leaves it to `probability`."""
    until_request: int = 0
    """The last request it happens to; 0 means only `on_request`."""
    probability: float = 0.0
    """The share of requests it happens to, decided by `Behavior.seed` and the request's number."""
    call: Literal["bulk", "create", "update", "lookup", "single", "any"] = "bulk"
    """Which requests count: `bulk` is creates and updates together."""
    status: int = 500
    """Status of the error kinds."""
    seconds: float = 1.0
    """How long a hang lasts, and the `Retry-After` of `rate_limited`."""

    def __post_init__(self) -> None:
        """Refuse values that no request could ever meet."""
        _check(self)
        if self.until_request and self.until_request < self.on_request:
            raise ValueError("until_request must not be below on_request")

    def counts(self, call: Call) -> bool:
        """Tell whether requests of this kind count for the schedule."""
        if self.call == "bulk":
            return call in {"create", "update"}
        return self.call in {"any", call}

    def strikes(self, number: int, seed: str) -> bool:
        """Tell whether it happens to the request with this number."""
        if self.on_request:
            return self.on_request <= number <= (self.until_request or self.on_request)
        if not self.probability:
            return False
        return random.Random(f"{seed}/{number}").random() < self.probability  # noqa: S311


@dataclass(frozen=True)
class Behavior:
    """Every switch of the emulator; the defaults are what Bunce documents."""

    seed: int = 0
    """Decides everything that looks like chance: device ids, times, faults by probability."""
    api_keys: tuple[str, ...] = ()
    """Keys that are let in; empty lets in any key that is not blank."""

    flag: Literal["documented", "success", "status", "absent"] = "documented"
    """Name of the success flag; `documented` is `success`, and `status` on a failing batch."""
    created_status: int = 200
    """Status of a bulk create without failures."""
    unknown_fields: bool = False
    """Whether answers carry fields that nobody documented."""
    reorder_echo: bool = False
    """Whether `data` lists customers in another order than sent."""
    drop_echo_every: int = 0
    """Leaves every n-th saved customer out of `data`; 0 leaves out none."""

    failure: Literal["partial", "atomic"] = "partial"
    """Whether a failing batch saves its good rows."""
    failure_status: int = 422
    """Status of a failing batch."""
    errors: Literal["all", "first", "twice", "anonymous"] = "all"
    """Texts of a failing batch: one per row, only one, two per row, or naming no row."""
    failure_count: bool = True
    """Whether the message says `k out of n customers failed`."""
    count_offset: int = 0
    """Added to k in that message, so that it lies."""
    data_on_failure: bool = False
    """Whether a failing batch answers with the customers it saved."""
    shape_errors: Literal["rows", "request"] = "rows"
    """Whether a missing or malformed field fails its row or, with one text, the whole request."""

    emails: Literal["unique", "shared"] = "unique"
    """Whether two customers may have the same email."""
    check_emails: bool = True
    """Whether emails must have the shape of one."""
    lowercase_emails: bool = False
    """Whether emails are stored and quoted in lower case."""
    refused_email_domain: str = ""
    """Emails that end with `@` and this are refused; empty refuses none."""
    id_pattern: str = ""
    """Regular expression a whole `customer_id` must match; empty takes any."""
    phone_pattern: str = ""
    """Regular expression a whole `phone_no` must match; empty takes any."""
    repeated_id: Literal["refused", "overwritten", "ignored"] = "refused"
    """What creating a known `customer_id` does; `ignored` answers with what is stored."""
    twice_in_batch: Literal["row_by_row", "refused"] = "row_by_row"
    """Whether an id twice in a batch is met by `repeated_id` or fails the whole request."""

    max_batch: int = 0
    """Most rows a bulk request may have; 0 sets no limit."""
    max_body_bytes: int = 0
    """Most bytes a request body may have; 0 sets no limit."""
    too_large_status: int = 413
    """Status past either limit; 413 answers with HTML, as gateways do."""

    unknown_update: Literal["refused", "created", "ignored"] = "refused"
    """What updating an unknown `customer_id` does."""
    email_update: Literal["only_invalid", "refused", "always"] = "only_invalid"
    """Bulk updates of a valid stored email: silently left out, refused, or done."""
    null_on_update: Literal["cleared", "ignored", "refused"] = "cleared"
    """What null does to a field on update."""

    lookup: Literal["sdk", "nested", "unfiltered", "absent"] = "sdk"
    """`meta` beside `data`, `meta` and `data` inside `data`, filters ignored, or 404."""
    lookup_max_ids: int = 0
    """Most ids or emails one look-up takes; 0 sets no limit."""
    lookup_overflow: Literal["refused", "ignored"] = "refused"
    """Whether a look-up with more is refused with 422 or answered for the first ones."""
    lookup_lag: int = 0
    """Look-ups that pass before one sees a write."""
    default_per_page: int = 20
    """Page size when none is asked for."""
    max_per_page: int = 100
    """Largest page, whatever is asked for."""

    rate_limit: int = 500
    """Requests per client and `rate_window_seconds`; 0 switches the limit off."""
    rate_window_seconds: float = 60.0
    """Length of the sliding window."""
    block_seconds: float = 60.0
    """How long a client past the limit is refused."""
    retry_after: Literal["seconds", "date", "missing"] = "seconds"
    """Form of `Retry-After`."""

    latency_ms: float = 0.0
    """Time every request takes."""
    row_latency_ms: float = 0.0
    """Time every row of a bulk request adds, before anything is stored."""
    faults: tuple[Fault, ...] = ()
    """Scheduled accidents; the first that strikes is the one that happens."""

    def __post_init__(self) -> None:
        """Refuse values outside the documented ones."""
        _check(self)

    @classmethod
    def from_json(cls, switches: Mapping[str, Any], base: Behavior | None = None) -> Behavior:
        """Build from JSON: switches not named keep the value they have in `base`."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(switches) - known)
        if unknown:
            raise ValueError(
                f"no such switch: {', '.join(unknown)}; there are {', '.join(sorted(known))}"
            )
        values = {name: _as_tuple(value) for name, value in switches.items()}
        return dataclasses.replace(base or cls(), **values)

    def to_json(self) -> dict[str, Any]:
        """Give all switches as plain values."""
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
