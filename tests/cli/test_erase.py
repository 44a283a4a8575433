"""`dlt-bunce erase`: a person leaves the store and the working folders, and no byte stays."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import psycopg
import pytest

from dlt_bunce.emulator import Emulator

from .conftest import Run, people, write

MARKS = (b"marked.person", b"Markedname", b"2348190000007", b"1234567")
PERSON = {
    "email": "marked.person@example.com",
    "first_name": "Markedname",
    "mobile": "+2348190000007",
}


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty store of either kind, as configured."""
    url = "sqlite:///bunce.sqlite"
    if request.param == "postgres":
        url = str(request.getfixturevalue("postgres_store"))
    monkeypatch.setenv("DESTINATION__BUNCE__STORE_URL", url)
    return url


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

    assert (0, "") == (done.code, done.errors)
    assert (1, 2) == (done.json["ledger"], done.json["dead_letters"])
    assert [] == done.json["nowhere"]
    assert [] == held(store)
    assert ["3"] == [x["customer_id"] for x in run("dead-letters", "list", "--json").json]
    again = run("load", "customers.parquet", "--json").json
    assert (4, 2, 1) == (again["read"], again["unchanged"], again["held"])
