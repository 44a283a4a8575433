"""A working folder holds rows and cursors of one account in one store, and serves no other."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import dlt
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from tests.postgres import drop_schema

from dlt_bunce import bunce_adapter
from dlt_bunce.destination.access import client_of
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.errors import ConfigurationError, StoreError, bunce_error
from dlt_bunce.operations.adopt import adopt
from dlt_bunce.operations.flush import flush, flush_and_run
from dlt_bunce.store.database import Database

from .conftest import STORE, Form, MakePipeline, customer
from .test_mappings import DOORS
from .test_state import people

OTHERS = [{"account": "second"}, {"store_url": "sqlite:///other.sqlite"}]
CREATES = partial(Fault, "error_before", call="create", status=503)


@pytest.fixture(params=OTHERS, ids=["account", "store"])
def other(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings of another account, or of another store."""
    found: dict[str, str] = request.param
    return found


def go(how: str, pipeline: dlt.Pipeline, data: Any) -> None:
    """Runs the pipeline through one of the doors."""
    run = pipeline.run if how == "run" else partial(flush_and_run, pipeline)
    run(data, write_disposition="merge")


def go_refused(how: str, pipeline: dlt.Pipeline, data: Any) -> str:
    """What the error says of a run that must be refused."""
    with pytest.raises(Exception) as caught:  # noqa: PT011, dlt's own around ours in a plain run
        go(how, pipeline, data)
    error = bunce_error(caught.value)
    assert isinstance(error, ConfigurationError)
    return str(error)


def known(account: str = "default", store_url: str = STORE) -> set[str]:
    """The customers whom an account's ledger knows as accepted."""
    with Database(store_url) as db:
        rows = db.rows(
            "SELECT customer_id FROM bunce_customers WHERE account = $1 AND fingerprint "
            "IS NOT NULL",
            (account,),
        )
    return {row["customer_id"] for row in rows}


@dlt.resource(name="customers")
def unreadable() -> Iterator[list[dict[str, Any]]]:
    """A source that breaks off."""
    yield [customer(1)]
    raise ConnectionError("source away")


def numbered(last: int) -> set[str]:
    return {f"c{n}" for n in range(1, last + 1)}


def leave_behind(make: MakePipeline, emulator: Emulator, last: int, batches: int = 0) -> None:
    """Lets a run of people up to a number fail after so many batches, its package pending."""
    emulator.behavior = Behavior(
        rate_limit=0, faults=(CREATES(on_request=batches + 1, until_request=999),)
    )
    with pytest.raises(Exception, match="503"):
        go("flush_and_run", make(max_batch_size=1), people(last))
    emulator.behavior = Behavior(rate_limit=0)


@pytest.mark.parametrize("how", DOORS)
def test_no_cursor_of_another_is_used_once_both_have_completed_a_run(
    make: MakePipeline,
    emulator: Emulator,
    how: str,
    other: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("DLT_DATA_DIR", str(Path("elsewhere").absolute()))
        go(how, make(**other), people(2))
    for last in (3, 4, 5):
        go(how, make(), people(last))

    said = go_refused(how, make(**other), people(6))
    shutil.rmtree(make(**other).working_dir)
    go(how, make(**other), people(6))
    back = go_refused(how, make(), people(7))
    shutil.rmtree(make().working_dir)
    seen: list[int] = []
    go(how, make(), people(7, seen))

    assert "was last used for account 'default'" in said
    assert make().working_dir in said
    assert "was last used for account" in back
    assert seen == [5]
    assert (known(**other), known()) == (numbered(6), numbered(7))


@pytest.mark.parametrize("how", [*DOORS, "flush", "load"])
def test_pending_rows_go_to_the_account_that_they_were_read_for(
    make: MakePipeline, emulator: Emulator, how: str, other: dict[str, str]
) -> None:
    go("flush_and_run", make(), people(3))
    leave_behind(make, emulator, 5)
    runs: dict[str, Callable[[], Any]] = {
        "flush": lambda: flush(make(**other)),
        "load": lambda: make(**other).load(),
    }

    for _ in range(2):
        with pytest.raises(Exception, match="has pending rows that were read for account 'def"):
            runs.get(how, lambda: go(how, make(**other), people(5)))()

    assert numbered(3) == set(emulator.customers)
    done = flush_and_run(make(), people(5))
    assert done.flushed is not None
    assert (done.flushed.created, known()) == (2, numbered(5))


@pytest.mark.parametrize("how", DOORS)
def test_an_adopted_account_does_not_trust_the_cursor_of_another(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    go(how, make(), people(3))
    with Emulator(Behavior(rate_limit=0)) as second:
        settings = {
            "account": "second",
            "base_url": second.base_url,
            "credentials": "sk_test_second",
        }
        with make(**settings).destination_client() as client:
            adopt(client)  # type: ignore[arg-type]

        said = go_refused(how, make(**settings), people(5))
        make(**settings).drop()
        go(how, make(**settings), people(5))

        assert "has no completed run of it" in said
        assert "dlt-bunce adopt" not in said
        assert numbered(5) == set(second.customers)


@pytest.mark.parametrize("fate", ["gone", "swapped"])
@pytest.mark.parametrize("how", DOORS)
def test_rows_whose_store_is_gone_between_runs_are_not_loaded_without_it(
    make: MakePipeline, emulator: Emulator, how: str, fate: str
) -> None:
    leave_behind(make, emulator, 5, batches=2)
    assert len(emulator.customers) == 2
    for file in Path().glob("bunce.sqlite*"):
        file.unlink()
    if fate == "swapped":
        go("flush_and_run", make("shop"), people(1))

    said = go_refused(how, make(), people(5))
    shutil.rmtree(make().working_dir)
    with make().destination_client() as client:
        adopt(client)  # type: ignore[arg-type]
    done = flush_and_run(make(), people(5))

    assert "in another store, not for account 'default' in this store" in said
    assert (done.read, done.created + done.unchanged) == (5, 5)
    assert known() == numbered(5)


def test_a_store_that_has_moved_keeps_its_cursors_and_pending_rows(
    make: MakePipeline, emulator: Emulator
) -> None:
    go("flush_and_run", make(), people(3))
    leave_behind(make, emulator, 5)
    for file in Path().glob("bunce.sqlite*"):
        file.rename(file.name.replace("bunce", "moved"))

    moved = {"store_url": "sqlite:///moved.sqlite"}
    done = flush_and_run(make(**moved), people(6))

    assert done.flushed is not None
    assert (done.flushed.created, done.created) == (2, 1)


def test_a_load_of_which_the_store_knows_only_a_part_does_not_end_as_complete(
    make: MakePipeline, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAD__WORKERS", "1")
    both = [bunce_adapter(dlt.resource([customer(n)], name=name)) for n, name in enumerate("ab")]
    emulator.behavior = Behavior(rate_limit=0, faults=(CREATES(on_request=2, until_request=99),))
    with pytest.raises(Exception, match="503"):
        make().run(both)
    emulator.behavior = Behavior(rate_limit=0)
    # as in a copy of the folder alone, which does not say whose it is
    Path(make().working_dir).with_name(".crm.store").unlink()
    for file in Path().glob("bunce.sqlite*"):
        file.unlink()

    for _ in range(2):
        with pytest.raises(Exception, match="of which 1 file is loaded: the store") as caught:
            make().run(both)

    error = bunce_error(caught.value)
    assert isinstance(error, StoreError)
    assert make().working_dir in str(error.remedy)
    assert len(emulator.customers) == 2


def test_a_store_that_is_removed_in_a_run_is_not_begun_anew_and_its_rows_wait_for_it(
    make: MakePipeline, emulator: Emulator, form: Form, store: str
) -> None:
    @dlt.resource(name="customers")
    def read() -> Iterator[Any]:
        yield form([customer(1), customer(2)])
        for file in Path().glob("bunce.sqlite*"):
            file.unlink()
        if store != STORE:
            drop_schema(store)

    go("flush_and_run", make(store_url=store), dlt.resource([customer(1)], name="customers"))
    with pytest.raises(StoreError, match="removed or replaced"):
        go("flush_and_run", make(store_url=store), read())
    # which would be in the way of a backup
    none_yet = "No store exists|has not been created"
    with pytest.raises(StoreError, match=none_yet), Database(store, read_only=True):
        pass

    said = go_refused("flush_and_run", make(store_url=store), [customer(1)])

    assert "in another store, not for account 'default' in this store" in said
    assert emulator.times_sent == {"c1": 1}


@pytest.mark.parametrize("how", DOORS)
def test_no_second_store_is_begun_in_another_folder(
    make: MakePipeline, emulator: Emulator, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = dlt.resource([customer(1)], name="customers")
    home, elsewhere = Path.cwd(), Path("elsewhere")
    go(how, make(), rows)
    # which has looked into the store, and sent nothing
    with pytest.raises(PipelineStepFailed, match="source away"):
        go(how, make(), unreadable())
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    told = go_refused(how, make(), rows)

    assert f'set store_url = "sqlite:///{home}/bunce.sqlite"' in told
    assert (emulator.times_sent, Path("bunce.sqlite").exists()) == ({"c1": 1}, False)
    go(how, make(store_url=f"sqlite:///{home}/bunce.sqlite"), rows)
    assert emulator.times_sent == {"c1": 1}
    adopt(client_of(make()))
    go(how, make(), rows)
    assert emulator.times_sent == {"c1": 1}


def test_without_its_store_in_postgres_no_file_is_begun(
    make: MakePipeline, emulator: Emulator, postgres_store: str
) -> None:
    rows = dlt.resource([customer(1)], name="customers")
    go("run", make(store_url=postgres_store), rows)

    assert postgres_store not in go_refused("run", make(), rows)

    assert (emulator.times_sent, Path("bunce.sqlite").exists()) == ({"c1": 1}, False)
