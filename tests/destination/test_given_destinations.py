"""A destination that is given to `pipeline.run()` counts like that of the pipeline."""

from __future__ import annotations

from pathlib import Path

import dlt
import pytest
from dlt.common.schema import Schema

from dlt_bunce import bunce, run_summary
from dlt_bunce.destination.folder.run_lock import owner_of
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import ConfigurationError

from .conftest import MakePipeline, customer

ROWS = [customer(1, customer_id=7), customer(2, customer_id="007")]


@pytest.mark.parametrize("first", [None, "dlt.destinations.dummy"])
def test_rows_into_a_destination_that_the_run_is_given_stay_as_they_were_written(
    emulator: Emulator, first: str | None
) -> None:
    pipeline = dlt.pipeline("crm", destination=first)
    destination = bunce("sk_test_marked", base_url=emulator.base_url, requests_per_minute=0)

    pipeline.run(ROWS, table_name="customers", destination=destination)

    assert run_summary(pipeline).created == 2
    assert set(emulator.customers) == {"7", "007"}


def test_a_dry_run_into_it_leaves_the_cursor_where_it_was(emulator: Emulator) -> None:
    @dlt.resource(name="customers")
    def rows(updated_at: dlt.sources.incremental[int] = dlt.sources.incremental("n")):  # type: ignore[no-untyped-def]  # noqa: ANN202
        yield [customer(1, n=1)]

    for dry_run in (True, False):
        destination = bunce(
            "sk_test_marked", base_url=emulator.base_url, requests_per_minute=0, dry_run=dry_run
        )
        dlt.pipeline("crm").run(rows(), destination=destination)

    assert set(emulator.customers) == {"c1"}


def test_a_run_that_is_given_another_destination_leaves_the_folder_to_others(
    make: MakePipeline,
) -> None:
    pipeline = make()
    other = dlt.destinations.dummy(completed_prob=1.0)

    pipeline.run([{"n": 1}], table_name="other", destination=other)

    assert not owner_of(Path(pipeline.working_dir)).is_run


def test_a_destination_of_another_name_asks_for_a_key_of_its_own() -> None:
    with pytest.raises(ConfigurationError, match="DESTINATION__SHOP__CREDENTIALS__API_KEY"):
        bunce(destination_name="shop").client(Schema("crm"))
