"""Attribute values of a corrected row are those that a load of its source would have sent."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timezone
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq

from dlt_bunce.cli.dead_letters.value_cells import value_cells
from dlt_bunce.emulator import Emulator
from dlt_bunce.records import rows
from dlt_bunce.records.values.recorded_targets import recorded
from dlt_bunce.records.values.targets import Target, Targets

from .conftest import Run, people
from .spreadsheets import exported, loads, save

MOMENT = datetime(2024, 1, 1, 10, 30, 0, 250_000, timezone.utc)
COLUMNS = {
    "aware": pa.scalar(MOMENT, pa.timestamp("us", "UTC")),
    "elsewhere": pa.scalar(MOMENT, pa.timestamp("us", "Europe/Berlin")),
    "naive": pa.scalar(MOMENT.replace(tzinfo=None), pa.timestamp("us")),
    "day": pa.scalar(date(2024, 1, 2)),
    "clock": pa.scalar(time(10, 30)),
    "exact": pa.scalar(Decimal("0.12345678901234567890"), pa.decimal128(30, 20)),
    "whole": pa.scalar(Decimal("12.00"), pa.decimal128(10, 2)),
    "double": pa.scalar(0.1 + 0.2),
    "single": pa.scalar(0.2, pa.float32()),
    "half": pa.scalar(0.1, pa.float32()).cast(pa.float16()),
    "large": pa.scalar(1e20),
    "small": pa.scalar(1e-7),
    "number": pa.scalar(2**60 + 1),
    "flag": pa.scalar(True),
    "text": pa.scalar("'Ọbí  x"),
    "digits": pa.scalar("007"),
    "nested": pa.scalar({"b": 1, "a": [1.5, 2.0], "c": None, "d": True}),
    "singles": pa.scalar([0.1], pa.list_(pa.float32())),
}

KINDS = {
    "aware": "timestamp",
    "day": "timestamp",
    "exact": "numeric",
    "single": "numeric",
    "small": "numeric",
    "number": "numeric",
}


def test_values_of_any_type_are_the_same_from_a_correction_as_from_a_load(
    run: Run, emulator: Emulator
) -> None:
    table = pa.Table.from_pylist([*people(1), *people(2, mobile="?")])
    typed = {f"{name}_{kind}": COLUMNS[name] for name, kind in KINDS.items()}
    for name, value in (COLUMNS | typed).items():
        table = table.append_column(name, pa.array([value.as_py()] * 2, value.type))
        emulator.attributes.add(name, name.rpartition("_")[2] if name in typed else "text")
    pq.write_table(table, "customers.parquet")
    attributes = [word for name in COLUMNS | typed for word in ("--attribute", f"{name}={name}")]
    run("load", "customers.parquet", *attributes)

    (row,) = exported(run)
    save([row | {"mobile": "'+2348100000002"}])
    done = loads(run, "--json")

    assert done.json["created"] == 1
    assert len(emulator.attributes.values_of("1")) == len(COLUMNS | typed)
    assert emulator.attributes.values_of("1") == emulator.attributes.values_of("2")


def test_dates_and_times_are_no_names_to_a_correction(run: Run, emulator: Emulator) -> None:
    table = pa.Table.from_pylist(people(1, first_name=MOMENT, born=date(2024, 1, 2)))
    pq.write_table(table, "customers.parquet")
    run("load", "customers.parquet")

    (row,) = exported(run)
    done = loads(run, "--json")

    assert (row["first_name"], row["born"]) == ("", "'2024-01-02")
    assert (done.json["created"], emulator.customers) == (0, {})


def test_a_value_that_does_not_fit_its_column_changes_no_other_letters_values() -> None:
    schema = pa.schema({"score": pa.float32()})
    targets = Targets((Target("attributes", "score", "Score", "1", "numeric", 0),))
    record = json.dumps(recorded(targets, schema))
    about = {"read_run_id": None, "run_id": "1", "pipeline_name": "crm", "table_name": "people"}
    stored = ({"score": 0.20000000298023224}, {"score": "high"})
    page = [about | {"source_row": rows.encode(row)} for row in stored]

    cells = value_cells(page, lambda *_: record)

    assert cells == [{"score": "0.2"}, {}]
