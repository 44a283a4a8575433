"""What a function, a view, or a warehouse says in words of its own is not shown: it may hold a row.

Not on the terminal, not in the history, and not to `on_run_end`.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import psycopg
import pymysql
import pytest
from tests.mysql import mysql_execute

from dlt_bunce.failures import failure_of

from .conftest import Done, Run

SECRET = "ada"
FUNCTION = """
CREATE FUNCTION checked(email TEXT) RETURNS TEXT LANGUAGE plpgsql AS $$
BEGIN
  IF email LIKE 'ada%' THEN RAISE EXCEPTION 'bad email %', email {using}; END IF;
  RETURN email;
END $$
"""
VIEW = "CREATE VIEW people AS SELECT id, checked(email) AS email FROM crm"


@pytest.fixture
def unseen(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a load that must fail, and checks that nobody is told the value."""
    Path("alerts.py").write_text(
        "from pathlib import Path\n"
        "def told(summary): Path('told').write_text(f'{summary.error} {summary.remedy}')\n"
    )
    monkeypatch.setenv("DESTINATION__BUNCE__ON_RUN_END", "alerts:told")

    def load(*words: str) -> Done:
        done = run("load", *words)
        assert done.code == 2, done.errors
        [problem, *_] = run("status", "--json").json["problems"]
        for said in (done.errors, problem["error"], run("status").output):
            assert SECRET not in said
        assert problem["error"] in Path("told").read_text()
        assert SECRET not in Path("told").read_text()
        return done

    return load


@pytest.mark.parametrize(
    ("using", "state"),
    [("", "P0001"), ("USING ERRCODE = '22023'", "22023"), ("USING ERRCODE = '42000'", "42000")],
)
def test_what_a_function_of_postgres_raises(
    using: str, state: str, unseen: Run, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(postgres_url) as link:
        link.execute("CREATE TABLE crm (id BIGINT, email TEXT)")
        link.execute("INSERT INTO crm VALUES (1, 'ada at example')")
        link.execute(FUNCTION.format(using=using))  # type: ignore[arg-type]
        link.execute(VIEW)
    monkeypatch.setenv("CRM", postgres_url)

    done = unseen("env:CRM", "--table", "people")

    assert f"({state}); its message is not shown" in done.errors
    assert "run the query in the database" in done.errors


def test_what_a_function_of_mysql_raises(
    unseen: Run, mysql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = (
        "CREATE FUNCTION checked(email TEXT) RETURNS TEXT DETERMINISTIC "
        "BEGIN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = email; RETURN email; END"
    )
    mysql_execute(mysql_url, ["CREATE TABLE crm (id BIGINT, email TEXT)", function, VIEW])
    mysql_execute(mysql_url, ["INSERT INTO crm VALUES (1, 'ada at example')"])
    monkeypatch.setenv("SHOP", mysql_url)

    assert "; its message is not shown" in unseen("env:SHOP", "--table", "people").errors


def test_what_a_query_of_duckdb_raises(unseen: Run) -> None:
    with duckdb.connect("crm.duckdb") as link:
        link.execute("CREATE TABLE crm AS SELECT 1 AS id, 'ada at example' AS email")
    query = "SELECT id, error('bad email ' || email) AS email FROM crm"

    done = unseen("duckdb:///crm.duckdb", "--query", query)

    assert "reports InvalidInputException; its message is not shown" in done.errors


def raised(module: str, base: str, *said: object) -> Exception:
    """An exception of a driver that is not installed here."""
    parent = type(base, (Exception,), {"__module__": module})
    error: Exception = type("ProgrammingError", (parent,), {"__module__": module})(*said)
    return error


def general(number: int, text: str) -> Exception:
    """An error of MySQL that has no state of its own."""
    error = pymysql.err.OperationalError(number, text)
    error.sqlstate = "HY000"
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (raised("google.cloud.bigquery.dbapi", "DatabaseError", "Bad int64 value: ada"),
         "reports ProgrammingError; its"),
        (raised("oracledb.exceptions", "DatabaseError", "ORA-20001: bad email ada"),
         "reports ProgrammingError (ORA-20001); its"),
        (raised("oracledb.exceptions", "DatabaseError", "ORA-00942: table does not exist"),
         "reports: ORA-00942: table does not exist."),
        (raised("pyodbc", "DatabaseError", "42000", "[42000] bad email ada (50000) (SQLExec)"),
         "reports ProgrammingError (42000); its"),
        (raised("pyodbc", "DatabaseError", "42S02", "[42S02] Invalid object name 't'. (208)"),
         "Invalid object name 't'"),
        (pymysql.err.OperationalError(1644, "bad email ada"), "(1644); its"),
        (general(1205, "Lock wait timeout exceeded"), "reports: Lock wait timeout exceeded."),
        (general(1020, "bad email ada"), "(1020, HY000); its"),
        (pymysql.err.OperationalError(1045, "Access denied for user"), ": Access denied for user."),
    ],
)  # fmt: skip
def test_what_other_drivers_say(error: Exception, expected: str) -> None:
    said = str(failure_of(error))

    assert expected in said
    assert SECRET not in said
