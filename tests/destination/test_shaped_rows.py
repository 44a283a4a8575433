"""What a script does to its rows beside the adapter: maps, tables, hints, several resources."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Network
from typing import Any

import dlt
import pytest

from dlt_bunce import bunce_adapter, flush_and_run, run_summary
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import MappingError, bunce_error
from dlt_bunce.model import RunSummary

from .conftest import MakePipeline, customer

HOW = pytest.mark.parametrize("how", ["flush_and_run", "run"])


def load(pipeline: dlt.Pipeline, how: str, data: Any) -> RunSummary:
    """Load the data through one of the doors; return the summary."""
    if how == "flush_and_run":
        return flush_and_run(pipeline, data)
    pipeline.run(data)
    return run_summary(pipeline)


@HOW
def test_what_is_mapped_after_the_adapter_stays_as_it_was_written(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    ids = [7, "007", 7.0, "+5", "A-3"]
    rows = [customer(n, uid=uid, phone_no=None) for n, uid in enumerate(ids)]
    customers = bunce_adapter(
        dlt.resource(rows, name="customers", write_disposition="merge"),
        customer_id="key",
        phone_no="phone",
    ).add_map(lambda row: row | {"key": row["uid"], "phone": f"+23481{row['customer_id'][1:]:0>8}"})

    found = load(make(), how, customers)

    assert (found.created, found.superseded) == (4, 1)  # 7 and 7.0 are one
    assert set(emulator.customers) == {"7", "007", "+5", "A-3"}


@HOW
def test_rows_go_to_the_table_that_their_resource_names(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    @dlt.resource(write_disposition="merge")
    def feed() -> Any:
        yield dlt.mark.with_table_name([customer(1, uid=7)], "customers")
        yield dlt.mark.with_table_name([customer(2, uid="007"), customer(3, uid="A")], "leads")
        yield dlt.mark.with_table_name([customer(4, uid="07")], "customers")

    pipeline = make(customers_table="customers, leads")

    load(pipeline, how, bunce_adapter(feed, customer_id="uid"))

    assert sorted(pipeline.default_schema.data_table_names()) == ["customers", "leads"]
    assert set(emulator.customers) == {"7", "007", "A", "07"}


@HOW
def test_orders_that_a_resource_names_as_such_are_no_customers(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    @dlt.resource
    def feed() -> Any:
        yield dlt.mark.with_table_name([customer(1)], "customers")
        yield dlt.mark.with_table_name([{"order": 1}], "orders")

    with pytest.raises(Exception, match="Available columns: order") as raised:
        load(make(), how, bunce_adapter(feed))

    assert isinstance(bunce_error(raised.value), MappingError)
    assert emulator.customers == {}


@HOW
def test_hints_that_a_resource_gives_with_its_rows_hold(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    @dlt.resource(write_disposition="merge")
    def feed() -> Any:
        hints = dlt.mark.make_hints(table_name="people", write_disposition="append")
        yield dlt.mark.with_hints([customer(1, first_name=names.pop())], hints)

    names = ["Bo", "Ada"]
    load(make(customers_table="people"), how, bunce_adapter(feed))
    found = load(make(customers_table="people"), how, bunce_adapter(feed))

    assert found.skipped == 1
    assert emulator.customers["c1"]["first_name"] == "Ada"


@HOW
def test_two_mappings_of_one_table_are_refused(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    def crm(name: str, number: int, email: str) -> Any:
        rows = [customer(number, work=f"w{number}@example.com")]
        resource = dlt.resource(rows, name=name, table_name="customers", write_disposition="merge")
        return bunce_adapter(resource, email=email)

    @dlt.source(name="shop")
    def shop(second: str) -> Any:
        return [crm("staff", 1, "work"), crm("clients", 2, second)]

    with pytest.raises(Exception, match=r"'clients' and 'staff' .* different mappings") as raised:
        load(make(), how, shop("email"))
    assert isinstance(bunce_error(raised.value), MappingError)
    assert emulator.customers == {}

    assert load(make(), how, shop("work")).created == 2


@HOW
def test_one_resource_may_be_loaded_into_several_pipelines_and_under_several_names(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    rows = [customer(n, uid=uid) for n, uid in enumerate([7, "007", "+5"])]
    customers = bunce_adapter(
        dlt.resource(rows, name="customers", write_disposition="merge"), customer_id="uid"
    )

    @dlt.source(name="both")
    def both() -> Any:
        return [customers.with_name("a"), customers.with_name("b")]

    first = load(make("first"), how, customers)
    second = load(make("second"), how, customers)
    named = load(make("third"), how, both())

    assert (first.created, second.unchanged, named.unchanged) == (3, 3, 6)
    assert set(emulator.customers) == {"7", "007", "+5"}


@HOW
@pytest.mark.parametrize("place", [0, 1])
def test_a_page_with_null_for_a_row_is_mapped_as_any_other(
    make: MakePipeline, emulator: Emulator, how: str, place: int
) -> None:
    page: list[Any] = [customer(1, customer_id=7), customer(2, customer_id="007")]
    page.insert(place, None)
    pages = dlt.resource(iter([page]), name="customers", write_disposition="merge")

    found = load(make(), how, bunce_adapter(pages))

    assert (found.created, found.reject_codes) == (2, {"missing_customer_id": 1})
    assert set(emulator.customers) == {"7", "007"}


class NAType:
    """Of the name of pandas' missing value."""


class NaTType(datetime):
    """Of the name of pandas' missing time, which claims to be one."""

    def isoformat(self, *_: Any) -> str:  # type: ignore[override]
        """Return what pandas does."""
        return "NaT"


class Float64(float):
    """A float, and none to those who write JSON, like that of NumPy."""


def test_missing_values_and_numbers_of_pandas_stop_no_load_in_any_column(
    make: MakePipeline, emulator: Emulator
) -> None:
    """What `df.to_dict("records")` may have: as a version, and where nobody mapped the column."""
    never = NaTType(2026, 1, 1)
    rows = [
        customer(1, changed=datetime(2026, 11, 1, tzinfo=timezone.utc), plan="pro", score=0.5),
        customer(2, changed=never, plan=NAType(), score=Float64(0.5)),
        customer(3, changed=None, plan=None, score=None, phone_no=NAType()),
    ]

    done = load(make(), "flush_and_run", bunce_adapter(rows, version="changed"))

    assert (done.created, done.reject_codes) == (2, {"missing_phone_no": 1})
    assert done.warnings == {}


@HOW
def test_ids_that_a_float_has_rounded_are_rejected_and_make_nobody_of_two_people(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    rounded = [float(2**53 + 1), float(2**53 + 2), 1e16, 1.2345678901234568e17, "1e+16"]
    exact = [123.0, 2**53 + 1, Decimal("12345678901234567890.00"), "1e5", "12e4"]
    rows = [customer(n, customer_id=value) for n, value in enumerate([*rounded, *exact])]
    data = dlt.resource(rows, name="customers", write_disposition="merge")

    found = load(make(), how, data)

    assert found.reject_codes == {"invalid_customer_id": len(rounded)}
    assert set(emulator.customers) == {
        "123",
        "9007199254740993",
        "12345678901234567890",
        "1e5",
        "12e4",
    }


class ndarray(list[Any]):  # noqa: N801
    """Of the name of NumPy's array, which is no list to those who write JSON."""


class datetime64:  # noqa: N801
    """Of the name of NumPy's time."""

    def astype(self, kind: str) -> Any:
        """Return itself, in microseconds."""
        assert kind == "datetime64[us]"
        return self

    def tolist(self) -> datetime:
        """Return what it is in Python."""
        return datetime(2026, 1, 2)  # noqa: DTZ001, it has no time zone


ODD: dict[str, tuple[Any, str]] = {
    "an array": (ndarray([ndarray([Float64(0.5)]), "b"]), '[[0.5],"b"]'),
    "a time of NumPy": (datetime64(), "2026-01-02T00:00:00"),
    "an interval": (timedelta(1, 7_384), "P1DT2H3M4S"),
    "an address": (IPv4Address("10.0.0.1"), "10.0.0.1"),
    "a network": (IPv6Network("2001:db8::/32"), "2001:db8::/32"),
    "a set": ({"b", "a"}, '["a","b"]'),
    "bytes in memory": (memoryview(b"gold"), "gold"),
}


@HOW
@pytest.mark.parametrize("kind", ODD)
def test_values_that_dlt_cannot_write_arrive_and_stop_no_load_where_nobody_mapped_them(
    make: MakePipeline, emulator: Emulator, how: str, kind: str
) -> None:
    odd, text = ODD[kind]
    emulator.attributes.add("Odd", "text")
    rows = [customer(n, customer_id=2**70 + n, odd=odd, other=odd) for n in range(2)]

    found = load(make(), how, bunce_adapter(rows, attributes={"odd": "Odd"}).with_name("customers"))

    assert found.created == 2
    assert emulator.attributes.values_of(f"{2**70}") == {"Odd": text}


@HOW
@pytest.mark.parametrize("bare", [False, True])
def test_bytes_are_text_if_they_are_utf_8(
    make: MakePipeline, emulator: Emulator, how: str, bare: bool
) -> None:
    rows = [
        customer(1, customer_id=b"id-1", first_name="Zoë".encode(), last_name=b"\xff"),
        customer(2, customer_id=b"id-2", first_name="Zoë".encode(), photo=b"\xff"),
        customer(3, customer_id=7, first_name="Zoë"),
    ]
    data = dlt.resource(rows, name="customers", write_disposition="merge")

    found = load(make(), how, data if bare else bunce_adapter(data))

    assert (found.created, found.reject_codes) == (2, {"invalid_last_name": 1})
    assert {"id-2", "7"} == set(emulator.customers)
    assert emulator.customers["id-2"]["first_name"] == "Zoë"
