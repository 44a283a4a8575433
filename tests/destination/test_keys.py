"""A key that is null concerns its row alone: dlt makes columns of a key that must not be null."""

from __future__ import annotations

from typing import Any

import dlt
import pytest

from dlt_bunce.emulator import Emulator

from .conftest import Form, MakePipeline, customer
from .test_mappings import DOORS, load


@pytest.mark.parametrize("how", DOORS)
def test_a_row_without_its_key_is_rejected_and_the_others_arrive(
    make: MakePipeline, emulator: Emulator, how: str, form: Form
) -> None:
    rows: Any = form([customer(1), customer(2, customer_id=None)])
    data = dlt.resource(rows, name="customers", primary_key="customer_id")

    done = load(make(), how, "rows", data, customer_id="customer_id")

    assert (done.created, done.reject_codes) == (1, {"missing_customer_id": 1})
