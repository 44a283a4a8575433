"""Attributes whose column has no values yet: `check` tells, and no load creates them too early."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlt_bunce.emulator import Emulator

from .conftest import Run

MOMENT = datetime(2026, 1, 1, tzinfo=timezone.utc)
WORDS = ("people.parquet", "--attribute", "paid=Last payment")


@pytest.mark.parametrize("kind", [pa.null(), pa.timestamp("us", "UTC")], ids=["null", "typed"])
def test_an_attribute_is_created_once_its_type_is_known(
    run: Run, emulator: Emulator, kind: pa.DataType
) -> None:
    Path("config.toml").write_text("[destination.bunce]\ncreate_attributes = true\n")

    def write(value: datetime | None, kind: pa.DataType) -> None:
        person = {"customer_id": ["1"], "email": ["a@example.com"], "phone_no": ["+2348031234560"]}
        names = {"first_name": ["Ada"], "last_name": ["Obi"]}
        pq.write_table(pa.table(person | names | {"paid": pa.array([value], kind)}), WORDS[0])

    write(None, kind)
    shown = run("check", *WORDS)
    (told,) = run("check", *WORDS, "--json").json["targets"]
    first = run("load", *WORDS, "--json").json
    made = [attribute["data_type"] for attribute in emulator.attributes.attributes]
    write(MOMENT, pa.timestamp("us", "UTC"))
    second = run("load", *WORDS, "--json").json

    is_known = kind != pa.null()
    assert told["data_type"] == ("timestamp" if is_known else "unknown")
    assert told["state"] == ("to_create" if is_known else "no_values")
    assert ("will be created once there is a value" in " ".join(shown.output.split())) != is_known
    assert made == (["timestamp"] if is_known else [])
    assert (first["attributes"]["blank"], second["attributes"]["written"]) == (1, 1)
    assert [a["data_type"] for a in emulator.attributes.attributes] == ["timestamp"]
    assert emulator.attributes.values_of("1") == {"Last payment": "2026-01-01T00:00:00Z"}
