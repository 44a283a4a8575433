"""Everything this package raises on purpose.

BunceError
├── UsageError              the caller must change something; nothing was sent
│   ├── ConfigurationError    a setting is missing or contradicts another
│   ├── MappingError          source columns and Bunce's fields do not fit together
│   ├── DispositionError      a write disposition or hint that Bunce cannot honor
│   ├── UnknownTableError     a table that is not configured as customers
│   ├── AccountError          the ledger belongs to another workspace
│   └── SourceError           a source that cannot be read
├── CredentialsError        Bunce refused the API key
├── UnavailableError        try again later: Bunce did not answer well enough
│   ├── AccountRefusedError   Bunce rejects every customer, for what concerns none of them
│   ├── RowsDeferredError     some rows could not be settled in this run
│   ├── RunInProgressError    another run of the same pipeline is under way in its folder
│   └── StoppedError          the process was asked to end before all rows were settled
├── ListingError            Bunce offers no listing of customers that can be read to its end
├── StoreError              the ledger's database cannot be used; nothing is sent without it
├── ConservationError       rows read and rows accounted for differ
└── ThresholdError          loaded and recorded, but not what the thresholds allow
    ├── RejectThresholdError  more rows rejected than allowed
    └── TooFewRowsError       fewer rows read than the run before makes one expect

None of them is a terminal exception of dlt: the load package is kept, so no row is forgotten.
Messages name columns, tables, settings, and hosts, never values of customers or secrets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from typing_extensions import Self


class BunceError(Exception):
    """Root of the tree. `str(error)` says what happened and, where one exists, the remedy."""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(message if remedy is None else f"{message} {remedy}")

    def with_remedy(self, remedy: str) -> Self:
        """The same error with one remedy more."""
        told = f"{self.remedy} {remedy}" if self.remedy else remedy
        state = {**self.__dict__, "remedy": told}
        return cast("Self", _rebuild(type(self), (f"{self.message} {told}",), state))

    def __reduce__(self) -> tuple[object, ...]:
        # dlt moves exceptions between processes; keyword-only arguments need help with that
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(
    kind: type[BunceError], args: tuple[object, ...], state: dict[str, object]
) -> BunceError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class UsageError(BunceError):
    """The caller must change something before trying again; nothing was sent."""


class ConfigurationError(UsageError):
    """A setting is missing, malformed, or contradicts another."""


class MappingError(UsageError):
    """Source columns and Bunce's fields do not fit together."""

    def __init__(
        self, message: str, *, columns: Sequence[str] = (), remedy: str | None = None
    ) -> None:
        self.columns = tuple(columns)
        if columns:
            message = f"{message} Columns there are: {', '.join(columns)}."
        super().__init__(message, remedy=remedy)


class DispositionError(UsageError):
    """A write disposition or column hint that Bunce has no call for."""


class UnknownTableError(UsageError):
    """A table reached the destination that is not configured to hold customers."""


class AccountError(UsageError):
    """The ledger was written with the API key of another Bunce workspace."""


class SourceError(UsageError):
    """A source is missing, unreadable, or of an unknown kind."""


class CredentialsError(BunceError):
    """Bunce answered 401 or 403: the API key is missing, wrong, or revoked."""


class ListingError(BunceError):
    """Customers cannot be listed to the end; loading works without that."""


class UnavailableError(BunceError):
    """Bunce could not be reached or did not answer usably within the bounded retries."""


class AccountRefusedError(UnavailableError):
    """Bunce rejects every customer, for what concerns none of them: a plan's limit, a suspended
    account, maintenance.
    """


class RowsDeferredError(UnavailableError):
    """Rows that could not be settled in this run; the next run takes them up."""


class RunInProgressError(UnavailableError):
    """Another live run holds the pipeline's working folder; nothing was read or sent."""


class StoppedError(UnavailableError):
    """SIGINT or SIGTERM came: what was in flight is settled, the next run takes up the rest."""


class StoreError(BunceError):
    """The database of the ledger is missing, locked, full, or of another version."""


class ConservationError(BunceError):
    """The fates counted do not add up to the rows read."""


class ThresholdError(BunceError):
    """Everything is loaded and recorded, but the run is not what the thresholds allow.

    `summary` is the RunSummary. Another run is judged by its own figures alone.
    """

    def __init__(self, message: str, *, summary: Any = None, remedy: str | None = None) -> None:
        self.summary = summary
        super().__init__(message, remedy=remedy)


class RejectThresholdError(ThresholdError):
    """More rows were rejected than the caller allows."""


class TooFewRowsError(ThresholdError):
    """Fewer rows were read than the run before makes one expect."""


def bunce_error(error: BaseException) -> BunceError | None:
    """The BunceError inside what dlt wraps around it, if there is one."""
    return next((one for one in inside(error) if isinstance(one, BunceError)), None)


def inside(error: BaseException) -> Iterator[BaseException]:
    """An exception and all that led to it, as dlt wraps them."""
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        one = queue.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        yield one
        seen.add(id(one))
        queue += [one.__cause__, one.__context__]
        queue += [getattr(one, name, None) for name in ("exception", "client_exception")]
