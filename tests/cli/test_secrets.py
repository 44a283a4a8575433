"""What is never shown: control characters and passwords; and what never leaves the machine."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlt_bunce.emulator import Emulator

from .conftest import Run, people, write

# a title, the cursor up and the line erased, a bell, C1, DEL, and text that reads backwards
HOSTILE = "\x1b]0;owned\x07\x1b[1A\x1b[2K\x9b31m\x7f\u202egnp\u2066\t\nError: owned"
CONTROLS = {*map(chr, range(32)), "\x7f", *map(chr, range(0x80, 0xA0)), "\u202e", "\u2066"} - {"\n"}


def test_control_characters_of_names_and_values_never_reach_the_terminal(run: Run) -> None:
    row = people(1)[0] | {"phone_no": f"12{HOSTILE}", f"note{HOSTILE}": "x", "email_2": "a@b.co"}
    name = f"in{HOSTILE.replace('/', '')}.parquet"
    pq.write_table(pa.Table.from_pylist([row]), name)

    seen = [run("check", name), run("check", name, "--show-values"), run("load", name)]
    seen += [run("load", name, "--json"), run("dead-letters", "list"), run("status")]
    letter = json.loads(run("dead-letters", "list", "--json").output)[0]["id"]
    seen += [run("dead-letters", "show", letter), run("dead-letters", "show", letter, "--json")]
    seen += [run("dead-letters", "export", f"out{HOSTILE}.csv"), run("load", f"no{HOSTILE}.csv")]
    seen += [run("load", name, "--map", f"email=nothing{HOSTILE}"), run("report")]

    printed = [done.output + done.errors for done in seen]
    assert [CONTROLS & {*text} for text in printed] == [set()] * len(printed)
    lines = [line for text in printed for line in text.splitlines()]
    assert [line for line in lines if line.startswith("Error: owned")] == []
    assert [r"\x1b[1A\x1b[2K" in printed[number] for number in (0, 1, 9, 10)] == [True] * 4


PLACES = {
    # what the URL is: what is refused, without a word of it
    "postgresql://u:marked@127.0.0.1:9/d": "contains a password",
    "postgresql://u@127.0.0.1:9/d?password=marked": "contains a password",
    "postgresql://u@127.0.0.1:9/d?sslpassword=marked": "contains a password",
    "mysql://u@127.0.0.1:9/d?passwd=marked": "contains a password",
    "mssql+pyodbc://?odbc_connect=UID%3Du%3BPWD%3Dmarked": "contains a password",
    "postgresql://u:mar/ked@127.0.0.1:9/d": "write %40 for @",
    "postgresql://u:p@marked@127.0.0.1:9/d": "contains a password",
    "postgresql://[marked/d": "cannot be parsed",
}


@pytest.mark.parametrize("url", PLACES)
def test_a_password_in_an_argument_is_refused_without_being_shown(run: Run, url: str) -> None:
    done = run("load", url, "--table", "t")

    assert done.code == 2
    assert PLACES[url] in done.errors
    assert "mar" not in done.output + done.errors.replace("command-line arguments", "")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("sk_live_marked", "does not hold a URL"),
        ("postgresql://u:p@marked@127.0.0.1:9/d", "write %40 for @"),
        ("postgresql://u:p/marked@127.0.0.1:9/d", "write %40 for @"),
        ("postgresql://u:p#marked@127.0.0.1:9/d", "write %40 for @"),
    ],
)
def test_what_a_variable_holds_is_never_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch, value: str, told: str
) -> None:
    monkeypatch.setenv("CRM", value)

    done = run("load", "env:CRM", "--table", "t")

    assert done.code == 2
    assert told in done.errors
    assert "marked" not in done.output + done.errors


@pytest.mark.parametrize("store", ["?sslpassword=marked", "?password=marked", None])
def test_a_password_in_the_url_of_a_store_is_refused(run: Run, store: str | None) -> None:
    url = f"postgresql://u@127.0.0.1:9/d{store}" if store else "postgresql://u:p/marked@host/d"

    done = run("status", "--store-url", url)

    assert done.code == 2
    assert "store_url contains a password" in done.errors
    assert "marked" not in done.errors


def test_a_proxy_gets_nothing_that_is_meant_for_this_machine(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # nobody listens there: a request by way of it would fail
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert run("load", write(people(1, 2, 3))).code == 0
    assert len(emulator.customers) == 3


def test_an_export_holds_only_rows_that_a_load_can_read_back(run: Run) -> None:
    rows = people(1, 2)
    rows[0] |= {"mobile": "none", "note": "x" * 3_000_000}
    rows[1] |= {"mobile": "none", "note": '"' * 3_000_000}
    write(rows)
    assert run("load", "customers.parquet").code == 0

    done = run("dead-letters", "export", "rejected.csv", "--json")
    said = run("dead-letters", "export", "rejected.csv", "--overwrite")

    assert (done.json["dead_letters"], done.json["too_long"]) == (1, 1)
    assert "Left out 1 dead letter" in said.output
    text = Path("rejected.csv").read_text("utf-8").replace('"none"', '"+2348031234567"')
    Path("rejected.csv").write_text(text, "utf-8")
    assert run("load", "rejected.csv", "--json").json["created"] == 1
