"""The nouns that every stage shares: fates, reject codes, and the summary of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Literal

from dlt_bunce.errors import (
    ConservationError,
    RejectThresholdError,
    ThresholdError,
    TooFewRowsError,
)
from dlt_bunce.thresholds import Thresholds

Verb = Literal["create", "update"]
"""What a request asks of Bunce for a customer."""
Fate = Literal[
    "created",
    "updated",
    "adopted",
    "skipped",
    "unchanged",
    "held",
    "superseded",
    "rejected",
    "deferred",
]
FATE_MEANINGS: Mapping[Fate, str] = MappingProxyType(
    {
        "created": "Bunce accepted the customer",
        "updated": "Bunce accepted new content for the customer",
        "adopted": "Bunce had the customer before: with the same content or, under `append`, with "
        "any",
        "skipped": "changed since Bunce accepted it, and not sent, since the disposition is "
        "`append`",
        "unchanged": "the same as what Bunce accepted last; not sent",
        "held": "rejected before and not changed since; not sent",
        "superseded": "an older version of a customer",
        "rejected": "in the dead-letter table",
        "deferred": "not settled; the run fails and the next one takes it up",
    }
)
FATES: tuple[Fate, ...] = tuple(FATE_MEANINGS)


@dataclass(frozen=True)
class RejectCode:
    """Why a row is a dead letter.

    `field` is the Bunce field at fault, or None where Bunce did not say; `stage` tells whether the
    row was stopped here (`normalize`) or refused by Bunce (`api`).
    """

    code: str
    field: str | None
    stage: Literal["normalize", "api"]
    meaning: str
    remedy: str


def _codes(*codes: RejectCode) -> Mapping[str, RejectCode]:
    return MappingProxyType({code.code: code for code in codes})


def _missing(name: str) -> RejectCode:
    return RejectCode(
        f"missing_{name}",
        name,
        "normalize",
        f"{name} is null or blank, and Bunce requires it",
        f"fill {name} at the source, or set a value under [destination.bunce.defaults]",
    )


REJECT_CODES: Mapping[str, RejectCode] = _codes(
    RejectCode(
        "missing_customer_id",
        "customer_id",
        "normalize",
        "customer_id is null or blank",
        "give the row a stable id at the source; none is ever made up, since Bunce would create a "
        "second customer",
    ),
    RejectCode(
        "invalid_customer_id",
        "customer_id",
        "normalize",
        "customer_id is not text, a whole number, or a UUID, or holds control characters",
        "read the id as text or as an integer; a float above 2^53 has lost digits already",
    ),
    _missing("email"),
    RejectCode(
        "invalid_email",
        "email",
        "normalize",
        "email is not an address",
        "correct the address at the source",
    ),
    _missing("first_name"),
    RejectCode(
        "invalid_first_name",
        "first_name",
        "normalize",
        "first_name is not text or longer than 255 characters",
        "correct the name at the source",
    ),
    _missing("last_name"),
    RejectCode(
        "invalid_last_name",
        "last_name",
        "normalize",
        "last_name is not text or longer than 255 characters",
        "correct the name at the source",
    ),
    _missing("phone_no"),
    RejectCode(
        "invalid_phone_no",
        "phone_no",
        "normalize",
        "phone_no is not an international number of 7 to 15 digits",
        "write it with + and the country code, or set default_region (such as NG) for national "
        "numbers",
    ),
    RejectCode(
        "invalid_devices",
        "devices",
        "normalize",
        "devices is not a list of device_type and device_token, or not JSON",
        "give a list of structs or JSON text; text made by Python's str() is not JSON",
    ),
    RejectCode(
        "email_taken",
        "email",
        "api",
        "the email belongs to another customer in Bunce",
        "change one of the two customers' email, then replay or load again",
    ),
    RejectCode(
        "already_taken",
        None,
        "api",
        "Bunce says taken, and offers no look-up to tell by whom",
        "look for the customer in Bunce's dashboard; replay after correcting it",
    ),
    RejectCode(
        "email_not_updated",
        "email",
        "api",
        "Bunce updated the customer and kept the email it had, as it does with every valid one",
        "change the email in Bunce's dashboard, or at the source back to Bunce's; the rest of the "
        "row is updated",
    ),
    RejectCode(
        "unconfirmed",
        None,
        "api",
        "Bunce neither shows the customer nor says why",
        "look for the customer in Bunce's dashboard; replay if it is missing",
    ),
    RejectCode(
        "refused",
        None,
        "api",
        "Bunce refused the row; the message holds its reason",
        "correct the field that the message names, then load again or replay",
    ),
)


@dataclass
class Traffic:
    """What went over the wire since the last time it was written down."""

    requests: int = 0
    bulk_requests: int = 0
    lookups: int = 0
    retries: int = 0
    bytes_sent: int = 0
    wait_seconds: float = 0.0
    answer_seconds: float = 0.0
    slowest_answer_seconds: float = 0.0


@dataclass(frozen=True)
class RunSummary:
    """What became of the rows of one run, by fate, and what it took.

    `requests` counts every HTTP request of the run, `bulk_requests` those that carried customers;
    `seconds` is wall time from the first job to completion; `reject_codes` counts the rows
    rejected in this run by code. `over_thresholds` says which thresholds of the settings the run is
    outside of: the setting's name, and a clause about it. `warnings` counts rows by code of
    WARNINGS, and `notes` by code say more of some, such as which column they are about. `error` is
    why a run failed, where that is known. `flushed` are the figures of what earlier runs had left
    behind, which was loaded first and is not counted here.
    """

    run_id: str | None = None
    pipeline_name: str | None = None
    disposition: str | None = None
    state: str = "completed"
    read: int = 0
    created: int = 0
    updated: int = 0
    adopted: int = 0
    skipped: int = 0
    unchanged: int = 0
    held: int = 0
    superseded: int = 0
    rejected: int = 0
    deferred: int = 0
    requests: int = 0
    bulk_requests: int = 0
    lookups: int = 0
    retries: int = 0
    seconds: float = 0.0
    reject_codes: Mapping[str, int] = field(default_factory=dict)
    over_thresholds: Mapping[str, str] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    error: str | None = None
    flushed: RunSummary | None = None

    @property
    def fates(self) -> dict[Fate, int]:
        """The nine counts by name, in the order in which they are reported."""
        return {fate: int(getattr(self, fate)) for fate in FATES}

    def as_dict(self) -> dict[str, object]:
        """Every figure as plain values, for JSON."""
        values: dict[str, object] = {f.name: getattr(self, f.name) for f in fields(self)}
        return values | {
            "reject_codes": dict(self.reject_codes),
            "over_thresholds": dict(self.over_thresholds),
            "warnings": dict(self.warnings),
            "notes": {code: list(sentences) for code, sentences in self.notes.items()},
            "flushed": None if self.flushed is None else self.flushed.as_dict(),
        }

    def raise_if_unbalanced(self) -> None:
        """Raises ConservationError unless the nine fates add up to the rows read."""
        counted = sum(self.fates.values())
        if counted != self.read:
            raise ConservationError(
                f"Run {self.run_id} read {self.read} rows but accounts for {counted}.",
                remedy="This is a defect of dlt-bunce: please report it with `dlt-bunce status "
                "--json`. The rows at the source are untouched; load them again.",
            )

    def raise_if_rejected(self, *, share: float | None = None, count: int | None = None) -> None:
        """Raises RejectThresholdError when more rows were rejected than allowed.

        `share` is a fraction of the rows read (0.01 allows 1 %), `count` a number of rows; with
        neither, a single rejected row raises. Rows held from earlier runs count as rejected.
        """
        if share is None and count is None:
            count = 0
        self._raise_over(self.judged(Thresholds(share, count)))

    def raise_if_over_thresholds(self) -> None:
        """Raises what `over_thresholds` says: RejectThresholdError, or TooFewRowsError where only
        the rows read are too few. Both are a ThresholdError, with this summary.
        """
        self._raise_over(self.over_thresholds)

    def judged(self, thresholds: Thresholds, last_read: int | None = None) -> dict[str, str]:
        """What of `thresholds` the run is outside of; rows held from earlier runs are rejected."""
        return thresholds.exceeded(
            read=self.read, rejected=self.rejected + self.held, last_read=last_read
        )

    def _raise_over(self, found: Mapping[str, str]) -> None:
        if not found:
            return
        rejects = found.keys() - {"min_rows_share_of_last", "min_rows"}
        kind: type[ThresholdError] = RejectThresholdError if rejects else TooFewRowsError
        done = (
            "nothing was sent, as this is a dry run"
            if self.state == "dry_run"
            else "all others are loaded"
            if rejects
            else "every one of them is loaded or accounted for"
        )
        remedy = (
            "See why with: dlt-bunce check"
            if rejects and self.state == "dry_run"
            else "See them with: dlt-bunce dead-letters list"
            if rejects
            else "Check the source. Nothing stands in the way of the next run."
        )
        raise kind(f"{'; '.join(found.values())}; {done}.", summary=self, remedy=remedy)
