"""A load that is asked to end: what is in flight is settled, the next run takes up the rest."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from dlt_bunce.emulator import Behavior, Emulator, Fault

from .conftest import Run, people, write

WORDS = ("load", "customers.parquet", "--json")


@pytest.fixture(autouse=True)
def _small_batches(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESTINATION__BUNCE__MAX_BATCH_SIZE", "10")
    monkeypatch.setenv("DESTINATION__BUNCE__CONCURRENCY", "2")
    monkeypatch.setenv("DESTINATION__BUNCE__MAX_CONCURRENCY", "2")


def bulk(emulator: Emulator) -> int:
    return sum(request.method == "POST" for request in emulator.requests)


def stopped_after(requests: int, emulator: Emulator, sign: int, program: Path) -> tuple[int, str]:
    """Start a load, and ask it to end once Bunce has seen so many requests."""
    process = subprocess.Popen(
        [program, *WORDS], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        until = time.monotonic() + 120
        while bulk(emulator) < requests:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(sign)
        _, errors = process.communicate(timeout=120)
    return process.returncode, errors.decode()


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_what_is_in_flight_is_settled_and_the_same_command_sends_the_rest(
    sign: int, run: Run, emulator: Emulator, program_file: Path
) -> None:
    write(people(*range(1_000)))
    emulator.behavior = Behavior(latency_ms=300)

    code, errors = stopped_after(3, emulator, sign, program_file)

    delivered = len(emulator.customers)
    assert code == 1, errors
    assert 30 <= delivered < 1_000
    told = (
        f"Stopped: {delivered} of 1,000 rows are settled and will not be sent again. Resume with: "
    )
    assert [told + "dlt-bunce load customers.parquet --json"] == errors.splitlines()
    state = run("status", "--json").json
    assert (delivered, 0) == (state["ledger"]["delivered"], state["ledger"]["indeterminate"])
    assert state["runs"][0]["state"] == "stopped"

    emulator.behavior = Behavior()
    done = run(*WORDS)

    assert done.code == 0
    assert {str(n): 1 for n in range(1_000)} == emulator.times_sent


def test_a_function_of_the_user_s_is_told_that_a_run_was_stopped(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, program_file: Path
) -> None:
    Path("hooked.py").write_text(
        "from pathlib import Path\n"
        "def tell(summary): Path('told').write_text("
        "f'{summary.state}, {summary.read} read: {summary.error}')\n"
    )
    monkeypatch.setenv("DESTINATION__BUNCE__ON_RUN_END", "hooked:tell")
    write(people(*range(1_000)))
    emulator.behavior = Behavior(latency_ms=300)

    code, errors = stopped_after(3, emulator, signal.SIGTERM, program_file)

    assert code == 1, errors
    assert Path("told").read_text().startswith("stopped, 1000 read: Stopped")


def test_a_wait_that_bunce_has_asked_for_is_cut_short(
    run: Run, emulator: Emulator, program_file: Path
) -> None:
    write(people(*range(100)))
    emulator.behavior = Behavior(
        faults=(Fault("rate_limited", on_request=2, until_request=99, seconds=300),)
    )

    # which would take 300 seconds, and nobody waits for the program for so long
    code, errors = stopped_after(2, emulator, signal.SIGTERM, program_file)

    assert code == 1
    assert "Stopped: " in errors
    emulator.behavior = Behavior()
    assert run(*WORDS).code == 0
    assert set(emulator.customers) == {str(n) for n in range(100)}
