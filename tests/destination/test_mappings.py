"""A mapping holds for a run and no longer, and values reach us as they were written."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import make_dataclass
from typing import Any, Union

import dlt
import pyarrow as pa
import pytest
from dlt.extract import DltResource
from pydantic import BaseModel
from tests.records.test_single_precision import Int64

from dlt_bunce import bunce_adapter, flush_and_run, run_summary
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import MappingError, bunce_error
from dlt_bunce.records.mapping.schema import VARIANT

from .conftest import MakePipeline, customer, letters

KINDS = ["dicts", "arrow"]
DOORS = ["flush_and_run", "run"]


def load(pipeline: dlt.Pipeline, how: str, kind: str, rows: Any, **hints: str) -> Any:
    """Loads the rows through one of the doors; returns the summary."""
    if not isinstance(rows, DltResource):
        data: Any = rows if kind == "dicts" else pa.Table.from_pylist(rows)
        rows = dlt.resource(data, name="customers")
    customers = bunce_adapter(rows, **hints)
    if how == "flush_and_run":
        return flush_and_run(pipeline, customers, write_disposition="merge")
    pipeline.run(customers, write_disposition="merge")
    return run_summary(pipeline)


@pytest.mark.parametrize("how", DOORS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_correction_of_the_mapping_corrects(
    make: MakePipeline, emulator: Emulator, how: str, kind: str
) -> None:
    rows = [customer(1, work_name="Wrong")]
    load(make(), how, kind, rows, first_name="work_name")
    corrected = load(make(), how, kind, rows, first_name="first_name")
    load(make(), how, kind, rows, first_name="work_name")
    removed = load(make(), how, kind, rows)

    assert (corrected.updated, removed.updated) == (1, 1)
    assert emulator.customers["c1"]["first_name"] == "Ada"


@pytest.mark.parametrize("how", DOORS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_mapped_column_that_is_empty_today_is_null_and_no_other_column(
    make: MakePipeline, emulator: Emulator, how: str, kind: str
) -> None:
    rows = [customer(1, work_email=None)]
    if kind == "arrow":
        rows = [customer(1, work_email=None), customer(2, work_email="w@example.com")]

    found = load(make(), how, kind, rows, email="work_email")

    assert found.reject_codes == {"missing_email": 1}
    assert "c1" not in emulator.customers


@pytest.mark.parametrize("how", DOORS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hints", [{"email": "work_emial"}, {"version": "udpated_at"}])
def test_a_mapped_column_that_no_row_ever_had_is_refused(
    make: MakePipeline, emulator: Emulator, how: str, kind: str, hints: dict[str, str]
) -> None:
    rows = [customer(1, work_email="w@example.com", updated_at=1)]

    with pytest.raises(Exception, match="does not exist") as raised:
        load(make(), how, kind, rows, **hints)

    assert isinstance(bunce_error(raised.value), MappingError)
    assert emulator.customers == {}


@pytest.mark.parametrize("how", DOORS)
@pytest.mark.parametrize("optional", ["devices", "version"])
def test_a_mapped_column_without_data_yet_stops_nothing(
    make: MakePipeline, emulator: Emulator, how: str, optional: str
) -> None:
    found = load(make(), how, "dicts", [customer(1, later=None)], **{optional: "later"})

    assert found.created == 1


@pytest.mark.parametrize("how", DOORS)
def test_ids_in_dicts_stay_as_they_were_written(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    ids = [*range(10), "007", "A-3", 7.0, "12", Int64("20")]
    rows = [
        customer(n, customer_id=given, first_name=f"F{n}", updated_at=n)
        for n, given in enumerate(ids)
    ]

    found = load(make(), how, "dicts", rows, version="updated_at")

    assert {*map(str, range(10)), "007", "A-3", "12", "20"} == set(emulator.customers)
    assert found.superseded == 1  # 7 and 7.0 are one
    assert emulator.customers["007"]["first_name"] == "F10"


@pytest.mark.parametrize("how", DOORS)
def test_a_schema_of_numbers_does_not_make_numbers_of_later_ids(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    plain = make()
    plain.run([customer(7, customer_id=7)], table_name="customers", write_disposition="merge")
    load(make(), how, "dicts", [customer(8, customer_id="007")])

    assert set(emulator.customers) == {"7", "007"}


@pytest.mark.parametrize("how", DOORS)
def test_a_phone_keeps_its_plus_after_phones_that_are_numbers(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    rows = [
        customer(1, phone_no=4915112345678),
        customer(2, phone_no="+14155552671"),
        customer(3, phone_no=float("nan")),
    ]

    found = load(make(default_region="DE"), how, "dicts", rows)

    assert emulator.customers["c2"]["phone_no"] == "+14155552671"
    assert found.reject_codes["missing_phone_no"] == 1


class Person(BaseModel):
    """A row as a model of pydantic's."""

    customer_id: Union[int, str]
    email: str
    first_name: str
    last_name: str
    phone_no: Union[int, str]


Record = make_dataclass("Record", list(Person.model_fields))
Named = namedtuple("Named", list(Person.model_fields))  # noqa: PYI024, any field, as a user has them
BARE = {
    "dicts": dict,
    "models": lambda row: Person(**row),
    "dataclasses": lambda row: Record(**row),
    "named tuples": lambda row: Named(**row),
}


WAYS = ["plain run", "steps", "resource", "flush_and_run", "adapter"]
# each class in each way, and each of both on a schema of old and on none: what is there before a
# run meets the rows after their class and their way have had their effect
CASES = [
    (form, how, bool((row + column) % 2))
    for row, form in enumerate(BARE)
    for column, how in enumerate(WAYS)
]


@pytest.mark.filterwarnings("ignore:The `dict` method")  # which dlt calls of pydantic
@pytest.mark.parametrize(("form", "how", "older"), CASES)
def test_values_stay_as_they_were_written_in_rows_of_any_class_and_without_an_adapter(
    make: MakePipeline, emulator: Emulator, form: str, how: str, *, older: bool
) -> None:
    pipeline = make(default_region="NG")
    if older:  # with a schema in which dlt has made numbers of both
        dummy = dlt.destinations.dummy(completed_prob=1, naming_convention="direct")
        dlt.pipeline("crm", destination=dummy).run(
            [customer(99, customer_id=0, phone_no=2348031234560)], table_name="customers"
        )
        pipeline = make(default_region="NG")
        types = pipeline.default_schema.tables["customers"]["columns"]
        assert {types[name]["data_type"] for name in ("customer_id", "phone_no")} == {"bigint"}
    values = [
        (1, 2348031234567),
        ("007", "+14155552671"),
        (7, "0803 123 4568"),
        ("A-3", "no number"),
    ]
    rows = [BARE[form](customer(n, customer_id=i, phone_no=p)) for n, (i, p) in enumerate(values)]

    if how == "plain run":
        pipeline.run(rows, table_name="customers", write_disposition="merge")
    elif how == "steps":
        pipeline.extract(rows, table_name="customers", write_disposition="merge")
        pipeline.normalize()
        pipeline.load()
    elif how == "resource":
        pipeline.run(dlt.resource(rows, name="customers", write_disposition="merge"))
    else:
        data = bunce_adapter(rows, customer_id="customer_id") if how == "adapter" else rows
        flush_and_run(pipeline, data, table_name="customers")

    assert {key: sent["phone_no"] for key, sent in emulator.customers.items() if key != "0"} == {
        "1": "+2348031234567",
        "007": "+14155552671",
        "7": "+2348031234568",
    }
    assert letters() == [("A-3", "invalid_phone_no", "open")]


def test_what_dlt_puts_beside_a_column_is_read_with_it(
    make: MakePipeline, emulator: Emulator
) -> None:
    rows = [customer(1, customer_id=1), customer(2, customer_id=None)]
    table = pa.Table.from_pylist(rows).append_column(
        f"customer_id{VARIANT}text", pa.array([None, "A-3"])
    )

    make().run(table, table_name="customers", write_disposition="merge")

    assert set(emulator.customers) == {"1", "A-3"}
    assert letters() == []


@pytest.mark.parametrize("how", DOORS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_column_with_a_better_name_makes_nobody_somebody_else(
    make: MakePipeline, emulator: Emulator, how: str, kind: str
) -> None:
    def row(**more: Any) -> dict[str, Any]:
        found = customer(1, id="7") | more
        return {k: v for k, v in found.items() if k != "customer_id" or more}

    load(make(), how, kind, [row()])
    with pytest.raises(Exception, match=r"earlier runs used 'id'") as raised:
        load(make(), how, kind, [row(customer_id="crm-1")])
    kept = load(make(), how, kind, [row(customer_id="crm-1")], customer_id="id")
    more = load(make(), how, kind, [row(customer_id="crm-1", devices=None)], customer_id="id")
    taken = load(make(), how, kind, [row(customer_id="crm-1")], customer_id="customer_id")

    error = bunce_error(raised.value)
    assert isinstance(error, MappingError)
    assert "--map customer_id=id" in str(error)
    assert (kept.unchanged, more.unchanged) == (1, 1)
    assert taken.read == 1
    assert {"7"} <= set(emulator.customers)


def test_such_a_column_is_told_in_every_table_of_a_run(
    make: MakePipeline, emulator: Emulator, store: str
) -> None:
    def tables(**more: Any) -> list[DltResource]:
        other = customer(2, mobile="+2348100000007")
        del other["phone_no"]
        rows = {"first": customer(1), "sécond": other | more}
        return [bunce_adapter(dlt.resource([row], name=name)) for name, row in rows.items()]

    make(store_url=store).run(tables())
    with pytest.raises(Exception, match=r"earlier runs used 'mobile'"):
        make(store_url=store).run(tables(phone_no="+2348100000008"))

    assert emulator.customers["c2"]["phone_no"] == "+2348100000007"
