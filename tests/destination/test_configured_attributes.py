"""Attributes that only the configuration names: rows in dicts give the same text as with hints."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import dlt
import pytest

from dlt_bunce import bunce_adapter, flush_and_run, run_summary
from dlt_bunce.emulator import Emulator

from .conftest import MakePipeline, customer

NAMES = {name: name.capitalize() for name in ("code", "amount", "flag", "paid", "day", "note")}
TYPES = {"amount": "numeric", "paid": "timestamp", "day": "timestamp"}
LAGOS = timezone(timedelta(hours=1))
ROWS = [
    {
        "code": "007",
        "amount": 0.1,
        "flag": True,
        "paid": datetime(2024, 1, 1, 10, tzinfo=LAGOS),
        "day": date(2024, 2, 29),
        "note": Decimal("1.10"),
    },
    {
        "code": 7,
        "amount": Decimal("12345678901234567890.10"),
        "flag": "yes",
        "paid": "2024-01-01 10:00:00+01:00",
        "day": "2024-02-29",
        "note": 1e22,
    },
    {
        "code": None,
        "amount": 10**18,
        "flag": False,
        "paid": datetime(2024, 1, 1, 10),  # noqa: DTZ001, a naive one
        "day": None,
        "note": {"a": [1, "b"]},
    },
]
EXPECTED = [
    {
        "Code": "007",
        "Amount": "0.1",
        "Flag": "true",
        "Paid": "2024-01-01T09:00:00Z",
        "Day": "2024-02-29T00:00:00Z",
        "Note": "1.1",
    },
    {
        "Code": "7",
        "Amount": "12345678901234567890.1",
        "Flag": "yes",
        "Paid": "2024-01-01T09:00:00Z",
        "Day": "2024-02-29T00:00:00Z",
        "Note": "1" + 22 * "0",
    },
    {"Amount": "1" + 18 * "0", "Flag": "false", "Note": '{"a":[1,"b"]}'},
]


def _plain(pipeline: dlt.Pipeline, rows: list[dict[str, Any]]) -> None:
    pipeline.run(rows, table_name="customers", write_disposition="merge")


def _resource(pipeline: dlt.Pipeline, rows: list[dict[str, Any]]) -> None:
    pipeline.run(dlt.resource(iter(rows), name="customers", write_disposition="merge"))


def _adapted(pipeline: dlt.Pipeline, rows: list[dict[str, Any]]) -> None:
    pipeline.run(bunce_adapter(rows), table_name="customers")


def _flushed(pipeline: dlt.Pipeline, rows: list[dict[str, Any]]) -> None:
    flush_and_run(pipeline, dlt.resource(rows, name="customers", write_disposition="merge"))


def _flushed_list(pipeline: dlt.Pipeline, rows: list[dict[str, Any]]) -> None:
    flush_and_run(pipeline, rows, table_name="customers")


@pytest.mark.parametrize("load", [_plain, _resource, _adapted, _flushed, _flushed_list])
@pytest.mark.parametrize("every", [False, True], ids=["named", "every column"])
def test_values_of_dicts_arrive_as_they_were_written(
    make: MakePipeline,
    emulator: Emulator,
    load: Callable[[dlt.Pipeline, list[dict[str, Any]]], None],
    every: bool,
) -> None:
    names = {name: name for name in NAMES} if every else NAMES
    for column, name in names.items():
        emulator.attributes.add(name, TYPES.get(column, "text"))
    emulator.attributes.add_segment("VIP")
    rows = [
        customer(number, **row, vip=vip)
        for number, (row, vip) in enumerate(zip(ROWS, (True, "no", 1), strict=True))
    ]
    pipeline = make(attributes="*" if every else names, segments={"vip": "VIP"})

    load(pipeline, rows)
    done = run_summary(pipeline)

    found = [emulator.attributes.values_of(f"c{number}") for number in range(3)]
    assert found == [
        {names[name.lower()]: value for name, value in row.items()} for row in EXPECTED
    ]
    assert emulator.attributes.members_of("VIP") == {"c0", "c2"}
    assert {fate: n for fate, n in done.attributes.items() if n} == {
        "read": 18,
        "written": 15,
        "blank": 2,
        # a timestamp without a time zone would be skipped
        "rejected": 1,
    }
    assert done.created == 3


@pytest.mark.parametrize("load", [_plain, _resource, _adapted, _flushed])
@pytest.mark.parametrize("files", [1, 3])
def test_attributes_are_created_with_the_type_of_their_values(
    make: MakePipeline,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    load: Callable[[dlt.Pipeline, list[dict[str, Any]]], None],
    files: int,
) -> None:
    if files > 1:
        monkeypatch.setenv("DATA_WRITER__FILE_MAX_ITEMS", "1")
        monkeypatch.setenv("DATA_WRITER__BUFFER_MAX_ITEMS", "1")
    names = {name: name.upper() for name in ("spent", "seen", "tier", "vip", "none")}
    rows = [
        customer(1, spent=None, seen=date(2024, 2, 29), tier=1, vip=True, none=None),
        customer(2, spent=Decimal("0.10"), seen=None, tier=2, vip=False, none=None),
        customer(3, spent=7, seen=datetime(2024, 1, 1, tzinfo=LAGOS), tier="x", vip=True),
    ]
    pipeline = make(attributes=names, create_attributes=True)

    load(pipeline, rows)

    assert pipeline.last_trace is not None
    metrics = pipeline.last_trace.last_extract_info.metrics
    written = [name for each in metrics.values() for name in each[0]["job_metrics"]]
    assert len([name for name in written if name.startswith("customers.")]) == files
    made = {a["name"]: a["data_type"] for a in emulator.attributes.attributes}
    assert made == {
        "SPENT": "numeric",
        "SEEN": "timestamp",
        "TIER": "text",
        "VIP": "text",
    }
    assert emulator.attributes.values_of("c2") == {"SPENT": "0.1", "TIER": "2", "VIP": "false"}


def test_types_that_an_adapter_has_seen_stay_beside_configured_segments(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.attributes.add_segment("VIP")
    pipeline = make(create_attributes=True, segments={"vip": "VIP"})

    pipeline.run(
        bunce_adapter([customer(1, spent=7, vip=True)], attributes={"spent": "Spent"}),
        table_name="customers",
    )

    made = {a["name"]: a["data_type"] for a in emulator.attributes.attributes}
    assert made == {"Spent": "numeric"}
    assert emulator.attributes.members_of("VIP") == {"c1"}
