"""Exceptions that this package raises on purpose.

BunceError
├── UsageError              the caller must change something; nothing was sent
│   ├── ConfigurationError    a setting is missing or contradicts another
│   ├── MappingError          source columns cannot be mapped to Bunce's fields
│   ├── DispositionError      a write disposition or hint that Bunce does not support
│   ├── UnknownTableError     a table that is not configured to hold customers
│   ├── AccountError          the ledger belongs to another workspace
│   └── SourceError           a source that cannot be read
├── CredentialsError        Bunce refused the API key
├── UnavailableError        try again later: Bunce was unreachable or gave no usable response
│   ├── AccountRefusedError   Bunce rejects every customer, for a reason that concerns none of them
│   ├── RowsDeferredError     some rows could not be settled in this run
│   ├── RunInProgressError    another run of the same pipeline holds the working folder
│   └── StoppedError          a signal stopped the process before all rows were settled
├── ListingError            Bunce's list of customers cannot be read to its end
├── StoreError              the ledger's database cannot be used; nothing is sent without it
├── ConservationError       the number of rows read differs from the number accounted for
└── ThresholdError          loaded and recorded, but outside the configured thresholds
    ├── RejectThresholdError  more rows rejected than allowed
    └── TooFewRowsError       fewer rows read than expected from the previous run

None is a terminal exception of dlt, so dlt keeps the load package and no row is lost.
Messages name columns, tables, settings, and hosts, never customer data or secrets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

from typing_extensions import Self

if TYPE_CHECKING:
    from dlt_bunce.model import RunSummary


class BunceError(Exception):
    """Base class. `str(error)` says what happened and, if there is one, the remedy."""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(message if remedy is None else f"{message} {remedy}")

    def with_remedy(self, remedy: str) -> Self:
        """Return a copy of the error with this remedy added."""
        remedies = f"{self.remedy} {remedy}" if self.remedy else remedy
        state = {**self.__dict__, "remedy": remedies}
        return cast("Self", _rebuild(type(self), (f"{self.message} {remedies}",), state))

    def __reduce__(self) -> tuple[object, ...]:
        # dlt pickles exceptions between processes, which fails for keyword-only arguments
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(
    kind: type[BunceError], args: tuple[object, ...], state: dict[str, object]
) -> BunceError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class UsageError(BunceError):
    """Mistake that the caller must correct before trying again; nothing was sent."""


class ConfigurationError(UsageError):
    """Setting that is missing, malformed, or contradicts another."""


class MappingError(UsageError):
    """Source columns that cannot be mapped to Bunce's fields.

    `columns` are those of the source, without dlt's own.
    `suggested` are the options of `dlt-bunce load` and `check` that are likely to help, as words;
    `unresolved` is what they leave to the user, as a sentence.
    """

    def __init__(
        self,
        message: str,
        *,
        columns: Sequence[str] = (),
        remedy: str | None = None,
        suggested: Sequence[str] = (),
        unresolved: str = "",
    ) -> None:
        self.columns = tuple(name for name in columns if not name.startswith("_dlt_"))
        self.suggested = tuple(suggested)
        self.unresolved = unresolved
        if self.columns:
            message = f"{message} Available columns: {', '.join(self.columns)}."
        super().__init__(message, remedy=remedy)


class DispositionError(UsageError):
    """Write disposition or column hint that Bunce's API cannot carry out."""


class UnknownTableError(UsageError):
    """Table that reached the destination but is not configured to hold customers."""


class AccountError(UsageError):
    """Ledger that was written with the API key of another Bunce workspace."""


class SourceError(UsageError):
    """Source that is missing, unreadable, or of an unknown kind."""


class CredentialsError(BunceError):
    """401 or 403 response from Bunce: the API key is missing, wrong, or revoked."""


class ListingError(BunceError):
    """Customer list that cannot be read to its end; loading does not need it."""


class UnavailableError(BunceError):
    """Failure to reach Bunce, or to get a usable response, within the bounded retries."""


class AccountRefusedError(UnavailableError):
    """Rejection of every customer for a reason that concerns none of them: a plan's limit, a
    suspended account, maintenance. `words` is what Bunce said.
    """

    words = ""


class RowsDeferredError(UnavailableError):
    """Rows that could not be settled in this run; the next run retries them."""


class RunInProgressError(UnavailableError):
    """Another run that uses the pipeline's working folder; nothing of this one was sent."""


class StoppedError(UnavailableError):
    """Stop by SIGINT or SIGTERM: requests in flight were settled, the next run loads the rest."""


class StoreError(BunceError):
    """Ledger database that is missing, locked, full, or of another version."""


class ConservationError(BunceError):
    """Fate counts that do not add up to the number of rows read."""


class ThresholdError(BunceError):
    """Run that is loaded and recorded but outside the configured thresholds.

    `summary` is the RunSummary. The next run is judged by its own counts alone.
    """

    def __init__(self, message: str, *, summary: RunSummary, remedy: str | None = None) -> None:
        self.summary = summary
        super().__init__(message, remedy=remedy)


class RejectThresholdError(ThresholdError):
    """More rejected rows than the caller allows."""


class TooFewRowsError(ThresholdError):
    """Fewer rows read than expected from the previous run or the configured minimum."""


def bunce_error(error: BaseException) -> BunceError | None:
    """Return the BunceError that dlt has wrapped in its own exceptions, or None."""
    return next((inner for inner in inside(error) if isinstance(inner, BunceError)), None)


def is_worth_a_retry(error: BunceError) -> bool:
    """Return whether the same run may succeed if it is tried again with nothing changed."""
    return not isinstance(error, UsageError | CredentialsError | ThresholdError)


def not_installed(
    what: str, extra: str, *, kind: type[UsageError] = ConfigurationError
) -> UsageError:
    """Return the error for packages of an extra that are missing.

    `what` is the beginning of a sentence, such as "The emulator is".
    """
    them = "it" if what.endswith(" is") else "them"
    return kind(
        f"{what} not installed.", remedy=f"Install {them} with: pip install 'dlt-bunce[{extra}]'"
    )


def inside(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and every exception it wraps or was caused by."""
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        current = queue.pop()
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        yield current
        seen.add(id(current))
        queue += [current.__cause__, current.__context__]
        # dlt keeps some wrapped exceptions in attributes of its own
        queue += [getattr(current, name, None) for name in ("exception", "client_exception")]
