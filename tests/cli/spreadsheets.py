"""Dead letters as a person opens, corrects, and saves them in a spreadsheet."""

from __future__ import annotations

import csv
import shlex
from pathlib import Path
from typing import Any

from .conftest import Done, Run, people

FRONT = [f"dead_letter_{name}" for name in ("id", "code", "field", "message", "remedy", "source")]
# in the order in which every Arrow keeps them
DEVICES = [{"device_token": "=1+1", "device_type": "ios"}]
BAD = [
    *people(2, mobile="0803 000 0002", devices=DEVICES),
    *people(3, email="c1@example.com", devices=None),
    *people(4, first_name=None, devices=DEVICES),
]


def rows_of(name: str = "rejected.csv", separator: str = ",") -> list[dict[str, str]]:
    """The cells of a spreadsheet as it opens the file."""
    with Path(name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=separator))


def save(
    rows: list[dict[str, str]], name: str = "rejected.csv", separator: str = ",", bom: bool = False
) -> None:
    """Writes the file as a spreadsheet saves it."""
    encoding = "utf-8-sig" if bom else "utf-8"
    with Path(name).open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)


def exported(run: Run, *words: str) -> list[dict[str, str]]:
    """The open letters as a person opens them, in the order of the source's ids."""
    done = run("dead-letters", "export", "rejected.csv", "--overwrite", *words)
    assert (done.code, done.errors) == (0, "")
    return sorted(rows_of(), key=lambda row: row.get("id", ""))


def loads(run: Run, *words: str) -> Done:
    """Pastes the command that the export has printed."""
    done = run("dead-letters", "export", "other.csv", "--overwrite", "--json", "--status", "all")
    command = shlex.split(done.json["load"].replace("other.csv", "rejected.csv"))
    return run(*command[1:], *words)


def statuses(run: Run) -> dict[str, list[str]]:
    """The statuses of all letters, by the customer they were written for."""
    found: dict[str, list[str]] = {}
    for letter in run("dead-letters", "list", "--status", "all", "--json").json:
        found.setdefault(letter["customer_id"], []).append(letter["status"])
    return {customer: sorted(kinds) for customer, kinds in found.items()}


def renamed(rows: list[dict[str, Any]], **names: str) -> list[dict[str, Any]]:
    """The rows under other columns."""
    return [{names.get(column, column): v for column, v in row.items()} for row in rows]


def counts(done: Done, *names: str) -> tuple[int, ...]:
    assert done.code == 0, done.errors
    return tuple(done.json[name] for name in names)
