"""What a load starts from: the last probe of the account. What loads have found outranks it."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from typing import Protocol

from dlt_bunce.api.throttle import TARGET_S, BatchSize, Concurrency, Throttle
from dlt_bunce.settlement.capabilities import ApiCapabilities, Counts
from dlt_bunce.store.accounts import Account
from dlt_bunce.store.probes import Probed

MAX_AGE = timedelta(days=30)
"""How long a probe counts: an API may change, and what is believed of it saves look-ups."""

CHECKED = ("counts", "failure_saves", "lookup_by_id")
"""Questions that a load answers itself, so that it notices when Bunce behaves otherwise by now."""
_LOOKUPS = {"works": True, "filter ignored": False, "absent": False}

VALUE_BATCH_SIZE = 50
"""Attribute values in the first request of all; the size grows while Bunce answers quickly."""


class Sizes(Protocol):
    """The configured sizes and numbers of batches."""

    batch_size: int
    max_batch_size: int
    concurrency: int
    requests_per_minute: int

    @property
    def concurrency_limit(self) -> int:
        """Batches that may ever be in flight."""


def age_of(probed: Probed, now: datetime | None = None) -> timedelta:
    """Return how long ago a probe was."""
    return (now or datetime.now(timezone.utc)) - datetime.fromisoformat(probed.probed_at)


def in_force(probed: Probed | None, now: datetime | None = None) -> Probed | None:
    """Return the probe, None if there is none or it is too old."""
    return probed if probed is not None and age_of(probed, now) <= MAX_AGE else None


def believed(probed: Probed | None, question: str) -> str | None:
    """Return the answer to a question, None if there is none or a load has found another."""
    if probed is None or question in probed.contradicted:
        return None
    return probed.answers.get(question)


def capabilities_from(probed: Probed | None) -> ApiCapabilities:
    """Return what a load may take for known.

    A count is still proven in each load; of the probe it takes how many failures may be named.
    """
    known = ApiCapabilities()
    if probed is None:
        return known
    saves = probed.answers.get("failure_saves")
    if saves == "not created" and "failure_saves" not in probed.contradicted:
        known.partial_success = False
    if "counts" in probed.contradicted or probed.answers.get("counts") == "contradicted":
        known.counts_unreliable = True
    elif probed.answers.get("counts") == "verified":
        for sort, (named, rows) in probed.figures.get("counts", {}).items():
            known.counts[sort] = Counts(checked=frozenset({(named, rows)}))
    return known


def values_show_nothing(probed: Probed | None) -> bool:
    """Return whether Bunce's answers to values have an empty list, as a probe has found."""
    return probed is not None and probed.answers.get("value_shows") == "an empty list"


def batch_sizes(remembered: int | None, probed: Probed | None, config: Sizes) -> tuple[int, int]:
    """Return the size of the first batch, and the largest to try.

    `remembered` is the size that an earlier load has reached.
    """
    figures = {} if probed is None else probed.figures
    largest, accepted = config.max_batch_size, figures.get("largest_batch")
    if accepted is not None and "refused_batch" in figures:
        largest = min(largest, max(remembered or 1, accepted))
    if accepted is not None:
        accepted = max(1, min(accepted, int(TARGET_S / max(figures["seconds_per_row"], 0.001))))
    return min(largest, remembered or accepted or config.batch_size), largest


def value_batch_sizes(
    account: Account | None, probed: Probed | None, most: int, now: datetime | None = None
) -> tuple[int, int]:
    """Return how many attribute values the first request has, and the most to try: no more than a
    load has found not to be too many, as long as that counts.

    Loads that reached a size outrank a probe.
    """
    start = probed.figures.get("largest_values") if probed else None
    if account is not None:
        start = account.value_batch_size or start
        if account.value_cap and (account.value_cap_at or "") > caps_since(now):
            most = min(most, account.value_cap)
    return min(start or VALUE_BATCH_SIZE, most), most


def caps_since(now: datetime | None = None) -> str:
    """Return since when a cap must have been found to count: as long as a probe does."""
    return ((now or datetime.now(timezone.utc)) - MAX_AGE).isoformat(timespec="microseconds")


def throttle_for(account: Account, probed: Probed | None, config: Sizes) -> Throttle:
    """Return size and number of batches: as loads have learned, as probed, or as configured."""
    return Throttle(
        BatchSize(*batch_sizes(account.batch_size, probed, config)),
        Concurrency(
            account.concurrency or config.concurrency,
            config.concurrency_limit,
            per_second=config.requests_per_minute / 60 or math.inf,
        ),
    )


def lookup_ids(probed: Probed | None) -> int | None:
    """Return how many ids a look-up takes, None if it is not known to take only few."""
    return None if probed is None else probed.figures.get("lookup_ids")


def contradictions(probed: Probed, known: ApiCapabilities) -> set[str]:
    """Return the questions to which a load has found another answer than the probe.

    `known` is what the load knew at its end.
    """
    answers, found = probed.answers, set()
    if answers.get("counts") == "verified" and known.counts_unreliable:
        found.add("counts")
    if answers.get("failure_saves") == "not created" and known.partial_success is not False:
        found.add("failure_saves")
    looked_up = known.lookup_supported
    asked = _LOOKUPS.get(answers.get("lookup_by_id", ""))
    if None not in {asked, looked_up} and asked != looked_up:
        found.add("lookup_by_id")
    return found - probed.contradicted
