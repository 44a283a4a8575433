"""What a resource has beside the adapter and reads rows itself: a cursor, or a model."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import dlt
import pyarrow as pa
import pytest
from pydantic import BaseModel, ConfigDict

from dlt_bunce import bunce_adapter, flush_and_run
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import ConfigurationError

from .conftest import Form, MakePipeline, customer
from .test_shaped_rows import HOW, load


def since(pages: list[Any], initial: Any = None, **adapted: Any) -> Any:
    """Pages of customers behind a cursor, adapted."""

    @dlt.resource(name="customers", write_disposition="merge")
    def customers(
        _cursor: Any = dlt.sources.incremental("at", initial_value=initial),
    ) -> Iterator[Any]:
        yield from pages

    return bunce_adapter(customers, **adapted)


def hour(number: int) -> datetime:
    return datetime(2026, 1, 2, number, tzinfo=timezone.utc)


@HOW
@pytest.mark.parametrize("attributes", [{"at": "At"}, "*"], ids=str)
@pytest.mark.parametrize(
    ("first", "then"), [(9, 10), (-1, 0), (0.5, 1e16), (hour(9), hour(10))], ids=str
)
def test_a_cursor_compares_what_feeds_an_attribute_by_its_own_type(
    make: MakePipeline,
    emulator: Emulator,
    form: Form,
    how: str,
    attributes: Any,
    first: Any,
    then: Any,
) -> None:
    emulator.attributes.add("At" if attributes != "*" else "at", "text")

    for number, at in enumerate([first, then]):
        load(make(), how, since([form([customer(number, at=at)])], attributes=attributes))

    assert set(emulator.customers) == {"c0", "c1"}


def test_a_cursor_that_an_earlier_run_has_stored_as_text_is_told_and_can_be_put_right(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.attributes.add("At", "text")
    flush_and_run(make(), since([[customer(1, at="9")]], attributes={"at": "At"}))
    rows = [customer(number, at=8 + number) for number in range(3)]

    with pytest.raises(ConfigurationError, match=r'once, with refresh="drop_resources": only'):
        flush_and_run(make(), since([rows], attributes={"at": "At"}))
    done = flush_and_run(make(), since([rows], attributes={"at": "At"}), refresh="drop_resources")

    assert (done.created, done.unchanged) == (2, 1)


@HOW
def test_a_page_that_a_cursor_drops_takes_no_hint_with_it(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    old = customer(9, customer_id=9, seats=1, at=0)
    new = [
        customer(1, customer_id=7, seats=2, phone_no=2348031234567, at=5),
        customer(2, customer_id="007", seats=3, phone_no="+2348031234568", at=6),
    ]
    pipeline = make(create_attributes=True, default_region="NG")

    done = load(pipeline, how, since([[old], new], 3, attributes={"seats": "Seats"}))

    assert (done.created, done.attributes["written"]) == (2, 2)
    assert set(emulator.customers) == {"7", "007"}
    assert emulator.customers["007"]["phone_no"] == "+2348031234568"
    assert [known["data_type"] for known in emulator.attributes.attributes] == ["numeric"]


@HOW
def test_a_column_without_a_type_is_known_though_a_cursor_drops_its_first_table(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    pages = [pa.Table.from_pylist([customer(n, at=n, apps=None)]) for n in (1, 5)]

    assert load(make(), how, since(pages, 3, devices="apps")).created == 1


@HOW
def test_a_column_that_only_dropped_rows_have_is_known(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    pages = [[customer(1, at=1, middle="Bo")], [customer(2, at=5)]]

    found = load(make(), how, since(pages, 3, first_name=["middle", "first_name"]))

    assert found.created == 1


class Strict(BaseModel):
    """A row of which no value is converted."""

    model_config = ConfigDict(strict=True)
    customer_id: str
    email: str
    first_name: str
    last_name: str
    phone_no: str
    seats: int
    tags: list[str]


@HOW
@pytest.mark.parametrize("contract", [None, {"data_type": "discard_row"}], ids=str)
def test_a_model_validates_what_feeds_an_attribute_as_it_was_yielded(
    make: MakePipeline, emulator: Emulator, how: str, contract: Any
) -> None:
    emulator.attributes.add("Seats", "numeric")
    emulator.attributes.add("Tags", "text")
    rows = [customer(number, seats=3, tags=["a"]) for number in range(2)]
    resource = dlt.resource(rows, name="customers", columns=Strict, schema_contract=contract)

    found = load(
        make(), how, bunce_adapter(resource, attributes={"seats": "Seats", "tags": "Tags"})
    )

    assert found.created == 2
    assert emulator.attributes.values_of("c1") == {"Seats": "3", "Tags": '["a"]'}
