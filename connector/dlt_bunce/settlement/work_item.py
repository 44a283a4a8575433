"""Rows that go through a settlement together, with what is known of all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from dlt_bunce.model import Verb


@dataclass(frozen=True)
class BatchRejection:
    """A rejection that left rows over: it named `named` of the `of` rows sent, all for `sort`.

    `counted`: its own count says that it named every row that failed. `fresh`: none of the rows
    left over existed before that request.
    """

    named: int
    of: int
    sort: str
    counted: bool
    fresh: bool = False


@dataclass(frozen=True)
class WorkItem:
    """Rows and the operation they are sent with.

    `look_up`: look the rows up before sending them. `silent`: a success did not show them, for
    the last of `attempt` - 1 times. `halve`: a rejection named none of them. `suspect`: an earlier
    one did so. `caused_by`: the rejection that left them over. `failures`: requests in a row that
    were blocked or got no readable answer. `answered` and `accepted`: how many requests of this
    operation the run had seen answered or accepted when the trouble began; None without trouble.
    `lone`: none of the rows gets through, though an empty request does.
    """

    rows: tuple[int, ...]
    verb: Verb
    look_up: bool = False
    attempt: int = 1
    silent: bool = False
    halve: bool = False
    suspect: bool = False
    caused_by: BatchRejection | None = None
    failures: int = 0
    answered: int | None = None
    accepted: int | None = None
    lone: bool = False

    def sent_again(self, rows: Iterable[int]) -> WorkItem:
        """Return some of the rows for another try, which remembers what went wrong so far."""
        return WorkItem(
            tuple(rows),
            self.verb,
            attempt=self.attempt,
            suspect=self.suspect or self.halve,
            failures=self.failures,
            answered=self.answered,
            accepted=self.accepted,
            lone=self.lone,
        )


def halves(item: WorkItem) -> list[WorkItem]:
    """Both halves of the rows; the first is larger by one where the number is odd.

    What fails again must be compared with others again: an outage may have begun meanwhile. A row
    that is left alone starts to count its failures anew.
    """
    middle = (len(item.rows) + 1) // 2
    return [
        WorkItem(
            part,
            item.verb,
            suspect=item.suspect,
            failures=item.failures if len(part) > 1 else 0,
            accepted=item.accepted,
            lone=item.lone,
        )
        for part in (item.rows[:middle], item.rows[middle:])
        if part
    ]


def joined(items: list[WorkItem]) -> list[WorkItem]:
    """Items of one row each that are sent with the same operation, as one request."""
    rows = tuple(i for item in items for i in item.rows)
    return [replace(items[0], rows=rows)] if rows else []


def samples(rows: tuple[int, ...]) -> list[int]:
    """Up to three rows from different places: the first, the last, and one between them."""
    return list(dict.fromkeys((rows[0], rows[-1], rows[len(rows) // 2])))
