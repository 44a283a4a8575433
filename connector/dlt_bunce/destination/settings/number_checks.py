"""Checks of settings that are numbers: each within the range in which it works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlt_bunce.errors import ConfigurationError

_POSITIVE = ("batch_size", "max_batch_size", "concurrency", "max_concurrency", "timeout_s")
_NOT_NEGATIVE = (
    "requests_per_minute",
    "max_reject_count",
    "retention_days",
    "min_rows",
    "wait_for_run",
)
_SHARES = ("max_reject_share", "min_rows_share_of_last", "segments_min_share")
_MOST: Mapping[str, tuple[int, str]] = {
    "concurrency": (1_000, "Bunce's rate limit is reached with far fewer."),
    "max_concurrency": (1_000, "Bunce's rate limit is reached with far fewer."),
    "requests_per_minute": (
        1_000_000,
        "Set requests_per_minute = 0 to turn off rate limiting.",
    ),
    "timeout_s": (86_400, "Set timeout_s = 600 for ten minutes."),
}
"""The largest value of a setting, and the remedy for a larger one. Far above it, threads cannot
wait so long (292 years), and the shared budget and the pool of threads use up the memory.
"""


def check_numbers(settings: Any) -> None:
    """Raise ConfigurationError for the first setting that is out of its range."""
    for name in _POSITIVE:
        if getattr(settings, name) <= 0:
            raise ConfigurationError(
                f"{name} is {getattr(settings, name)}, but must be greater than 0.",
                remedy=f"Change {name} under [destination.bunce].",
            )
    for name in _NOT_NEGATIVE:
        if (getattr(settings, name) or 0) < 0:
            raise ConfigurationError(
                f"{name} is {getattr(settings, name)}, but must not be negative.",
                remedy=f"Change {name} under [destination.bunce].",
            )
    for name, (most, remedy) in _MOST.items():
        if getattr(settings, name) > most:
            raise ConfigurationError(
                f"{name} is {getattr(settings, name)}, but must not be greater than {most}.",
                remedy=remedy,
            )
    for name in _SHARES:
        share = getattr(settings, name)
        if share is not None and not 0 <= share <= 1:
            raise ConfigurationError(
                f"{name} is {share}, but must be a fraction from 0 to 1.",
                remedy=f"For example, set {name} = 0.05 for 5%.",
            )
