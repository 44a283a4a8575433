"""Why a whole load must end, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dlt_bunce.errors import AccountRefusedError, BunceError, CredentialsError, UnavailableError
from dlt_bunce.model import Verb
from dlt_bunce.settlement.messages import Reason

KEPT = "Run again later: settled rows are not sent again, the others are kept."
_MAX_SHOWN = 200


@dataclass(frozen=True)
class Stop:
    """Why a whole load must end: `outage` when nothing is answered, `blocked` when everything is
    turned away, `account` when rows are rejected for what concerns none of them, in `words`,
    `field` when they all are for the same field, `form` when requests lack what is named in
    `words`.
    """

    why: Literal["outage", "blocked", "account", "field", "form"]
    words: str = ""
    status: int | None = None


@dataclass(frozen=True)
class Suspicion:
    """Why rows are set aside until other batches have been tried: some were rejected alone, all for
    the same `reason`, which may be about them or about the account. By then, so many requests of
    the operation `verb` had been `accepted`.
    """

    verb: Verb
    reason: Reason
    accepted: int


def fault_of(stop: Stop, noun: str, seen: str) -> BunceError:
    """Return the error that ends a load; `seen` is what came back last."""
    match stop.why:
        case "account":
            refused = AccountRefusedError(
                f"Bunce rejects every {noun}, for a reason that concerns none of them (HTTP "
                f'{stop.status}): "{stop.words[:_MAX_SHOWN]}"',
                remedy="Settle this with Bunce, then run again: nothing is lost, and no "
                f"{noun} stays rejected for it.",
            )
            refused.words = stop.words
            return refused
        case "field":
            return UnavailableError(
                f"Bunce rejects every {noun} for the same field (HTTP {stop.status}): "
                f'"{stop.words[:_MAX_SHOWN]}"; it has accepted none.',
                remedy="Correct this in the source, or map another column, and run again: those "
                "rejected so far are dead letters, the others are kept.",
            )
        case "form":
            return UnavailableError(
                f"Bunce does not take {noun}s in the form that is sent (HTTP "
                f"{stop.status}): it asks for {stop.words}. Nothing is rejected for it.",
                remedy="Look for a newer version of dlt-bunce, then run again. Without"
                " attributes in the mapping, customers load without them.",
            )
        case "blocked":
            return CredentialsError(
                f"Every request with {noun}s is turned away (HTTP "
                f"{stop.status}), by Bunce or by something in front of it, such as a firewall.",
                remedy="Check that the API key may write and that this machine may send to "
                "Bunce; then run again, nothing is lost.",
            )
    return UnavailableError(f"A batch could not be delivered: {seen}.", remedy=KEPT)
