"""A purge gives the space of what it deletes back to the disk, and says how much, or who can;
no row is lost with its dead letter.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.store.test_postgres import admin, schema_of

from .conftest import Run, people, write

PURGE = ("dead-letters", "purge", "--yes")


@pytest.fixture
def discarded(run: Run, store: str) -> str:
    """A store with 2,000 dead letters that are discarded."""
    write(people(1) + people(*range(2, 2_002), mobile="call me " * 20))
    assert run("load", "customers.parquet").code == 0
    assert run("dead-letters", "discard", "--all").code == 0
    return store


@pytest.fixture
def role(postgres_store: str) -> Iterator[str]:
    """A role that may use the store, and owns nothing of it."""
    name, schema = f"purger_{os.getpid()}", schema_of(postgres_store)
    with admin(postgres_store) as conn:
        conn.execute(f"CREATE ROLE {name} LOGIN")  # type: ignore[arg-type]
        conn.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT ALL ON TABLES TO {name}")  # type: ignore[arg-type]
        conn.execute(f"GRANT USAGE ON SCHEMA {schema} TO {name}")  # type: ignore[arg-type]
    yield name
    with admin(postgres_store) as conn:
        conn.execute(f"DROP OWNED BY {name}")  # type: ignore[arg-type]
        conn.execute(f"DROP ROLE {name}")  # type: ignore[arg-type]


def size_on_disk(store: str) -> int:
    if store.startswith("sqlite"):
        return sum(file.stat().st_size for file in Path().glob("bunce.sqlite*"))
    with admin(store) as link:
        table = f"{schema_of(store)}.bunce_dead_letters"
        [row] = link.execute("SELECT pg_total_relation_size(%s::regclass)", [table]).fetchall()
    return int(str(row[0]))


def test_a_purge_says_how_much_space_it_gave_back_to_the_disk(run: Run, discarded: str) -> None:
    before = size_on_disk(discarded)

    first, second = run(*PURGE), run(*PURGE)

    freed = before - size_on_disk(discarded)
    assert first.code == 0
    deleted, said = first.output.splitlines()
    assert deleted == "Deleted 2,000 dead letters."
    found = re.fullmatch("The store takes up ([0-9,]+) kB less on disk.", said)
    assert found is not None
    shown = int(found[1].replace(",", "")) * 1000
    assert freed > 1_000_000
    # SQLite's log, which is emptied, is not counted
    assert 0.9 * shown < freed
    assert second.output == "Deleted 0 dead letters.\n"
    assert run(*PURGE, "--json").json == {"purged": 0, "bytes_freed": 0}


@pytest.mark.parametrize("store", ["postgres"], indirect=True)
def test_a_role_that_cannot_give_the_space_back_is_told_what_the_owner_runs(
    run: Run, discarded: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with admin(discarded) as conn:
        schema = schema_of(discarded)
        conn.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {role}")  # type: ignore[arg-type]
    theirs = urlsplit(discarded)._replace(netloc=f"{role}@").geturl()
    monkeypatch.setenv("DESTINATION__BUNCE__STORE_URL", theirs)

    done = run(*PURGE)

    assert (done.code, done.output) == (1, "Deleted 2,000 dead letters.\n")
    assert re.search(r"does not own bunce_dead_letters \([0-9.]+ MB\)", done.errors)
    assert f"until the owner runs VACUUM FULL {schema}.bunce_dead_letters" in done.errors


def test_an_account_that_is_not_there_is_told_by_a_purge(run: Run) -> None:
    write(people(1) + people(2, mobile="?"))
    run("load", "customers.parquet")
    run("dead-letters", "discard", "--all")

    done = run("dead-letters", "purge", "--yes", "--account", "defualt")

    assert (done.code, done.output) == (2, "")
    assert "The store has no account 'defualt'. It has: default." in done.errors


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("status", ["open", "discarded"])
def test_an_email_that_bunce_has_not_taken_comes_back_after_a_purge(status: str, run: Run) -> None:
    write(people(1, 2))
    run("load", "customers.parquet")
    write([*people(1), *people(2, email="new@example.com")])
    run("load", "customers.parquet")
    if status == "discarded":
        run("dead-letters", "discard", "--all")
    before = run("load", "customers.parquet", "--json").json
    run("dead-letters", "purge", "--status", status, "--yes")

    dry = run("load", "customers.parquet", "--dry-run", "--json").json
    again = run("load", "customers.parquet", "--json").json

    assert before["unchanged"] == 2
    for done in (dry, again):
        assert (done["unchanged"], done["updated"]) == (1, 1)
    [letter] = run("dead-letters", "list", "--json").json
    assert (letter["customer_id"], letter["code"]) == ("2", "email_not_updated")
