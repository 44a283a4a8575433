"""What a person sees on a terminal: a prompt for the key, and progress."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from dlt_bunce.emulator import Behavior, Emulator

from .conftest import Run, people, write
from .terminal import Terminal


@pytest.mark.usefixtures("run")
def test_the_key_is_asked_for_on_a_terminal_and_not_shown(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, on_a_terminal: Terminal
) -> None:
    write(people(1))
    monkeypatch.delenv("DESTINATION__BUNCE__CREDENTIALS__API_KEY")

    shown = on_a_terminal("load", "customers.parquet", answers={"key: ": "sk_test_typed\n"})

    assert "Bunce API key:" in shown
    assert "sk_test_typed" not in shown
    assert set(emulator.customers) == {"1"}


def test_progress_is_shown_on_a_terminal_only(
    program: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, on_a_terminal: Terminal
) -> None:
    write(people(*range(1, 51)))
    emulator.behavior = Behavior(rate_limit=0, latency_ms=300)
    monkeypatch.setenv("FORCE_COLOR", "1")  # as CI systems set it

    shown = on_a_terminal("load", "customers.parquet")
    piped = program("load", "customers.parquet")

    assert "50 rows" in shown
    assert "unchanged" in piped.output
    assert "50 rows" not in piped.output + piped.errors
    [mapped] = piped.errors.splitlines()
    assert mapped.startswith("Mapped by their names: ")


@pytest.mark.usefixtures("run")
def test_a_terminal_with_an_ascii_locale_gets_nothing_else(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, on_a_terminal: Terminal
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    write(people(*range(3)))

    shown = on_a_terminal("load", "customers.parquet", LC_ALL="C")

    assert "3 rows" in shown
    assert [character for character in shown if not character.isascii()] == []


@pytest.mark.usefixtures("run")
def test_a_terminal_shows_rows_requests_and_rate(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, on_a_terminal: Terminal
) -> None:
    monkeypatch.setenv("DESTINATION__BUNCE__MAX_BATCH_SIZE", "10")
    monkeypatch.setenv("DESTINATION__BUNCE__CONCURRENCY", "2")
    monkeypatch.setenv("DESTINATION__BUNCE__MAX_CONCURRENCY", "2")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    write(people(*range(200)))
    emulator.behavior = Behavior(latency_ms=200)

    shown = on_a_terminal("load", "customers.parquet", "--json")

    assert "of 200 rows" in shown
    assert "rows/s" in shown
    assert "requests" in shown


def test_bash_completes_commands_and_files_as_documented(program: Run, program_file: Path) -> None:
    assert program("--version").code == 0
    page = Path(__file__).parents[2] / "docs" / "reference" / "command-line.md"
    found = re.search(r"`(eval .*bash_source dlt-bunce.*?)`", page.read_text("utf-8"))
    assert found
    complete = f"""
        PATH="{program_file.parent}:$PATH"
        {found[1]}
        compopt() {{ echo "compopt $@"; }}  # works only while bash completes
        tab() {{
            COMP_WORDS=(dlt-bunce $1) COMP_CWORD=$2 COMPREPLY=()
            _dlt_bunce_completion dlt-bunce
            echo "${{COMPREPLY[@]}}"
        }}
        tab stat 1; tab "dead-letters re" 2; tab "load cust" 2
    """

    shown = subprocess.run(["bash", "-c", complete], capture_output=True, text=True, check=True)

    assert shown.stdout.splitlines() == ["status", "replay", "compopt -o default", ""]
    assert shown.stderr == ""
