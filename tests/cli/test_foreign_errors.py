"""Every class of foreign error that was met says what, where, and the remedy, without a value."""

from __future__ import annotations

import sqlite3
import subprocess
from pathlib import Path

import pyarrow as pa
import pymysql
import pytest
from dlt.common.exceptions import MissingDependencyException
from tests.forks import Forks
from tests.mysql import mysql_execute
from tests.permissions import forbidden

from dlt_bunce.emulator import Emulator
from dlt_bunce.failures import failure_of

from .conftest import PROGRAM, Done, Run, people, write

KEY = "DESTINATION__BUNCE__CREDENTIALS__API_KEY"
SECRET = "marked"


def told(done: Done, code: int, *parts: str) -> None:
    """Check that a command failed with one line that contains the parts and no value."""
    lines = done.errors.splitlines()
    assert (done.code, len(lines)) == (code, 1), done.errors
    for part in parts:
        assert part in lines[0], lines[0]
    assert SECRET not in lines[0].replace("dlt-bunce", "")
    assert "RUNTIME__LOG_LEVEL" not in lines[0]


POSTGRES = {
    "SELECT p.id FROM people p JOIN people q USING (mobile) WHERE id > 0": "is ambiguous",
    "SELECT * FROM nobody": 'relation "nobody" does not exist',
    "SELEC 1": 'syntax error at or near "SELEC"',
    "SELECT id, email FROM people GROUP BY id": "must appear in the GROUP BY clause",
    "SELECT 1 / (id - 1) AS id FROM people": "division by zero",
    "SELECT CAST(email AS INTEGER) AS id FROM people": "invalid input syntax for type integer: …",
    "SELECT nope(id) FROM people": "function nope(bigint) does not exist",
}


def test_a_query_s_fault_is_told_in_postgres_s_own_words(
    run: Run, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    with psycopg.connect(postgres_url) as link:
        link.execute("CREATE TABLE people (id BIGINT, email TEXT, mobile TEXT)")
        link.execute("INSERT INTO people VALUES (1, 'marked@example.com', 'marked')")
        link.execute(
            f'ALTER ROLE CURRENT_USER IN DATABASE "{link.info.dbname}" SET statement_timeout = 900'
        )  # type: ignore[arg-type]
    monkeypatch.setenv("CRM", postgres_url)

    for query, expected in POSTGRES.items():
        told(run("load", "env:CRM", "--query", query), 2, expected, "Correct ")
    late = run("load", "env:CRM", "--query", "SELECT pg_sleep(30)")
    told(late, 1, "canceling statement due to statement timeout", "run the same command again")


def test_a_query_s_fault_is_told_in_the_words_of_mysql_sqlite_and_duckdb(
    run: Run, mysql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mysql_execute(mysql_url, ["CREATE TABLE people (id BIGINT, email TEXT)"])
    mysql_execute(mysql_url, ["INSERT INTO people VALUES (1, 'marked@example.com')"])
    monkeypatch.setenv("SHOP", mysql_url)
    with sqlite3.connect("s.sqlite") as link:
        link.execute("CREATE TABLE people (id BIGINT, email TEXT)")
    told(run("load", "env:SHOP", "--query", "SELECT nope FROM people"), 2, "Unknown column 'nope'")
    told(run("load", "env:SHOP", "--query", "SELEC"), 2, "error in your SQL syntax")
    told(run("load", "sqlite:///s.sqlite", "--query", "SELECT nope FROM people"), 2, "no such colu")
    told(run("load", "sqlite:///s.sqlite", "--query", "SELEC"), 2, "syntax error", "--query")
    told(run("load", "sqlite:///typo.sqlite", "--table", "t"), 2, "typo.sqlite does not exist")
    assert not Path("typo.sqlite").exists()
    import duckdb

    duckdb.connect("d.duckdb").execute("CREATE TABLE people AS SELECT 'marked' AS id").close()
    query = "SELECT CAST(id AS INTEGER) AS id FROM people"
    told(run("load", "duckdb:///d.duckdb", "--query", query), 2, "Could not convert string …")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (pa.ArrowInvalid("Could not convert 'marked' with type str: tried to convert to int64"),
         "Could not convert … with type str: tried to convert to int64. Correct the value"),
        (pa.ArrowTypeError("Expected bytes, got a 'int' object (for marked@example.com)"),
         "Expected bytes, got a … object"),
        (OverflowError("Python int 99999999991 too large to convert to C long"), "Python int …"),
        (UnicodeDecodeError("utf-8", b"marked\xe9", 6, 7, "invalid"), "position 6 of a value"),
        (pymysql.err.DataError(1366, "Incorrect integer value: 'marked' for column 'id'"),
         "Incorrect integer value: … for column …"),
        (OSError(28, "No space left on device", "x.parq"), "No space left on device (x.parq)"),
        (RuntimeError("marked"), "Unexpected RuntimeError in an unknown place."),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_an_error_about_data_keeps_what_it_says_and_loses_the_value(
    error: BaseException, expected: str
) -> None:
    said = str(failure_of(error))

    assert expected in said
    assert SECRET not in said
    assert failure_of(error).remedy


@pytest.mark.parametrize("file", ["config.toml", ".dlt/config.toml", ".dlt/secrets.toml"])
def test_a_settings_file_that_is_not_utf_8_is_named(dlt_bunce: Run, file: str) -> None:
    write(people(1))
    Path(".dlt").mkdir()
    Path(file).write_text("[destination.bunce]\n", encoding="utf-16")

    done = dlt_bunce("load", "customers.parquet")

    told(done, 2, f"{Path(file).name}", "is not UTF-8 text. Save it as UTF-8")


def test_settings_that_cannot_be_read_are_told(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(people(1))
    load = ("load", "customers.parquet")
    monkeypatch.setenv(KEY, "sk_test_marked_key\n")
    assert run(*load).code == 0, "a line break at the end is not part of a key"
    monkeypatch.setenv(KEY, "sk_test_marked\nkey")
    told(run(*load), 2, "The API key contains a character that no key has")
    monkeypatch.setenv(KEY, "<configure me>")
    told(run(*load), 2, "which dlt init writes in its place", "Enter the key in .dlt/secrets.toml")
    monkeypatch.setenv(KEY, "sk_test_marked_key")
    bundle = Path("customers.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    told(run(*load), 2, "The CA bundle customers.pem does not exist.")
    bundle.touch()
    told(run(*load), 2, "The CA bundle customers.pem contains no certificate in PEM format.")
    with forbidden(bundle):
        told(run(*load), 2, "The CA bundle customers.pem cannot be read: Permission denied.")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    for scheme in ("hdfs", "s3a", "https"):
        told(run("load", f"{scheme}://host/c.parquet"), 2, f"{scheme}:// cannot be read.")
    Path(".dlt").mkdir()
    Path(".dlt/config.toml").write_text("[runtime\nmarked = 1\n")
    done = subprocess.run([PROGRAM, *load], capture_output=True, text=True, check=False)
    started = Done(done.stdout, done.stderr, done.returncode)
    told(started, 2, "in .dlt is not valid TOML (line 1, column")


def test_a_working_folder_of_another_user_is_told_as_such(run: Run, emulator: Emulator) -> None:
    load = ("load", write(people(1)), "--pipeline-name")
    assert run(*load, "crm").code == 0
    folder = Path("dlt/pipelines")

    with forbidden(folder, mode=0o500):
        new = run(*load, "new")
    with forbidden(folder / ".crm.lock", mode=0o400):
        told(run(*load, "crm"), 2, "not writable", "Run as the user whose runs use that folder")

    where = f"The folder '{folder.absolute()}', or a file in it, is not writable for this user: "
    told(new, 2, f"{where}Permission denied.", "set pipelines_dir or DLT_DATA_DIR")


def test_a_redirect_is_one_request_and_names_the_setting(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    asked: list[str] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(308)
            self.send_header("Location", "https://elsewhere.example/v1")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    write(people(1))
    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/v1"
        monkeypatch.setenv("DESTINATION__BUNCE__BASE_URL", url)
        told(run("load", "customers.parquet"), 2, "redirects to another address (HTTP 308)")
        server.shutdown()
    assert len(asked) == 1


def test_doctor_shows_its_other_checks_without_a_key(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY)

    done = run("doctor", "--json")

    found = {check["name"]: check for check in done.json}
    assert done.code == 1
    assert found["key"]["state"] == "failed"
    assert "No API key is set." in found["key"]["detail"]
    assert {"python", "dlt", "store", "disk"} <= found.keys()
    assert found["store"]["state"] == "ok"


@pytest.mark.parametrize("door", ["flush_and_run(pipeline, rows)", "pipeline.run(rows)"])
@pytest.mark.parametrize("destination", ["bunce()", "'bunce'"])
def test_a_script_without_a_key_ends_with_one_line_about_it(
    door: str, destination: str, run: Run, monkeypatch: pytest.MonkeyPatch, loading: Forks
) -> None:
    monkeypatch.delenv(KEY)
    script = (
        "import dlt\nfrom dlt_bunce import bunce, bunce_adapter, flush_and_run\n"
        "rows = bunce_adapter([{'id': 1}])\n"
        f"pipeline = dlt.pipeline('crm', destination={destination})\n{door}\n"
    )

    done = subprocess.run(loading.python(script), capture_output=True, text=True, check=False)

    assert done.returncode == 1
    last = done.stderr.splitlines()[-1].removeprefix("dlt_bunce.errors.ConfigurationError: ")
    remedy = "or api_key under [destination.bunce.credentials] in .dlt/secrets.toml."
    assert last == f"No API key is set. Set {KEY}, {remedy}"
    assert "ConfigFieldMissing" not in done.stderr


def test_a_script_whose_pipeline_went_to_another_destination_before_ends_with_the_reason(
    run: Run, loading: Forks
) -> None:
    import dlt

    target = dlt.destinations.duckdb("w.duckdb")
    dlt.pipeline("crm", destination=target).run(people(1), table_name="customers")
    script = (
        "import dlt\nfrom dlt_bunce import bunce\n"
        f"dlt.pipeline('crm', destination=bunce()).run({people(1)!r}, table_name='customers')\n"
    )

    done = subprocess.run(loading.python(script), capture_output=True, text=True, check=False)

    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert "used with another destination before" in last
    assert "Use another name in dlt.pipeline(…)" in last


def test_a_pipeline_that_went_to_another_destination_before_is_told_so(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dlt

    from dlt_bunce import bunce, flush_and_run
    from dlt_bunce.errors import ConfigurationError

    rows = people(1)
    target = dlt.destinations.duckdb("w.duckdb")
    dlt.pipeline("crm", destination=target).run(rows, table_name="customers")
    with pytest.raises(ConfigurationError, match="used with another destination before"):
        flush_and_run(dlt.pipeline("crm", destination=bunce()), rows, table_name="customers")


@pytest.mark.parametrize(
    ("packages", "remedy"),
    [
        (["s3fs"], "pip install 'dlt-bunce[s3]'"),
        (["adlfs>=2024.7", "azure-identity"], "pip install 'adlfs>=2024.7' 'azure-identity'"),
    ],
)
def test_packages_that_are_missing_are_named_with_the_command_that_installs_them(
    packages: list[str], remedy: str
) -> None:
    failure = failure_of(MissingDependencyException("files", packages))

    assert failure.is_usage
    assert packages[0] in failure.error
    assert failure.remedy == f"Install them with: {remedy}"
