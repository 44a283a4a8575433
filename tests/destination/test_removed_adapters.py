"""A script that no longer calls the adapter does what it now says."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import dlt
import pyarrow as pa
import pytest
from dlt.extract import DltResource
from tests.forks import Forks

from dlt_bunce import bunce_adapter, flush_and_run, run_summary
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.errors import MappingError, UnknownTableError, bunce_error

from .conftest import MakePipeline, customer
from .test_mappings import KINDS

# each field as dicts and as Arrow, and through both doors
CASES = [
    ("first_name", "dicts", "run"),
    ("first_name", "arrow", "flush_and_run"),
    ("customer_id", "arrow", "run"),
    ("customer_id", "dicts", "flush_and_run"),
]
PAIRS = [("dicts", "run"), ("arrow", "flush_and_run")]
DOWN = Fault("error_before", on_request=1, until_request=999)


def bare(kind: str, *rows: dict[str, Any], name: str = "customers") -> DltResource:
    """A resource as a user writes it, merged so that corrections are sent."""
    data: Any = list(rows) if kind == "dicts" else pa.Table.from_pylist(list(rows))
    return dlt.resource(data, name=name, write_disposition="merge")


def load(pipeline: dlt.Pipeline, how: str, data: Any) -> Any:
    """Load through one of the doors; return the summary."""
    if how == "flush_and_run":
        return flush_and_run(pipeline, data)
    pipeline.run(data)
    return run_summary(pipeline)


def refused(pipeline: dlt.Pipeline, how: str, data: Any) -> Any:
    """The error of ours behind a load that must fail."""
    with pytest.raises(Exception) as caught:  # noqa: PT011, dlt's own around ours in a run()
        load(pipeline, how, data)
    return bunce_error(caught.value)


@pytest.mark.parametrize(("field", "kind", "how"), CASES)
def test_names_that_lead_elsewhere_are_refused_until_somebody_chooses(
    make: MakePipeline, emulator: Emulator, field: str, kind: str, how: str
) -> None:
    other = {"first_name": "nick", "customer_id": "crm_id"}[field]
    row = customer(1, **{other: "Mapped"})
    load(make(), how, bunce_adapter(bare(kind, row), **{field: other}))
    sent = len(emulator.requests)

    error = refused(make(), how, bare(kind, row))
    posted = [r for r in emulator.requests[sent:] if r.method != "GET"]
    chosen = load(make(), how, bunce_adapter(bare(kind, row)))
    since = load(make(), how, bare(kind, row))

    assert isinstance(error, MappingError)
    assert f"earlier runs used '{other}'" in str(error)
    assert f'bunce_adapter(data, {field}="{other}")' in error.remedy
    assert f'bunce_adapter(data, {field}="{field}")' in error.remedy
    assert posted == []
    assert chosen.unchanged == 0
    assert since.unchanged + since.held == 1  # another id has the same email


@pytest.mark.parametrize(("kind", "how"), PAIRS)
def test_a_version_that_is_mapped_no_more_is_refused(
    make: MakePipeline, emulator: Emulator, kind: str, how: str
) -> None:
    row = customer(1, changed=5)
    load(make(), how, bunce_adapter(bare(kind, row), version="changed"))

    error = refused(make(), how, bare(kind, row | {"changed": 4, "first_name": "Old"}))
    kept = load(make(), how, bunce_adapter(bare(kind, row), version="changed"))

    assert isinstance(error, MappingError)
    assert 'version="changed"' in error.remedy
    assert kept.unchanged == 1
    assert emulator.customers["c1"]["first_name"] == "Ada"


@pytest.mark.parametrize(("kind", "how"), PAIRS)
def test_names_that_lead_to_the_same_columns_are_taken(
    make: MakePipeline, emulator: Emulator, kind: str, how: str
) -> None:
    load(make(), how, bunce_adapter(bare(kind, customer(1)), email="email"))

    assert load(make(), how, bare(kind, customer(1), customer(2))).created == 1


@pytest.mark.parametrize(("kind", "how"), PAIRS)
def test_a_table_is_of_customers_only_while_an_adapter_says_so(
    make: MakePipeline, emulator: Emulator, kind: str, how: str
) -> None:
    load(make(), how, bunce_adapter(bare(kind, customer(1), name="people")))

    error = refused(make(), how, bare(kind, customer(2), name="people"))

    assert isinstance(error, UnknownTableError)
    assert set(emulator.customers) == {"c1"}


def test_another_table_of_the_source_keeps_its_mapping(
    make: MakePipeline, emulator: Emulator
) -> None:
    people = bunce_adapter(bare("dicts", customer(1, nick="Al"), name="people"), first_name="nick")
    load(make(), "run", people)
    load(make(), "run", bare("dicts", customer(2)))
    again = load(make(), "run", people)

    assert again.unchanged == 1


def test_a_table_is_compared_with_its_own_mapping_and_not_with_that_of_another(
    make: MakePipeline, emulator: Emulator
) -> None:
    @dlt.source(name="shop")
    def shop() -> Any:
        leads = bare("dicts", customer(2, nick="Al"), name="leads")
        rows = bare("dicts", customer(1, nick="Bo"))
        return [rows, bunce_adapter(leads, first_name="nick")]

    load(make(), "run", shop())
    make().run(shop(), loader_file_format="parquet")

    assert run_summary(make()).unchanged == 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("given", ["other", "none"])
def test_a_plain_run_loads_what_was_left_over_with_the_mapping_that_it_gives(
    make: MakePipeline, emulator: Emulator, kind: str, given: str
) -> None:
    emulator.behavior = Behavior(rate_limit=0, faults=(DOWN,))
    row = customer(1, work="w@example.com")
    with pytest.raises(Exception):  # noqa: B017, PT011, whatever dlt makes of it
        make().run(bunce_adapter(bare(kind, row), email="work"))
    emulator.behavior = Behavior(rate_limit=0)

    now = bare(kind, row)
    make().run(bunce_adapter(now, email="email") if given == "other" else now)

    assert emulator.customers["c1"]["email"] == "c1@example.com"


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_run_without_data_says_with_which_mapping_it_loads(
    make: MakePipeline,
    emulator: Emulator,
    kind: str,
    warned: Callable[[], list[dict[str, Any]]],
) -> None:
    emulator.behavior = Behavior(rate_limit=0, faults=(DOWN,))
    with pytest.raises(Exception):  # noqa: B017, PT011, whatever dlt makes of it
        make().run(bunce_adapter(bare(kind, customer(1, work="w@example.com")), email="work"))
    emulator.behavior = Behavior(rate_limit=0)
    warned()

    make().run()

    [told] = [e for e in warned() if e["event"] == "load.earlier_mapping"]
    assert told["columns"] == {"email": "work"}
    assert told["table"] == "customers"
    assert emulator.customers["c1"]["email"] == "w@example.com"


PROGRAM = """
import sys, dlt
from dlt_bunce import bunce, bunce_adapter
base_url, hints = sys.argv[1:]
row = {"customer_id": "c1", "email": "c1@example.com", "first_name": "Ada", "last_name": "Obi",
       "phone_no": "+2348100000001", "work": "w@example.com"}
rows = dlt.resource([row], name="customers", write_disposition="merge")
dlt.pipeline("crm", destination=bunce(credentials="sk_test_x", base_url=base_url,
    requests_per_minute=0)).run(bunce_adapter(rows, email="work") if hints else rows)
"""


def test_a_new_process_without_the_adapter_does_not_go_on_with_the_old_mapping(
    emulator: Emulator, loading: Forks
) -> None:
    def program(hints: str) -> subprocess.CompletedProcess[str]:
        command = loading.python(PROGRAM, emulator.base_url, hints)
        return subprocess.run(command, capture_output=True, text=True, check=False)

    first, second = program("adapted"), program("")

    assert first.returncode == 0, first.stderr
    assert emulator.customers["c1"]["email"] == "w@example.com"
    assert second.returncode == 1
    assert "earlier runs used 'work'" in second.stderr


@pytest.mark.usefixtures("warned")
def test_a_first_run_whose_source_fails_logs_no_error_beside_that_of_the_source(
    make: MakePipeline, caplog: pytest.LogCaptureFixture
) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        yield customer(1)
        raise LookupError("the source broke")

    pipeline = make()
    logger = logging.getLogger("dlt")
    logger.addHandler(caplog.handler)
    try:
        with pytest.raises(Exception, match="the source broke"):
            pipeline.run(bunce_adapter(dlt.resource(rows, name="customers")))
    finally:
        logger.removeHandler(caplog.handler)

    assert caplog.text == ""
