"""A package that dlt cannot normalize does not block the next run, and its rows are not lost."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from pydantic import BaseModel

from dlt_bunce import bunce_adapter, flush_and_run, run_summary
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import BunceError
from dlt_bunce.failures import failure_of
from dlt_bunce.model import RunSummary

from .conftest import MakePipeline, customer

DOORS = ["flush_and_run", "run"]
WRONG: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a column that the contract forbids": (
        {"vip": "yes"},
        {"schema_contract": {"columns": "freeze"}},
    ),
    "a whole number of 64 bits": ({"points": 2**63}, {}),
    "a decimal too large": ({"points": Decimal("1e50")}, {}),
}


def load(pipeline: dlt.Pipeline, how: str, data: Any, **options: Any) -> Any:
    if how == "flush_and_run":
        return flush_and_run(pipeline, data, write_disposition="merge", **options)
    pipeline.run(data, write_disposition="merge", **options)
    return run_summary(pipeline)


@pytest.mark.parametrize("how", DOORS)
@pytest.mark.parametrize("wrong", WRONG)
def test_the_next_correct_run_brings_all_rows(
    make: MakePipeline, emulator: Emulator, how: str, wrong: str
) -> None:
    def growing(last: int, **more: Any) -> Any:
        def people(cursor: Any = dlt.sources.incremental("at")) -> Iterator[Any]:
            yield [customer(n, at=n) | more for n in range(1, last + 1)]

        return dlt.resource(people, name="customers")

    load(make(), how, growing(1))
    more, options = WRONG[wrong]
    with pytest.raises(Exception) as raised:  # noqa: PT011, dlt's own around its own
        load(make(), how, growing(3, **more), **options)
    assert "p3@" not in str(raised.value)

    summary = load(make(), how, growing(4))

    assert (summary.created, summary.flushed) == (3, None)
    assert set(emulator.customers) == {"c1", "c2", "c3", "c4"}
    assert not make().has_pending_data
    assert not list(Path(make().working_dir).glob("load/new/*"))


@pytest.mark.parametrize("how", DOORS)
@pytest.mark.parametrize("adapted", [False, True])
@pytest.mark.parametrize("name", ["", " "])
def test_a_column_without_a_name_of_rows_in_dicts_is_one_that_nobody_maps(
    make: MakePipeline, emulator: Emulator, how: str, adapted: bool, name: str
) -> None:
    resource = dlt.resource([customer(1), customer(2) | {name: "x"}], name="customers")

    done = load(make(), how, bunce_adapter(resource) if adapted else resource)

    assert (done.created, set(emulator.customers)) == (2, {"c1", "c2"})


@pytest.mark.parametrize(
    ("how", "adapted"), [("flush_and_run", False), ("flush_and_run", True), ("run", True)]
)
def test_a_column_without_a_name_of_a_table_is_told_and_blocks_no_later_run(
    make: MakePipeline, emulator: Emulator, how: str, adapted: bool
) -> None:
    def people(row: dict[str, Any]) -> Any:
        resource = dlt.resource([pa.Table.from_pylist([row])], name="customers")
        return bunce_adapter(resource) if adapted else resource

    with pytest.raises(Exception) as raised:  # noqa: PT011, dlt's own around its own
        load(make(), how, people(customer(1) | {" ": 1}))

    assert load(make(), how, people(customer(2))).created == 1
    assert set(emulator.customers) == {"c2"}
    assert failure_of(raised.value).error == "The rows have a column without a name."


@pytest.mark.parametrize("how", DOORS)
def test_a_package_with_a_file_that_is_cut_is_given_up(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    pipeline = make()
    load(pipeline, how, dlt.resource([customer(1)], name="customers"))
    pipeline.extract([customer(2)], table_name="customers", write_disposition="merge")
    [file] = Path(pipeline.working_dir).glob("normalize/extracted/*/new_jobs/customers.*.gz")
    file.write_bytes(file.read_bytes()[:-9])

    with pytest.raises(PipelineStepFailed, match="end-of-stream"):
        load(make(), how, [customer(3)], table_name="customers")
    done = load(make(), how, [customer(4)], table_name="customers")

    assert (done.created, done.flushed) == (1, None)
    assert set(emulator.customers) == {"c1", "c4"}


def test_a_contract_that_is_violated_is_told_in_one_line(
    make: MakePipeline, emulator: Emulator
) -> None:
    load(make(), "flush_and_run", dlt.resource([customer(1)], name="customers"))

    with pytest.raises(BunceError, match="does not allow column 'vip' of table") as raised:
        flush_and_run(
            make(),
            dlt.resource([customer(2, vip="yes")], name="customers"),
            schema_contract={"columns": "freeze"},
        )

    assert 'schema_contract={"columns": "evolve"}' in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


class Person(BaseModel):
    """A row all of whose fields must be text."""

    customer_id: str
    email: str
    first_name: str
    last_name: str
    phone_no: str


@pytest.mark.parametrize("as_list", [True, False])
def test_a_row_that_a_model_does_not_allow_is_told_by_its_field(
    make: MakePipeline, emulator: Emulator, as_list: bool
) -> None:
    def load_people(**options: Any) -> RunSummary:
        rows = [customer(1), customer(2, customer_id=None)]
        pages = [rows] if as_list else rows
        data = bunce_adapter(dlt.resource(pages, name="people", columns=Person))
        return flush_and_run(make(), data, **options)

    with pytest.raises(BunceError) as raised:
        load_people()
    assert emulator.customers == {}
    summary = load_people(schema_contract={"data_type": "evolve"})

    message = str(raised.value)
    assert "A row of table 'people' does not fit its model, by 'customer_id'." in message
    assert 'schema_contract={"data_type": "evolve"}' in message
    assert "None" not in message
    assert (summary.created, summary.reject_codes) == (1, {"missing_customer_id": 1})


@pytest.mark.parametrize("how", DOORS)
def test_rows_that_cannot_be_read_again_are_loaded_by_the_command_that_is_printed(
    make: MakePipeline,
    emulator: Emulator,
    warned: Callable[[], list[dict[str, Any]]],
    program_file: Path,
    how: str,
) -> None:
    pipeline = make()
    queue = iter([customer(1, points=2**63 - 1, name="Zoë\nObi"), customer(2, points=2**63)])
    with pytest.raises(Exception) as raised:  # noqa: PT011, dlt's own around its own
        load(pipeline, how, dlt.resource(queue, name="customers"))
    if how == "run":
        assert load(make(), how, dlt.resource([customer(3)], name="customers")).created == 1
        [told] = [event for event in warned() if event["event"] == "package.given_up"]
        kept = told["rows_kept_in"]
        words = ["dlt-bunce", "load", kept]
    else:
        words = shlex.split(str(raised.value).rpartition("Load them with: ")[2])
        kept = words[-1]

    files = [*Path(kept).glob("*"), Path(kept).with_suffix(f"{Path(kept).suffix}.json")]
    done = subprocess.run(
        [program_file, *words[1:]],
        env={
            **os.environ,
            "DESTINATION__BUNCE__BASE_URL": emulator.base_url,
            "DESTINATION__BUNCE__CREDENTIALS__API_KEY": "sk_test_marked",
            "DESTINATION__BUNCE__REQUESTS_PER_MINUTE": "0",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert words[:2] == ["dlt-bunce", "load"]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert {p.stat().st_mode & 0o777 for p in (Path(kept), Path(kept).parent)} == {0o700}
    assert done.returncode == 0, done.stderr
    assert {"c1", "c2"} <= set(emulator.customers)


def test_kept_rows_are_loaded_into_the_account_that_the_program_named(make: MakePipeline) -> None:
    queue = iter([customer(1, points=2**63 - 1), customer(2, points=2**63)])

    with pytest.raises(BunceError) as raised:
        flush_and_run(make(account="shop 2"), dlt.resource(queue, name="customers"))

    words = shlex.split(str(raised.value).rpartition("Load them with: ")[2])
    assert words[:2] + words[3:] == ["dlt-bunce", "load", "--account", "shop 2"]


def test_a_full_disk_gives_nothing_up(
    make: MakePipeline, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dlt.normalize.normalize import Normalize

    def full(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    rows = partial(dlt.resource, name="customers")
    with monkeypatch.context() as patch:
        patch.setattr(Normalize, "run", full)
        with pytest.raises(Exception):  # noqa: B017, PT011, dlt's own around it
            load(make(), "flush_and_run", rows(iter([customer(1)])))

    summary = load(make(), "flush_and_run", rows([customer(2)]))

    assert summary.flushed is not None
    assert (summary.created, summary.flushed.created) == (1, 1)
