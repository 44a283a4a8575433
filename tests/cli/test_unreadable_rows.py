"""One bad line of a file is a dead letter, counted once however often the file is loaded."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from dlt_bunce.emulator import Emulator

from .conftest import Run

HEADER = "id,email,first_name,last_name,mobile,note\n"


def line(n: int, *, note: str = "x", name: str = "Ada") -> str:
    return f"{n},c{n}@example.com,{name},Obi,+23481{n:08d},{note}\n"


def bad_line(kind: str) -> tuple[bytes, str, int]:
    """A line of customer 2000, why it cannot be read, and what else of it the letter tells."""
    good = line(2000)
    return {
        "comma": (line(2000, note="x,y").encode(), "it has 7 cells, but the header has 6"),
        "byte": (
            good.replace("Ada", "Jos?").encode().replace(b"?", b"\xe9"),
            "it contains bytes that are not text",
        ),
        "quote": (line(2000, name='"Ada').encode(), "a quotation mark in it is not closed"),
    }[kind] + (0,)


def letters(run: Run) -> list[dict[str, Any]]:
    found = run("dead-letters", "export", "letters.jsonl", "--status", "all", "--overwrite")
    assert found.code == 0, found.errors
    return [json.loads(text) for text in Path("letters.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("kind", ["comma", "byte", "quote", "object", "truncated"])
def test_a_bad_line_is_a_letter_until_it_is_corrected(
    run: Run, emulator: Emulator, kind: str
) -> None:
    numbers = [*range(1, 200), 2000, *range(200, 400)]
    if kind in {"object", "truncated"}:
        file = Path("people.jsonl")
        keys = HEADER.strip().split(",")
        good = [
            (json.dumps(dict(zip(keys, line(n).strip().split(","), strict=True))) + "\n").encode()
            for n in numbers
        ]
        bad = good[199][:-5] + b"\n" if kind == "truncated" else b'["c2000@example.com"]\n'
        reason = "it is not a JSON object"
        head = b""
    else:
        file = Path("people.csv")
        good = [line(n).encode() for n in numbers]
        bad, reason, _ = bad_line(kind)
        head = HEADER.encode()
    lines = [*good[:199], bad, *good[200:]]
    file.write_bytes(head + b"".join(lines))

    checked, first, again = run("check", str(file), "--json"), load(run, file), load(run, file)
    [letter] = letters(run)
    moved = lines[:50] + lines[60:]
    file.write_bytes(head + b"".join(moved))
    shorter = load(run, file)
    file.write_bytes(head + b"".join(good))
    corrected = load(run, file)

    assert checked.json["summary"]["rejected"] == 1
    assert "unreadable_line" not in checked.json["unmapped"]
    assert (first["read"], first["created"], first["rejected"]) == (400, 399, 1)
    assert first["reject_codes"] == {"unreadable_row": 1}
    assert (again["unchanged"], again["held"], again["rejected"]) == (399, 1, 0)
    assert (shorter["unchanged"], shorter["held"], shorter["rejected"]) == (389, 1, 0)
    assert (corrected["unchanged"], corrected["created"]) == (399, 1)
    told = json.loads(letter["source_row"])["unreadable_line"]
    assert "c2000@example.com" in told["text"]
    assert (told["file"], told["row"]) == (file.name, 201 if head else 200)
    assert told["reason"].startswith(reason)
    assert letter["message"] == told["reason"]
    assert [found["status"] for found in letters(run)] == ["resolved"]


def load(run: Run, file: Path) -> dict[str, Any]:
    done = run("load", str(file), "--json")
    assert done.code == 0, done.errors
    return done.json  # type: ignore[no-any-return]


def test_a_letter_can_be_corrected_in_its_export(run: Run, emulator: Emulator) -> None:
    text = HEADER + "".join(map(line, range(1, 50))) + line(50, note="x,y")
    Path("people.csv").write_text(text, "utf-8")
    load(run, Path("people.csv"))

    run("dead-letters", "replay")
    replayed = letters(run)
    run("dead-letters", "export", "bad.csv")
    with Path("bad.csv").open(encoding="utf-8-sig", newline="") as file:
        [row] = csv.DictReader(file)
    values = dict(zip(HEADER.strip().split(","), line(50).strip().split(","), strict=True))
    with Path("bad.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row | values)
    done = run("load", "bad.csv", "--json")

    assert done.errors == ""
    assert [(letter["code"], letter["status"]) for letter in replayed] == [
        ("unreadable_row", "open")
    ]
    assert row["unreadable_line"].strip("'") == line(50, note="x,y").strip()
    assert (done.json["created"], done.json["rejected"]) == (1, 0)
    assert [letter["status"] for letter in letters(run)] == ["resolved"]
    assert "50" in emulator.customers


def test_a_line_that_nobody_corrects_in_an_export_stays_what_it_is(
    run: Run, emulator: Emulator
) -> None:
    bad = [line(50, note="x,y"), line(51).replace("+2348", "?")]
    Path("people.csv").write_text(HEADER + "".join([*map(line, range(1, 50)), *bad]), "utf-8")
    load(run, Path("people.csv"))
    run("dead-letters", "export", "bad.csv")
    text = Path("bad.csv").read_text("utf-8-sig").replace("?", "+2348")

    # and an editor has left a separator too many
    Path("bad.csv").write_text(text + text.splitlines()[-1] + ",\n", "utf-8")
    first, again = load(run, Path("bad.csv")), load(run, Path("bad.csv"))

    assert (first["created"], first["held"], first["rejected"]) == (1, 1, 1)
    assert (again["unchanged"], again["held"], again["rejected"]) == (1, 2, 0)
    assert sorted((letter["code"], letter["status"]) for letter in letters(run)) == [
        ("invalid_phone_no", "resolved"),
        ("unreadable_row", "open"),
        ("unreadable_row", "open"),
    ]


def test_a_bad_line_is_no_attribute_where_all_columns_are(run: Run, emulator: Emulator) -> None:
    emulator.attributes.add("note", "text")
    numbers = range(1, 40)
    Path("people.csv").write_text(
        HEADER + "".join(map(line, numbers)) + line(2000, note="x,y"), encoding="utf-8"
    )

    done = run("load", "people.csv", "--attribute", "*", "--json")

    assert done.code == 0, done.errors
    assert done.json["reject_codes"] == {"unreadable_row": 1}
    assert done.json["attributes"]["written"] == len(numbers)


def test_many_bad_lines_stop_the_load(run: Run, emulator: Emulator) -> None:
    rows = [line(n, note="a,b" if n % 9 == 0 else "x") for n in range(2_000)]
    Path("people.csv").write_text(HEADER + "".join(rows), "utf-8")

    done = run("load", "people.csv")

    assert (done.code, emulator.customers) == (2, {})
    assert "of people.csv cannot be read; the first of them is row 2: it has 7 cells" in done.errors
    assert "@example" not in done.errors


def test_the_only_row_of_a_file_is_told_as_such(run: Run, emulator: Emulator) -> None:
    Path("people.csv").write_text(HEADER + line(1, note="a,b"), "utf-8")

    done = run("load", "people.csv")

    assert (done.code, emulator.customers) == (2, {})
    assert "The only row of people.csv cannot be read: it is row 2: it has 7 cells" in done.errors


def test_marks_within_a_cell_are_text(run: Run, emulator: Emulator) -> None:
    text = HEADER + line(1, note="5'11\" tall") + line(2)
    Path("people.csv").write_text(text, "utf-8")

    assert load(run, Path("people.csv"))["created"] == 2


def test_a_row_within_another_is_not_sent(run: Run, emulator: Emulator) -> None:
    """The quotation mark of the second row closes that of the first."""
    bad = line(50, name='"Ada') + line(51, name='"Eve"')
    Path("people.csv").write_text(HEADER + line(1) + line(2) + bad + line(3), "utf-8")

    done = load(run, Path("people.csv"))

    assert (done["created"], done["reject_codes"]) == (3, {"unreadable_row": 1})
    assert set(emulator.customers) == {"1", "2", "3"}
    [letter] = letters(run)
    assert "c51@example.com" in letter["source_row"]
