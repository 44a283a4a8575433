"""Halves of characters in JSON files, as some programs cut text: they concern their own row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dlt_bunce.emulator import Emulator

from .conftest import Run, people

HALF = "gold \ud83d"


def write(name: str, rows: list[dict[str, Any]]) -> None:
    text = json.dumps(rows) if name.endswith(".json") else "\n".join(map(json.dumps, rows))
    Path(name).write_text(text)


@pytest.mark.parametrize("place", ["plan", "first_name", "id", "other"])
@pytest.mark.parametrize("name", ["people.jsonl", "people.json"])
def test_a_file_with_half_a_character_loads_its_other_rows(
    run: Run, emulator: Emulator, place: str, name: str
) -> None:
    emulator.attributes.add("Plan", "text")
    rows = people(1, 2, 3, plan="gold \U0001f389", other="x")
    rows[1][place] = HALF
    write(name, rows)

    done = run("load", name, "--attribute", "plan=Plan", "--json").json

    is_own = place in {"first_name", "id"}
    assert (done["created"], done["rejected"]) == ((2, 1) if is_own else (3, 0))
    values = {fate: n for fate, n in done["attributes"].items() if n and fate != "read"}
    if place == "plan":
        assert values == {"written": 2, "rejected": 1}
        assert done["rejected_values"] == {"Plan": {"invalid_text": 1}}
    else:
        assert values == ({"written": 2, "waiting": 1} if is_own else {"written": 3})
    assert emulator.attributes.values_of("3") == {"Plan": "gold \U0001f389"}


def test_ids_that_differ_in_half_a_character_are_two_rows(run: Run) -> None:
    rows = people(1, 2)
    rows[0]["id"], rows[1]["id"] = "a\ud83d", "a\ud83e"
    write("people.jsonl", rows)

    run("load", "people.jsonl")
    letters = json.loads(run("dead-letters", "list", "--json").output)

    assert len(letters) == 2
