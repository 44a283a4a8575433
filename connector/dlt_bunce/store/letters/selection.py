"""Which dead letters to list, count, send again, or close."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product

from dlt_bunce.errors import UsageError
from dlt_bunce.reject_codes import REJECT_CODES
from dlt_bunce.store.choices import check_choice
from dlt_bunce.store.database import as_utc

ID_DIGITS = 24
STATUSES = ("open", "resolved", "superseded", "discarded")
_MOST_CUSTOMERS = 10_000
"""Parameters of one statement: SQLite allows 32,766, Postgres 65,535."""
_CHOICES = ("codes", "fields", "run_ids", "ids", "customer_ids")


@dataclass(frozen=True)
class Selection:
    """A filter on dead letters.

    A dead letter must match every filter that is set; with several codes, fields, runs, customers,
    or ids, it must match one of each. None sets no filter, and an empty list matches nothing.
    `status=None` matches any status. An id may be given as a prefix. `since` is inclusive and
    `until` exclusive; both compare with the time a dead letter was last rejected, which a run that
    only holds its row again does not change. Raises UsageError for
    a filter that is a plain string instead of a list.
    """

    status: str | None = "open"
    codes: Sequence[str] | None = None
    fields: Sequence[str] | None = None
    run_ids: Sequence[str] | None = None
    ids: Sequence[str] | None = None
    customer_ids: Sequence[str] | None = None
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        """Check the filters that are lists."""
        for name in _CHOICES:
            object.__setattr__(self, name, check_choice(name, getattr(self, name)))

    def where(self, account: str) -> tuple[str, list[object]]:
        """Return an SQL condition and its parameters, numbered from $1."""
        terms, parameters = ["account = $1"], [account]

        def mark(value: object) -> str:
            parameters.append(value)  # type: ignore[arg-type]
            return f"${len(parameters)}"

        if self.status is not None:
            terms.append(f"status = {mark(self.status)}")
        for column, values in (
            ("code", self.codes),
            ("field", self.fields),
            ("run_id", self.run_ids),
            ("customer_id", self.customer_ids),
        ):
            if values is not None:
                marks = ", ".join(mark(value) for value in values)
                terms.append(f"{column} IN ({marks})" if values else "1 = 0")
        if self.ids is not None:
            # text that cannot begin an id matches nothing, so that an empty shell variable does
            # not select every dead letter
            prefixes = [prefix for prefix in self.ids if re.fullmatch("[0-9a-f]+", prefix)]
            whole = [mark(prefix) for prefix in prefixes if len(prefix) == ID_DIGITS]
            tests = [f"id IN ({', '.join(whole)})"] if whole else []
            tests += [
                f"(id >= {mark(prefix)} AND id < {mark(prefix + 'g')})"
                for prefix in prefixes
                if len(prefix) != ID_DIGITS
            ]
            terms.append(f"({' OR '.join(tests) or '1 = 0'})")
            # keep the planner off the indexes that begin with `account`: the primary key finds
            # these few rows directly
            terms[0] = "account || '' = $1"
        for comparison, moment in ((">=", self.since), ("<", self.until)):
            if moment is not None:
                terms.append(f"last_seen_at {comparison} {mark(as_utc(moment))}")
        return " AND ".join(terms), list(parameters)

    def parts(self) -> list[Selection]:
        """Split into selections of one status, code, field, and run each.

        An index returns the dead letters of each part in time order.
        """
        return [
            replace(portion, status=status, codes=codes, fields=fields, run_ids=run_ids)
            for status, codes, fields, run_ids in product(
                STATUSES if self.status is None else (self.status,),
                _singly(self.codes),
                _singly(self.fields),
                _singly(self.run_ids),
            )
            for portion in self.portions()
        ]

    def portions(self) -> list[Selection]:
        """Split into selections with as many customers as one statement can take."""
        ids = list(dict.fromkeys(self.customer_ids or ()))
        if len(ids) <= _MOST_CUSTOMERS:
            return [self]
        starts = range(0, len(ids), _MOST_CUSTOMERS)
        return [replace(self, customer_ids=ids[n : n + _MOST_CUSTOMERS]) for n in starts]


def refuse_unknown(selection: Selection | None) -> None:
    """Raise UsageError for a code or a status that no dead letter can have: a typo must not look
    like an empty result.
    """
    chosen = selection or Selection()
    statuses = [] if chosen.status is None else [chosen.status]
    for name, values, known in (
        ("code", chosen.codes or (), REJECT_CODES),
        ("status", statuses, STATUSES),
    ):
        for value in values:
            if value not in known:
                raise UsageError(
                    f"No dead letter has the {name} {value!r}.",
                    remedy=f"Use one of: {', '.join(known)}.",
                )


def _singly(values: Sequence[str] | None) -> list[tuple[str, ...] | None]:
    return [None] if values is None else [(value,) for value in dict.fromkeys(values)]
