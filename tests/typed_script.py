"""A user's script that uses every public name; nothing runs it.

`make check` verifies its types with mypy and with Pyright, both strict.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import dlt

from dlt_bunce import (
    AccountError,
    AccountRefusedError,
    BunceError,
    ConfigurationError,
    ConservationError,
    CredentialsError,
    DispositionError,
    ListingError,
    MappingError,
    RejectedValue,
    RejectThresholdError,
    Retried,
    RowsDeferredError,
    RunInProgressError,
    RunSummary,
    Selection,
    SourceError,
    Status,
    StoppedError,
    StoreError,
    ThresholdError,
    TooFewRowsError,
    UnavailableError,
    UnknownTableError,
    UsageError,
    ValueSelection,
    WaitingValues,
    adopt,
    bunce,
    bunce_adapter,
    check,
    dead_letters,
    discard,
    discard_values,
    erase,
    flush_and_run,
    rejected_values,
    replay,
    retry_values,
    run_summary,
    status,
    waiting_values,
)


@dlt.resource(name="customers", primary_key="id")
def customers() -> Iterator[dict[str, Any]]:
    yield {"id": 7, "mail": "ada@example.com"}


WRONG_USE = (ConfigurationError, DispositionError, MappingError, SourceError, UnknownTableError)
TRY_AGAIN = (UnavailableError, RowsDeferredError, RunInProgressError, StoreError, ListingError)
ASK_SOMEBODY = (AccountError, AccountRefusedError, CredentialsError, ConservationError)


def notify(summary: RunSummary) -> None:
    print(summary.read, summary.state)


def main() -> None:
    destination = bunce(
        store_url="sqlite:///bunce.sqlite",
        default_region="NG",
        mapping={"email": "mail"},
        attributes={"plan": "Plan"},
        on_run_end=notify,
    )
    pipeline = dlt.pipeline("crm_to_bunce", destination=destination)
    rows = bunce_adapter(
        customers,
        customer_id="id",
        email="mail",
        version="updated_at",
        attributes={"plan": "Plan"},
        segments={"vip": "VIP"},
    )
    preview = check(rows, destination=destination)
    print(preview)
    try:
        summary = flush_and_run(pipeline, rows, write_disposition="merge")
    except ThresholdError as error:
        print(error.summary.rejected, error.message, error.remedy)
        raise
    except (UsageError, *WRONG_USE) as error:
        raise SystemExit(f"{error.message} {error.remedy}") from None
    except (StoppedError, *TRY_AGAIN, *ASK_SOMEBODY) as error:
        print(type(error).__name__, error)
        raise
    except BunceError as error:
        print(error.message, error.remedy)
        raise
    print(summary.created, summary.reject_codes.get("invalid_email", 0), summary.warnings)
    pipeline.run(rows)
    last = run_summary(pipeline)
    try:
        last.raise_if_rejected(share=0.02, count=10)
    except (RejectThresholdError, TooFewRowsError) as error:
        print(error.summary)
    since = datetime.now(timezone.utc) - timedelta(days=7)
    letters = Selection(codes=["invalid_email"], since=since)
    print(replay(letters, destination=destination))
    print(discard(letters, destination=destination))
    found: Status = status(destination=destination)
    print(found.open_dead_letters)
    values: list[RejectedValue] = list(rejected_values(ValueSelection(attributes=["Plan"])))
    print([(value.customer_id, value.code) for value in values])
    retried: Retried = retry_values(ValueSelection(codes=["value_invalid"]))
    print(retried, discard_values(ValueSelection(codes=["refused"])))
    waiting: list[WaitingValues] = list(waiting_values(destination=destination))
    print([entry.customer_id for entry in waiting if entry.customer == "accepted"])
    print(erase(["7"]))
    print(adopt())
    dlt.pipeline("letters", destination="duckdb").run(dead_letters(status="open"))


if __name__ == "__main__":
    main()
