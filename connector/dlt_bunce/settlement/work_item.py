"""Rows that go on together through a settlement, with what is known of all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from dlt_bunce.model import Verb


@dataclass(frozen=True)
class BatchRejection:
    """What left rows over: it named so many `of` the rows sent, for reasons of that `sort`.

    `counted`: its own count says that it named all that failed. `fresh`: not one of the rows left
    over was there before that request.
    """

    named: int
    of: int
    sort: str
    counted: bool
    fresh: bool = False


@dataclass(frozen=True)
class WorkItem:
    """Rows, and which way they go.

    `look_up`: before they are sent. `silent`: a success did not show them, for the last of
    `attempt` - 1 times. `halve`: a refusal named none of them. `suspect`: so did an earlier one.
    `caused_by`: the refusal that left them over.
    """

    rows: tuple[int, ...]
    verb: Verb
    look_up: bool = False
    attempt: int = 1
    silent: bool = False
    halve: bool = False
    suspect: bool = False
    caused_by: BatchRejection | None = None

    def sent_again(self, rows: Iterable[int]) -> WorkItem:
        """Some of the rows as another try, which remembers whether a refusal named nobody."""
        suspect = self.suspect or self.halve
        return WorkItem(tuple(rows), self.verb, attempt=self.attempt, suspect=suspect)


def halves(item: WorkItem) -> list[WorkItem]:
    """Both halves of the rows, the first one larger by a row where they are odd."""
    middle = (len(item.rows) + 1) // 2
    parts = (item.rows[:middle], item.rows[middle:])
    return [WorkItem(part, item.verb, suspect=item.suspect) for part in parts if part]


def joined(items: list[WorkItem]) -> list[WorkItem]:
    """Parcels of one row each that go the same way, as one request."""
    rows = tuple(i for item in items for i in item.rows)
    return [replace(items[0], rows=rows)] if rows else []
