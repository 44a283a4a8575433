"""What the tests of the store share."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

_HEAD = """
import json, sys, time

def ready():
    print("ready", flush=True)
    return float(sys.stdin.readline())

def answer(value):
    print(json.dumps(value), flush=True)

"""


@pytest.fixture
def together() -> Callable[[Sequence[str]], list[Any]]:
    """Runs programs in processes of their own; each calls `start = ready()`, which returns the
    same moment in all of them, and hands over its result with `answer(value)`.
    """

    def run(programs: Sequence[str]) -> list[Any]:
        running = [
            subprocess.Popen(
                [sys.executable, "-W", "error", "-c", _HEAD + program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for program in programs
        ]
        for process in running:
            assert process.stdout is not None
            assert "ready\n" == process.stdout.readline()
        start = time.time() + 0.1
        answers = [process.communicate(f"{start}\n", timeout=60)[0] for process in running]
        return [json.loads(answer) for answer in answers]

    return run
