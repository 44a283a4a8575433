"""What tables look like on terminals of several widths, in a pipe, and without UTF-8.

The screens are in `screens/`; DLT_BUNCE_TEST_RECORD_PAGES=1 writes them anew.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dlt_bunce.store.database import Database

from .conftest import Run
from .terminal import Terminal

SCREENS = Path(__file__).parent / "screens"
COMMANDS = (
    ("status",),
    ("report",),
    ("dead-letters", "list"),
)
IDS = ("7f3c09a1b2c3d4e5f6a7b8c9", "08d4b1a2c3d4e5f6a7b8c9d0")
NUMBERS = ("1,721,480", "1,700,721", "20,480", "279", "3,502")


def _run(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "run_id": f"179592870{number}.1802416",
        "pipeline_name": f"bunce_load_d570cfff65_66252{number}",
        "source": "crm_export.csv",
        "account": "default",
        "state": "completed",
        "read": 1_721_480,
        "created": 1_700_721,
        "unchanged": 20_480,
        "rejected": 279,
        "requests": 3_502,
        "started_at": f"2026-11-29T0{number}:01:00.000000+00:00",
        "ended_at": f"2026-11-29T0{number}:09:30.500000+00:00",
        "number": number,
        "reject_codes": json.dumps({"invalid_phone_no": 270, "email_taken": 9}),
    } | changes


def _letter(letter_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": letter_id,
        "account": "default",
        "customer_id": "C-000480",
        "code": "invalid_phone_no",
        "field": "phone_no",
        "message": "7 characters",
        "stage": "normalize",
        "source_row": "{}",
        "fingerprint": letter_id,
        "attempts": 1,
        "first_seen_at": "2026-11-29T03:02:03.123456+00:00",
        "last_seen_at": "2026-11-29T03:02:03.123456+00:00",
        "status": "open",
        "run_id": "1795928702.1802416",
        "pipeline_name": "bunce_load_d570cfff65_662522",
    } | changes


@pytest.fixture
def _store(run: Run) -> None:
    account = {
        "account": "default",
        "key_salt": "",
        "key_digest": "",
        "email_key": "",
        "batch_size": 1_000,
        "created_at": "2026-11-29T01:00:00.000000+00:00",
    }
    tables = {
        "bunce_accounts": [account],
        "bunce_runs": [_run(2), _run(1, state="failed", source=None)],
        "bunce_dead_letters": [
            _letter(IDS[0]),
            _letter(IDS[1], code="email_taken", field="email", customer_id="C-000721"),
        ],
    }
    with Database("sqlite:///bunce.sqlite") as db:
        for table, rows in tables.items():
            db.ingest("bunce_given", pa.Table.from_pylist(rows))
            columns = ", ".join(rows[0])
            db.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM bunce_given")


def _compare(name: str, shown: str) -> None:
    file = SCREENS / f"{name}.txt"
    if "DLT_BUNCE_TEST_RECORD_PAGES" in os.environ:
        file.write_text(shown, "utf-8")
    assert shown == file.read_text("utf-8")


def _plain(shown: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", shown)


def _prompts(screens: list[str]) -> str:
    pairs = zip(COMMANDS, screens, strict=True)
    return "\n".join(f"$ dlt-bunce {' '.join(words)}\n{shown}" for words, shown in pairs)


@pytest.mark.usefixtures("_store")
@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_numbers_and_ids_stay_whole_at_every_width(on_a_terminal: Terminal, columns: int) -> None:
    shown = _prompts([_plain(on_a_terminal(*words, columns=columns)) for words in COMMANDS])

    assert [line for line in shown.splitlines() if len(line) > columns] == []
    assert {word: shown.count(word) for word in (*NUMBERS, *IDS)} == (
        dict.fromkeys(NUMBERS, 4) | dict.fromkeys(IDS, 1)
    )
    assert "superseded" not in shown, "no run has superseded rows"
    _compare(f"{columns}-columns", shown)


@pytest.mark.usefixtures("_store")
def test_a_pipe_gets_one_line_for_each_row_and_no_escapes(
    program: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS")
    shown = _prompts([program(*words).output for words in COMMANDS])

    assert "\x1b" not in shown
    assert [shown.count(word) for word in (*NUMBERS, *IDS)] == [4] * 5 + [1] * 2
    _compare("piped", shown)


@pytest.mark.usefixtures("_store")
def test_without_color_or_utf_8_a_table_has_neither(on_a_terminal: Terminal) -> None:
    colors = on_a_terminal("account", "list", TERM="xterm-256color")
    plain = on_a_terminal("account", "list", TERM="xterm-256color", NO_COLOR="1", LC_ALL="C")

    assert "\x1b[" in colors
    assert not re.search(r"\x1b\[[\d;]*3\d", plain), "no color"
    assert plain.isascii()
    assert "default" in plain


@pytest.mark.usefixtures("_store")
def test_json_is_one_line_for_each_document(program: Run, program_file: Path) -> None:
    for words in COMMANDS:
        assert program(*words, "--json").output.count("\n") == 1
    command = f"for n in 1 2 3; do {program_file} status --json >> runs.jsonl; done"
    subprocess.run(["/bin/sh", "-c", command], check=True)

    lines = Path("runs.jsonl").read_text().splitlines()
    assert [len(json.loads(line)["runs"]) for line in lines] == [2, 2, 2]
