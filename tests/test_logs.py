"""What a load tells in its log."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dlt_bunce
from dlt_bunce.emulator import Emulator
from dlt_bunce.logs import EVENTS

PROGRAM = """
import dlt
from dlt_bunce import bunce
row = dict(id=1, email="a@example.com", first_name="A", last_name="B", phone="+2348100000000")
dlt.pipeline("crm", destination=bunce()).run([row], table_name="customers")
"""


def run(emulator: Emulator, level: str, **options: Any) -> None:
    """Loads one customer in a process of its own, at a log level."""
    environment = {
        **os.environ,
        "DESTINATION__BUNCE__CREDENTIALS__API_KEY": "sk_test_x",
        "DESTINATION__BUNCE__BASE_URL": emulator.base_url,
        "RUNTIME__LOG_LEVEL": level,
    }
    subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True, **options)


def test_away_from_a_terminal_every_event_is_a_line_of_json(
    emulator: Emulator, tmp_path: Path
) -> None:
    with (tmp_path / "log").open("w") as log:
        run(emulator, "INFO", stderr=log)

    lines = [line for line in (tmp_path / "log").read_text().splitlines() if line[:1] == "{"]
    events = {event["event"]: event for event in map(json.loads, lines)}
    assert events.keys() == {"load.started", "load.mapped", "load.finished", "run.finished"}
    finished = events["load.finished"]
    assert (finished["read"], finished["created"], finished["table"]) == (1, 1, "customers")


def test_the_level_is_that_of_dlt(emulator: Emulator, tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        run(emulator, "ERROR", stderr=log)

    assert (tmp_path / "log").read_text() == ""


def test_on_a_terminal_events_are_text(emulator: Emulator) -> None:
    ours, theirs = pty.openpty()
    shown = b""

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(run, emulator, "INFO", stderr=theirs)
        done.add_done_callback(lambda _: os.close(theirs))
        # reading fails once nobody writes any more
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 65_536):
                shown += piece
        done.result()

    os.close(ours)
    assert b"load.finished" in shown
    assert b'{"' not in shown


def test_the_events_are_listed_in_one_place() -> None:
    package = Path(dlt_bunce.__file__).parent
    sources = [f.read_text() for f in package.rglob("*.py") if "emulator" not in f.parts]
    logged = re.findall(r'\.(?:debug|info|warning|error)\(\s*"([^"]+)"', "\n".join(sources))

    assert EVENTS.keys() == set(logged)
