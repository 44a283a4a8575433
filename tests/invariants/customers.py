"""Sixty customers of every kind: what Bunce has beforehand, and what must become of them."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

Kind = Literal["new", "bad", "borrower", "same", "other"]
"""Not there yet; refused; has the email of a customer who is not ours; there beforehand with our
content; there beforehand with other content."""
KINDS: dict[Kind, int] = {"new": 52, "bad": 3, "borrower": 1, "same": 2, "other": 2}
REFUSED = "refused.example"
"""Bunce refuses emails of this domain."""


@dataclass(frozen=True)
class Population:
    """The rows of a source, in a fixed order in which all kinds are mixed."""

    kinds: Mapping[str, Kind]

    @classmethod
    def mixed(cls) -> Population:
        """The same customers each time."""
        kinds = [kind for kind, count in KINDS.items() for _ in range(count)]
        random.Random(5).shuffle(kinds)
        return cls({f"c{n}": kind for n, kind in enumerate(kinds)})

    def chunks(self, rows: int, columns: Collection[str] | None = None) -> Iterator[pa.Table]:
        """The source's tables."""
        yield pa.Table.from_pylist([self.row(key) for key in self.kinds]).slice(0, rows)

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return len(self.kinds)

    def row(self, key: str) -> dict[str, Any]:
        """A row of the source."""
        kind = self.kinds[key]
        row = person(int(key[1:]), bad="there" if kind == "bad" else "")
        return row | {"email": "somebody@example.com"} if kind == "borrower" else row

    def beforehand(self) -> list[dict[str, Any]]:
        """What Bunce has before the load."""
        there = [self.row(key) for key, kind in self.kinds.items() if kind == "same"]
        for key, kind in self.kinds.items():
            if kind == "other":
                there.append(self.row(key) | {"first_name": "Zoe"})
        somebody = {"customer_id": "somebody", "email": "somebody@example.com", "first_name": "Eve"}
        return [*there, person(0) | somebody]

    def deviations(
        self,
        there: Mapping[str, Mapping[str, Any]],
        letters: Mapping[str, str],
        delivered: Mapping[str, str],
        *,
        shared: bool,
        overwrite: bool,
    ) -> Iterator[str]:
        """How what Bunce has, the dead letters (code by customer), and the ledger (confirmation by
        customer) differ from what must be.
        """
        for key, kind in self.kinds.items():
            code, has = letters.get(key), there.get(key)
            said = code or f"delivered by {delivered.get(key)}"
            if kind == "bad" or (kind == "borrower" and not shared):
                if has is not None:
                    yield f"{kind} is there"
                if code != ("refused" if kind == "bad" else "email_taken"):
                    yield f"{kind} is {said}"
                continue
            kept = kind == "other" and not overwrite and has is not None
            ours = has is not None and has["first_name"] == "Ada 0"
            if code is not None or key not in delivered or not (ours or kept):
                yield f"{kind} is {said}"


def person(number: int, version: int = 0, *, bad: str = "") -> dict[str, Any]:
    """A customer; `bad` is "here" (rejected before sending) or "there" (refused by Bunce)."""
    email = {"": f"c{number}@example.com", "here": "nobody", "there": f"c{number}@{REFUSED}"}[bad]
    return {
        "customer_id": f"c{number}",
        "email": email,
        "first_name": f"Ada {version}",
        "last_name": "Obi",
        "phone_no": f"+23481{number:08d}",
        "updated_at": version,
    }


def people(count: int, chance: random.Random) -> list[dict[str, Any]]:
    """Customers, some of them bad."""
    kinds = chance.choices(["", "here", "there"], weights=[20, 1, 1], k=count)
    return [person(n, bad=kind) for n, kind in enumerate(kinds)]
