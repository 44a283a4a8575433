"""`dlt-bunce erase`: a person leaves the store and the working folders, and no byte stays."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import psycopg
import pytest

from dlt_bunce.emulator import Emulator
from dlt_bunce.store.database import Database, utc_now

from .conftest import Run, people, write

MARKS = (b"marked.person", b"Markedname", b"2348190000007", b"1234567")
PERSON = {
    "email": "marked.person@example.com",
    "first_name": "Markedname",
    "mobile": "+2348190000007",
}


def stored_bytes(store: str) -> bytes:
    """All bytes of the database's files."""
    if store.startswith("sqlite"):
        files = sorted(Path().glob("bunce.sqlite*"))
        assert files
        return b"".join(file.read_bytes() for file in files)
    parts = urlsplit(store)
    options = dict(parse_qsl(parts.query))
    schema = options.pop("schema")
    url = parts._replace(query=urlencode(options)).geturl()
    with psycopg.connect(url, autocommit=True) as link:
        link.execute("CHECKPOINT")
        found = link.execute(
            "SELECT current_setting('data_directory') || '/' || pg_relation_filepath(o.oid) "
            "FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
            "JOIN LATERAL (SELECT c.oid AS oid UNION SELECT c.reltoastrelid "
            "UNION SELECT i.indexrelid FROM pg_index AS i WHERE i.indrelid = c.oid) AS o "
            "ON o.oid <> 0 WHERE n.nspname = %s AND c.relkind = 'r'",
            (schema,),
        ).fetchall()
    files = [Path(name) for (name,) in found if name]
    assert files
    return b"".join(file.read_bytes() for file in files)


def held(store: str, marks: tuple[bytes, ...] = MARKS) -> list[bytes]:
    """Which marks stand anywhere in the files of the database."""
    there = stored_bytes(store)
    return [mark for mark in marks if mark in there]


def test_nothing_of_a_person_stays_in_the_files_of_the_store(
    run: Run, emulator: Emulator, store: str
) -> None:
    write([*people(1, 2), *people(1234567, **PERSON)])
    run("load", "customers.parquet")
    for note in ("first", "second"):  # a letter is replaced: the old row stays in its page
        bad = people(
            1234567, **PERSON | {"mobile": f"call +2348190000007 {note}", "updated_at": 11}
        )
        write([*people(1, 2), *bad, *people(3, mobile="call me")])
        run("load", "customers.parquet")
    assert list(MARKS) == held(store)

    done = run("erase", "1234567", "--yes", "--json")

    assert (done.code, done.errors) == (0, "")
    assert (done.json["ledger"], done.json["dead_letters"]) == (1, 2)
    assert done.json["nowhere"] == []
    assert held(store) == []
    assert [x["customer_id"] for x in run("dead-letters", "list", "--json").json] == ["3"]
    again = run("load", "customers.parquet", "--json").json
    assert (again["read"], again["unchanged"], again["held"]) == (4, 2, 1)


def test_what_a_store_of_before_has_left_in_its_pages_goes(run: Run, emulator: Emulator) -> None:
    write(people(1))
    run("load", "customers.parquet")
    with closing(sqlite3.connect("bunce.sqlite", isolation_level=None)) as before:
        before.execute("PRAGMA secure_delete=OFF")
        before.execute("CREATE TABLE left_behind AS SELECT ? AS text", ["marked.person" * 2_000])
        before.execute("DROP TABLE left_behind")
        before.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert held("sqlite:///bunce.sqlite") == [b"marked.person"]

    assert run("erase", "1", "--yes").code == 0
    assert held("sqlite:///bunce.sqlite") == []


def test_a_letter_without_an_id_goes_by_its_email_and_those_of_others_are_told(
    run: Run, emulator: Emulator, store: str
) -> None:
    write(people(7, **PERSON))
    run("load", "customers.parquet")
    nameless = people(7, **PERSON | {"email": " Marked.Person@EXAMPLE.com"})[0] | {"id": None}
    shares_email = people(8, email=PERSON["email"])
    shares_phone = people(9, mobile="+234 819 000-0007", email="nobody")
    # a row of somebody else that names the person, and of that one another without an id
    names = people(5, advisor=PERSON["email"])[0] | {"id": None}
    named = people(5)[0] | {"id": None, "first_name": "Ann"}
    nobody = [nameless, names, named, *people(6, mobile="?")]
    write([*people(7, **PERSON, advisor=None), *shares_email, *shares_phone, *nobody])
    assert run("load", "customers.parquet", "--json").json["rejected"] == 6

    first = run("erase", "7", "--yes", "--json").json
    related = {letter[:4] for letter in first["related"]}
    left = run("dead-letters", "list", "--json").json
    told = {x["customer_id"]: x["id"][:4] for x in left}
    second = run("erase", "7", "--yes", "--related", "--json").json

    assert (first["ledger"], first["dead_letters"]) == (1, 1)
    assert sorted((x["customer_id"] for x in left), key=str) == ["6", "8", "9", None, None]
    assert {told["8"], told["9"]} < related, "the nameless one has told the phone"
    assert len(related) == 3
    assert (second["ledger"], second["nowhere"]) == (0, ["7"])


def test_a_letter_that_keeps_no_row_goes_by_the_digest_of_its_email(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__BUNCE__DEAD_LETTER_ROWS", "keys")
    write([*people(7), *people(8, id=None, email="c7@example.com"), *people(9, id=None)])
    run("load", "customers.parquet")

    done = run("erase", "7", "--yes", "--json").json

    assert (done["ledger"], done["dead_letters"]) == (1, 1)
    with Database("sqlite:///bunce.sqlite") as db:
        assert db.rows("SELECT COUNT(*) AS n FROM bunce_dead_letters")[0]["n"] == 1


def test_related_letters_go_where_that_is_asked_for(
    run: Run, emulator: Emulator, store: str
) -> None:
    bad = people(7, **PERSON | {"first_name": None})
    shares_phone = people(9, mobile="+234 819 000-0007", email="nobody")
    write([*bad, *shares_phone, *people(6, mobile="?")])
    assert run("load", "customers.parquet", "--json").json["rejected"] == 3

    done = run("erase", "7", "--yes", "--related", "--json").json

    assert (done["dead_letters"], done["related"]) == (2, [])
    assert [x["customer_id"] for x in run("dead-letters", "list", "--json").json] == ["6"]
    assert held(store, MARKS[:3]) == []


def test_a_store_that_is_being_read_says_that_not_all_is_overwritten(
    run: Run, emulator: Emulator
) -> None:
    write(people(7, **PERSON | {"mobile": "call +2348190000007"}))
    run("load", "customers.parquet")
    with Database("sqlite:///bunce.sqlite", read_only=True) as reader:
        reader.execute("BEGIN")
        reader.rows("SELECT * FROM bunce_dead_letters")
        busy = run("erase", "7", "--yes", "--json")
        reader.execute("ROLLBACK")
    again = run("erase", "7", "--yes", "--json")

    assert (busy.code, busy.json["dead_letters"]) == (1, 1)
    assert "run the same command again" in busy.errors
    assert (again.code, again.json["nowhere"]) == (0, ["7"])
    assert held("sqlite:///bunce.sqlite", MARKS[:3]) == []


def test_a_role_that_owns_no_table_says_what_remains(
    run: Run, emulator: Emulator, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = f"{postgres_url}&schema=bunce"
    monkeypatch.setenv("DESTINATION__BUNCE__STORE_URL", owner)
    write(people(7, **PERSON))
    run("load", "customers.parquet")
    role = f"clerk_{os.getpid()}"
    with psycopg.connect(postgres_url, autocommit=True) as link:
        for statement in (
            f"CREATE ROLE {role} LOGIN",
            f"GRANT USAGE ON SCHEMA bunce TO {role}",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA bunce TO {role}",
        ):
            link.execute(statement)  # type: ignore[arg-type]
    parts = urlsplit(owner)
    clerk = parts._replace(netloc=parts.netloc.replace("postgres:", f"{role}:")).geturl()
    try:
        done = run("erase", "7", "--yes", "--json", "--store-url", clerk)
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as link:
            link.execute(f"DROP OWNED BY {role}")  # type: ignore[arg-type]
            link.execute(f"DROP ROLE {role}")  # type: ignore[arg-type]

    assert (done.code, done.json["ledger"]) == (1, 1)
    assert "VACUUM FULL bunce.bunce_customers, bunce.bunce_dead_letters" in done.errors


def test_ids_come_from_a_file_too_and_have_the_form_of_the_ledger(
    run: Run, emulator: Emulator, store: str
) -> None:
    write(people(1, 2, 3), "a.parquet")
    run("load", "a.parquet")
    Path("ids.txt").write_text("\ufeff1\n 2 \n\n", "utf-8")

    assert run("erase", "--from-file", "ids.txt", "--yes", "--json").json["ledger"] == 2
    with Database(store, read_only=True) as db:
        assert [r["customer_id"] for r in db.rows("SELECT * FROM bunce_customers")] == ["3"]


def test_what_cannot_be_erased_is_told(run: Run, emulator: Emulator, store: str) -> None:
    write(people(1), "a.parquet")
    run("load", "a.parquet")
    with Database(store) as db:
        until = db.now_ms() + 60_000
        db.execute("UPDATE bunce_customers SET claim_batch = 'x', lease_until = $1", (until,))

    sending = run("erase", "1", "--yes")
    nobody = run("erase", "--yes")
    elsewhere = run("erase", "1", "--yes", "--account", "other")

    assert "is sending customers" in sending.errors
    assert "No customer ids were given" in nobody.errors
    assert "no account 'other'" in elsewhere.errors
    with Database(store, read_only=True) as db:
        assert len(db.rows("SELECT * FROM bunce_customers")) == 1


@pytest.mark.parametrize("name", ["ids.csv", "ids.parquet", "ids.txt"])
def test_ids_are_read_from_tables_and_lines(run: Run, emulator: Emulator, name: str) -> None:
    write(people(1, 2, 3))
    run("load", "customers.parquet")
    if name.endswith("parquet"):
        write(people(1, 3), name)
    else:
        Path(name).write_text("user_id;why\n1;asked\n3;asked\n" if "csv" in name else "1\n3\n")

    done = run("erase", "--from-file", name, "--yes", "--json").json

    assert (done["ledger"], done["nowhere"]) == (2, [])


def test_what_can_be_no_id_is_refused(run: Run, emulator: Emulator) -> None:
    write(people(1))
    run("load", "customers.parquet")

    refused = run("erase", "1", "x" * 300, "--yes")

    assert (refused.code, refused.output) == (2, "")
    assert "1 of 2 values are not valid customer ids." in refused.errors
    assert run("load", "customers.parquet", "--json").json["unchanged"] == 1


def test_a_pipeline_that_may_be_loading_elsewhere_is_named(run: Run, emulator: Emulator) -> None:
    write(people(1))
    run("load", "customers.parquet")
    with Database("sqlite:///bunce.sqlite") as db:
        db.execute(
            "INSERT INTO bunce_runs (run_id, pipeline_name, account, state, started_at) "
            "VALUES ('r', 'elsewhere', 'default', 'running', $1)",
            (utc_now(),),
        )

    done = run("erase", "1", "--yes")

    assert done.code == 0
    assert "may be running elsewhere; erase again once they finish: elsewhere" in done.output


def test_nobody_is_told_and_changes_nothing(run: Run, emulator: Emulator) -> None:
    write(people(1))
    run("load", "customers.parquet")

    done = run("erase", "17", "--yes")

    assert done.code == 0
    assert "Nothing found for 17." in done.output
    assert "its API cannot delete them" in done.output
    assert run("load", "customers.parquet", "--json").json["unchanged"] == 1
