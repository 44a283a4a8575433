"""What the command line and the shipped pipelines run: pending first, mistakes early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dlt
import pyarrow as pa
import pytest

from dlt_bunce import bunce, bunce_adapter
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.errors import (
    BunceError,
    CredentialsError,
    DispositionError,
    MappingError,
    UnavailableError,
)
from dlt_bunce.running import flush_and_run


def customers(*numbers: int, **changes: Any) -> pa.Table:
    """Good customers as an Arrow table."""
    return pa.Table.from_pylist(
        [
            {
                "id": n,
                "email": f"c{n}@example.com",
                "first_name": "Ada",
                "last_name": "Obi",
                "phone_no": f"+23481{n:08d}",
            }
            | changes
            for n in numbers
        ]
    )


@pytest.fixture
def make(emulator: Emulator) -> Callable[..., dlt.Pipeline]:
    """Makes a pipeline into the emulator."""

    def make(**settings: Any) -> dlt.Pipeline:
        settings = {"credentials": "sk_test_x", "base_url": emulator.base_url} | settings
        return dlt.pipeline("crm", destination=bunce(requests_per_minute=0, **settings))

    return make


def resource(*tables: pa.Table, extracted: list[pa.Table] | None = None) -> Any:
    """A resource of tables; `extracted` collects what dlt has pulled."""

    @dlt.resource(name="customers")
    def customers() -> Any:
        for table in tables:
            if extracted is not None:
                extracted.append(table)
            yield table

    return bunce_adapter(customers())


def fails(kind: type[BunceError], pipeline: dlt.Pipeline, data: Any, **options: Any) -> None:
    """The run raises our own error, without dlt's wrapping."""
    with pytest.raises(kind):
        flush_and_run(pipeline, data, **options)


def test_a_wrong_mapping_leaves_nothing_behind_that_blocks_the_corrected_run(
    make: Callable[..., dlt.Pipeline], emulator: Emulator
) -> None:
    fails(MappingError, make(mapping={"email": "mail"}), resource(customers(1)))

    summary = flush_and_run(make(), resource(customers(2)))

    assert (1, 1) == (summary.read, summary.created)
    assert ["2"] == list(emulator.customers)


@pytest.mark.parametrize(
    ("kind", "behavior", "settings", "options"),
    [
        (CredentialsError, Behavior(rate_limit=0, api_keys=("other",)), {}, {}),
        (UnavailableError, Behavior(rate_limit=0), {"base_url": "http://127.0.0.1:9/v1"}, {}),
        (DispositionError, Behavior(rate_limit=0), {}, {"write_disposition": "replace"}),
    ],
)
def test_what_is_wrong_from_the_start_stops_before_a_row_is_extracted(
    make: Callable[..., dlt.Pipeline],
    emulator: Emulator,
    kind: type[BunceError],
    behavior: Behavior,
    settings: dict[str, Any],
    options: dict[str, Any],
) -> None:
    emulator.behavior = behavior
    extracted: list[pa.Table] = []
    pipeline = make(**settings)

    fails(kind, pipeline, resource(customers(1), extracted=extracted), **options)

    assert [] == extracted
    assert not pipeline.has_pending_data


def test_pending_rows_are_loaded_first_and_the_new_ones_too(
    make: Callable[..., dlt.Pipeline], emulator: Emulator
) -> None:
    pipeline = make()
    pipeline.extract(resource(customers(1)))
    assert pipeline.has_pending_data

    summary = flush_and_run(make(), resource(customers(2, 3)))

    assert (3, 3) == (summary.read, summary.created)
    assert {"1", "2", "3"} == set(emulator.customers)
