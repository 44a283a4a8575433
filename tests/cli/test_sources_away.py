"""What fails before a run begins: a source that is away, a lost key, a wrong setting.

A command or script that ran yesterday and fails tonight is in the history, whatever it fails of.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import psycopg
import pytest
from tests.forks import Forks
from tests.mysql import mysql_execute

from dlt_bunce.emulator import Behavior, Emulator

from .conftest import Run, people, write

KEY = "DESTINATION__BUNCE__CREDENTIALS__API_KEY"
NAMES = ("email", "first_name", "last_name", "mobile")
COLUMNS = ", ".join(["id BIGINT PRIMARY KEY", *(f"{name} VARCHAR(90)" for name in NAMES)])
ROW = "INSERT INTO people VALUES (1, 'c1@example.com', 'Ada', 'Obi', '+2348100000001')"


@contextmanager
def nobody_listens(url: str) -> Iterator[str]:
    """Yield the URL with a port on which no server can listen meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        parts = urlsplit(url)
        user = parts.netloc.rpartition("@")[0]
        netloc = f"{user}@127.0.0.1:{taken.getsockname()[1]}".removeprefix("@")
        yield parts._replace(netloc=netloc, query="").geturl()


def fill(url: str) -> None:
    """Makes the table with its one row."""
    statements = [f"CREATE TABLE people ({COLUMNS})", ROW]
    if url.startswith("mysql"):
        mysql_execute(url, statements)
    else:
        with psycopg.connect(url) as link:
            link.execute(";".join(statements))  # type: ignore[arg-type]


def problems(run: Run) -> list[dict[str, Any]]:
    found = run("status", "--json").json["problems"]
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("database", ["postgres_url", "mysql_url"])
@pytest.mark.parametrize("shard", [(), ("--shard", "1/2", "--shard-key", "id")])
def test_a_database_that_is_away_is_a_failed_run(
    database: str,
    shard: tuple[str, ...],
    run: Run,
    store: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url: str = request.getfixturevalue(database)
    fill(url)
    load = ("load", "env:CRM", "--table", "people", *shard)
    monkeypatch.setenv("CRM", url)
    loaded = run(*load)
    assert loaded.code == 0, loaded.errors
    with nobody_listens(url) as away:
        monkeypatch.setenv("CRM", away)
        assert run(*load).code == 1

    [problem] = problems(run)
    told = problem["state"], problem["error_class"], problem["runs"]
    assert told == ("failed", "OperationalError", 1)
    assert problem["source"] == ("people 1/2" if shard else "people")
    assert "The source database reports" in problem["error"]
    assert problem["error"] in run("status").output
    monkeypatch.setenv("CRM", url)
    assert run(*load).code == 0
    assert problems(run) == []


def test_a_duckdb_file_that_another_process_writes_is_a_failed_run(run: Run, store: str) -> None:
    load = ("load", "duckdb:///crm.duckdb", "--table", "people")
    with duckdb.connect("crm.duckdb") as link:
        link.execute(f"CREATE TABLE people ({COLUMNS})")
        link.execute(ROW)
    assert run(*load).code == 0
    program = "import duckdb; link = duckdb.connect('crm.duckdb'); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        failed = run(*load)
        shard = run(*load, "--shard", "1/2", "--shard-key", "id")
        writer.communicate(b"\n")

    assert (failed.code, shard.code) == (1, 1), failed.errors + shard.errors
    assert {problem["error_class"] for problem in problems(run)} == {"IOException"}
    assert run(*load).code == 0


def test_a_table_that_is_gone_is_a_failed_run_and_a_first_mistake_is_none(
    run: Run, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM", postgres_url)
    load = ("load", "env:CRM", "--table", "people")
    assert run(*load).code == 2
    fill(postgres_url)
    assert run(*load).code == 0
    assert problems(run) == []
    with psycopg.connect(postgres_url) as link:
        link.execute("DROP TABLE people")
    assert run(*load).code == 2

    [problem] = problems(run)
    assert problem["error"] == "Table or view people does not exist."


SCRIPT = """
import dlt
from dlt_bunce import bunce, flush_and_run
from dlt_bunce.sources import from_files, from_sql

flush_and_run(dlt.pipeline("crm", destination=bunce()), {rows})
"""
HOOK = "def told(summary): open('told', 'a').write(f'{summary.error_class}\\n')\n"
Script = Callable[[str], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def script(loading: Forks) -> Script:
    """Runs a script that loads these rows."""

    def script(rows: str) -> subprocess.CompletedProcess[str]:
        command = loading.python(SCRIPT.replace("{rows}", rows))
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return script


def test_a_script_s_database_that_is_away_is_a_failed_run_with_its_hook(
    run: Run, script: Script, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("alerts.py").write_text(HOOK)
    monkeypatch.setenv("DESTINATION__BUNCE__ON_RUN_END", "alerts:told")
    with nobody_listens(postgres_url) as away:
        done = script(f"from_sql({away!r}, table='people', incremental='id')")

    assert done.returncode == 1
    [problem] = problems(run)
    assert (problem["pipeline_name"], problem["error_class"]) == ("crm", "OperationalError")
    assert Path("told").read_text() == "OperationalError\n"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (KEY, None, "no api key is set"),
        ("DESTINATION__BUNCE__TIMEOUT_S", "soon", "timeout_s"),
        ("DESTINATION__BUNCE__TIMEOUT_SECONDS", "9", "timeout_seconds"),
    ],
)
@pytest.mark.parametrize("door", ["command", "script"])
def test_a_lost_key_and_a_refused_setting_are_failed_runs_of_what_ran_before(
    name: str,
    value: str | None,
    said: str,
    door: str,
    run: Run,
    program: Run,
    script: Script,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("alerts.py").write_text(HOOK)
    monkeypatch.setenv("PYTHONPATH", ".")
    monkeypatch.setenv("DESTINATION__BUNCE__ON_RUN_END", "alerts:told")
    write(people(1))

    def load() -> int:
        if door == "script":
            return script("from_files('customers.parquet')").returncode
        return program("load", "customers.parquet").code

    with monkeypatch.context() as wrong:
        wrong.setenv(name, value) if value else wrong.delenv(name)
        assert load() != 0
        assert not Path("told").exists()
    assert load() == 0
    with monkeypatch.context() as wrong:
        wrong.setenv(name, value) if value else wrong.delenv(name)
        assert load() != 0

    [problem] = problems(run)
    assert (problem["error_class"], problem["runs"]) == ("ConfigurationError", 1)
    assert said in problem["error"].lower()
    assert problem["remedy"]
    assert Path("told").read_text().splitlines() == ["None", "ConfigurationError"]
    assert load() == 0
    assert problems(run) == []


def test_a_failure_is_booked_on_the_pipeline_of_the_command_alone(run: Run) -> None:
    """`crm` is not `crm_eu`, and a % in a name is no wildcard."""
    for name in ("crm", "crm_eu"):
        write(people(1), f"{name}.parquet")
        assert run("load", f"{name}.parquet", "--pipeline-name", name).code == 0
    Path("crm.parquet").unlink()

    assert run("load", "crm.parquet", "--pipeline-name", "crm").code == 2

    assert [problem["pipeline_name"] for problem in problems(run)] == ["crm"]
    assert run("load", "crm_eu.parquet", "--pipeline-name", "crm_eu").code == 0
    assert [problem["pipeline_name"] for problem in problems(run)] == ["crm"]


@contextmanager
def never_answers() -> Iterator[tuple[str, socket.socket]]:
    """Yield the URL of a database server that accepts connections and says nothing; its socket."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"postgresql://u@127.0.0.1:{server.getsockname()[1]}/crm", server


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_load_that_ends_while_its_database_does_not_answer_is_recorded(
    sign: signal.Signals,
    run: Run,
    store: str,
    postgres_url: str,
    program_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CRM", postgres_url)
    fill(postgres_url)
    load = ("load", "env:CRM", "--table", "people")
    assert run(*load).code == 0
    with never_answers() as (url, server):
        monkeypatch.setenv("CRM", url)
        with subprocess.Popen([program_file, *load], stderr=subprocess.PIPE, text=True) as process:
            server.settimeout(60)
            connection = server.accept()[0]
            running = run("status", "--json").json
            process.send_signal(sign)
            _, errors = process.communicate(timeout=60)
            connection.close()

    told = [(found["state"], found["source"]) for found in running["runs"]]
    assert told == [("running", "people"), ("completed", "people")]
    assert running["problems"] == []
    [problem] = problems(run)
    killed = sign == signal.SIGKILL
    assert problem["state"] == ("interrupted" if killed else "stopped")
    assert (problem["source"], problem["runs"], problem["waiting"]) == ("people", 1, None)
    assert problem["since"] == running["runs"][0]["run_id"].removeprefix("attempt-")
    assert killed or "Resume with: dlt-bunce load env:CRM --table people" in errors
    monkeypatch.setenv("CRM", postgres_url)
    assert run(*load).code == 0
    after = run("status", "--json").json
    assert after["problems"] == []
    states = [found["state"] for found in after["runs"]]
    assert states == ["completed", problem["state"], "completed"]


@pytest.mark.parametrize("door", ["command", "script"])
def test_a_run_that_is_killed_while_bunce_does_not_answer_is_recorded(
    door: str, run: Run, store: str, emulator: Emulator, loading: Forks, program_file: Path
) -> None:
    write(people(1))
    load = [str(program_file), "load", "customers.parquet"]
    if door == "script":
        load = loading.python(SCRIPT.replace("{rows}", "from_files('customers.parquet')"))
    subprocess.run(load, check=True, capture_output=True)
    before = len(emulator.requests)
    emulator.behavior = Behavior(latency_ms=60_000)
    with subprocess.Popen(load, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        until = time.monotonic() + 60
        while len(emulator.requests) == before:
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
        process.communicate(timeout=60)
    emulator.behavior = Behavior()

    [problem] = problems(run)
    assert (problem["state"], problem["error_class"]) == ("interrupted", "ProcessEnded")
    subprocess.run(load, check=True, capture_output=True)
    assert problems(run) == []
