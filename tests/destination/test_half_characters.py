"""Halves of characters (lone surrogates) in rows in dicts: no text, and no reason to stop."""

from __future__ import annotations

from enum import Enum
from functools import partial
from typing import Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from dlt_bunce import bunce_adapter, flush_and_run
from dlt_bunce.emulator import Emulator
from dlt_bunce.failures import failure_of
from dlt_bunce.model import RunSummary

from .attribute_runs import fates, prepare, rejected_values
from .conftest import MakePipeline, customer, letters

HALF = "gold \ud83d"


class Plan(Enum):
    """As a model of an application has it."""

    ODD = HALF


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)


def load(pipeline: Any, rows: list[dict[str, Any]]) -> RunSummary:
    adapted = bunce_adapter(rows, attributes={"plan": "Plan"})
    return flush_and_run(pipeline, adapted, table_name="customers")


@pytest.mark.parametrize("odd", [HALF, Plan.ODD])
def test_a_value_with_half_a_character_is_rejected_and_holds_nobody_back(
    make: MakePipeline, emulator: Emulator, odd: Any
) -> None:
    rows = [customer(1, plan=odd), customer(2, plan="gold"), customer(3, plan={"a": HALF})]

    done = load(make(), rows)

    assert (done.created, fates(done)) == (3, {"written": 2, "rejected": 1})
    assert rejected_values() == [("c1", "Plan", "invalid_text")]


@pytest.mark.parametrize("how", ["flush_and_run", "run"])
def test_rows_that_no_adapter_has_seen_fail_with_the_remedy(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    rows = [customer(1, last_name=HALF), customer(2)]
    run = make().run if how == "run" else partial(flush_and_run, make())
    with pytest.raises(PipelineStepFailed) as caught:
        run(rows, table_name="customers", write_disposition="merge")
    told = failure_of(caught.value)

    run(bunce_adapter(rows), table_name="customers")

    assert told.error == (
        "Text has half a character (a lone surrogate, such as \\ud83d), which dlt cannot write."
    )
    assert told.remedy == (
        "Pass the rows as bunce_adapter(rows): then only the rows that have one are rejected."
    )
    assert set(emulator.customers) == {"c2"}
    assert letters("customer_id, code, field") == [("c1", "invalid_last_name", "last_name")]


OWN = ("customer_id", "email", "first_name", "last_name", "phone_no")


@pytest.mark.parametrize("place", [*OWN, "devices", "other"])
def test_a_field_with_half_a_character_concerns_its_row_alone(
    make: MakePipeline, emulator: Emulator, place: str
) -> None:
    token = [{"device_type": "ios", "device_token": HALF}]
    odd: Any = token if place == "devices" else {"a": [HALF]} if place == "other" else HALF

    done = load(make(), [customer(1) | {place: odd}, customer(2, plan="gold")])

    assert (done.created, done.rejected) == ((1, 1) if place in OWN else (2, 0))
    assert [field for (field,) in letters("field")] == ([place] if place in OWN else [])
    # a device that is incomplete is left out
    assert all(not known.get("devices") for known in emulator.customers.values())
