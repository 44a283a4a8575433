"""Whether the process of a run still exists."""

from __future__ import annotations

import subprocess
import sys
import time

from dlt_bunce.store.database import utc_now
from dlt_bunce.store.runs.processes import is_gone, this_process


def test_a_killed_process_is_gone_before_its_parent_asks_how_it_ended() -> None:
    _, _, machine = this_process().partition("@")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process, now = f"{child.pid}@{machine}", int(time.time() * 1_000)
        assert not is_gone(process, utc_now(), now)
        child.kill()

        until = time.monotonic() + 60
        while not is_gone(process, utc_now(), now):
            assert time.monotonic() < until
            time.sleep(0.01)

        # which `with` has not done yet
        assert child.returncode is None
    assert child.returncode < 0
