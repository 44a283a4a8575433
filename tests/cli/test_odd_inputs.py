"""What a newcomer types by mistake is told in one line, and nothing else is loaded instead."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dlt_bunce.cli import main
from dlt_bunce.emulator import Emulator

from .conftest import Run, people, write


@pytest.mark.parametrize("source", ["", "  "])
@pytest.mark.parametrize("command", ["load", "check"])
def test_an_empty_source_does_not_mean_every_file_of_the_folder(
    command: str, source: str, run: Run, emulator: Emulator
) -> None:
    write(people(1))

    done = run(command, source)

    assert (done.code, "SOURCE is empty." in done.errors) == (2, True)
    assert emulator.customers == {}


@pytest.mark.parametrize(
    "option", ["--account", "--store-url", "--table", "--query", "--pipeline-name", "--sheet"]
)
def test_an_empty_option_does_not_mean_its_default(
    option: str, run: Run, emulator: Emulator
) -> None:
    write(people(1))

    done = run("load", "customers.parquet", option, "")

    assert done.code == 2
    assert f"Invalid value for '{option}': It is empty. Give it a value, or leave" in done.errors
    assert emulator.customers == {}


def test_an_empty_account_is_not_the_default_one_for_other_commands(run: Run) -> None:
    write(people(1))
    assert run("load", "customers.parquet").code == 0

    assert run("status", "--account", "").code == 2


@pytest.mark.parametrize(
    "name",
    ["../crm", "a/b", "..", "crm:eu", " crm", "a\nb", "crm.weekly", "CON", "x" * 201],
)
def test_a_pipeline_name_that_cannot_name_a_folder_is_refused(name: str, run: Run) -> None:
    write(people(1))

    done = run("load", "customers.parquet", "--pipeline-name", name)

    assert (done.code, "cannot name a folder" in done.errors) == (2, True)
    assert "--pipeline-name crm" in done.errors


def test_a_sheet_of_a_file_without_sheets_is_refused(run: Run) -> None:
    write(people(1))

    done = run("load", "customers.parquet", "--sheet", "Contacts")

    assert done.code == 2
    assert "customers.parquet is not an Excel workbook, so it has no sheets." in done.errors


@pytest.mark.parametrize("source", ["-", "/dev/null", "pipe.csv"])
def test_a_stream_is_told_from_a_missing_file(source: str, run: Run) -> None:
    os.mkfifo("pipe.csv")

    done = run("load", source)

    assert (done.code, "is a stream, and a source is read more than once" in done.errors) == (
        2,
        True,
    )


def test_a_link_that_leads_nowhere_is_told_with_its_target(run: Run) -> None:
    write(people(1))
    Path("exports").mkdir()
    Path("exports/today.csv").symlink_to("../gone.csv")
    Path("current").symlink_to("/nowhere")
    here = Path.cwd()
    today = f"{here}/exports/today.csv is a link that leads nowhere: it points to {here}/gone.csv"
    current = "current is a link that leads nowhere: it points to /nowhere"

    for source in ("exports/today.csv", "exports", "exports/*.csv", f"file://{here}/exports"):
        done = run("load", source)
        assert (done.code, f"Error: {today}, which does not exist." in done.errors) == (2, True)
    for source in ("current", "current/today.csv"):
        done = run("load", source)
        assert (done.code, f"{current}, which does not exist." in done.errors) == (2, True)


def test_a_url_of_a_file_is_treated_as_its_path(run: Run, emulator: Emulator) -> None:
    write(people(1))
    here = Path.cwd()
    Path("customers.parquet").rename("all customers.parquet")

    loaded = run("load", f"file://{here}/all%20customers.parquet")
    missing = [run("load", f"file://{path}") for path in ("/x.csv", f"{here}/x/*.csv")]
    other = run("load", "file://server/share/x.csv")

    assert (loaded.code, len(emulator.customers)) == (0, 1)
    assert [done.errors for done in missing] == [
        f"Error: No file found at {path}. Check the path, folder, or glob.\n"
        for path in ("/x.csv", f"{here}/x/*.csv")
    ]
    assert (other.code, "three slashes, or the path alone." in other.errors) == (2, True)


@pytest.mark.parametrize(
    "command",
    [
        "dead-letters list",
        "dead-letters group",
        "dead-letters show 1",
        "dead-letters export out.csv",
        "dead-letters replay --code email_taken",
        "dead-letters discard --all",
        "report",
        "ui",
    ],
)
def test_an_account_that_is_not_there_does_not_look_like_one_without_letters(
    command: str, run: Run
) -> None:
    write(people(1))
    assert run("load", "customers.parquet").code == 0

    done = run(*command.split(), "--account", "ue")

    assert (done.code, "The store has no account 'ue'. It has: default." in done.errors) == (
        2,
        True,
    )


def test_a_port_beyond_the_last_is_a_usage_error(run: Run) -> None:
    for command in ("emulator", "ui"):
        done = run(command, "--port", "99999")
        assert (done.code, "99999 is not in the range 0<=x<=65535" in done.errors) == (2, True)


@pytest.mark.parametrize(
    "command", [["status", "--runs"], ["report", "--runs"], ["dead-letters", "list", "--limit"]]
)
def test_a_number_that_no_database_takes_is_a_usage_error(command: list[str], run: Run) -> None:
    done = run(*command, "9" * 23)

    assert done.code == 2
    assert f"Invalid value for '{command[-1]}': {'9' * 23} is not in the range" in done.errors


@pytest.mark.parametrize("source", ["s3://", "s3:///customers.csv", "gs://"])
def test_a_url_without_a_bucket_is_told_as_such(source: str, run: Run) -> None:
    done = run("load", source)

    assert (done.code, len(done.errors.splitlines())) == (2, 1)
    assert f"{source} names no bucket. For example: {source[:2]}://bucket/folder" in done.errors


def test_white_space_around_a_file_name_is_seen(run: Run) -> None:
    write(people(1))

    assert "No file found at 'customers.parquet '." in run("load", "customers.parquet ").errors


def test_a_file_without_rows_shows_no_row_in_its_tables(run: Run) -> None:
    Path("customers.csv").write_text("id,email\n")

    shown = run("check", "customers.csv")

    assert shown.code == 0
    assert "The source has no rows." in shown.output
    assert [line for line in shown.output.splitlines() if set(line) == {"│", " "}] == []


def test_the_key_that_init_leaves_empty_is_told_as_missing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DESTINATION__BUNCE__CREDENTIALS__API_KEY")
    monkeypatch.delenv("DESTINATION__BUNCE__BASE_URL")
    assert run("init").code == 0

    found = {check["name"]: check for check in run("doctor", "--json").json}

    assert (found["key"]["state"], found["key"]["detail"]) == ("failed", "No API key is set.")
    assert ".dlt/secrets.toml" in found["key"]["remedy"]


def test_a_width_of_zero_is_none(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    write(people(1))
    assert run("load", "customers.parquet").code == 0
    Path("customers.parquet").unlink()
    assert run("load", "customers.parquet").code == 2
    monkeypatch.setenv("COLUMNS", "0")

    shown = run("status")

    assert shown.code == 0, shown.errors
    assert shown.output.splitlines()[0].endswith("so how many wait is unknown.")


def test_a_file_of_ids_that_cannot_be_read_says_why(run: Run) -> None:
    write(people(1))
    assert run("load", "customers.parquet").code == 0
    Path("ids").write_bytes(b"c\xff1")

    missing = run("dead-letters", "list", "--customer", "@missing")
    encoded = run("dead-letters", "list", "--customer", "@ids")

    assert missing.errors == "Error: missing cannot be read: No such file or directory.\n"
    assert (missing.code, encoded.code) == (2, 2)
    assert "ids is not UTF-8 text. Save it as UTF-8" in encoded.errors


def test_a_port_that_the_emulator_cannot_have_is_named_with_a_free_one(
    run: Run, emulator: Emulator
) -> None:
    port = str(urlsplit(emulator.base_url).port)

    done = run("emulator", "--port", port)

    assert done.code == 2
    assert f"cannot listen on port {port}: Address already in use." in done.errors
    assert "dlt-bunce emulator --port 0" in done.errors


def test_a_load_whose_streams_are_closed_ends_as_any_other(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under some schedulers, or after `>&- 2>&-`: Python then has None for them."""
    write(people(1) + people(2, email="x"))
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)

    main(["load", "customers.parquet"], standalone_mode=False)
    main(["dead-letters", "list"], standalone_mode=False)

    assert len(emulator.customers) == 1
