"""Versions whose kind changes within a load: they decide nothing, wherever in it they are."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dlt_bunce.emulator import Emulator
from dlt_bunce.load.chunks import CHUNK_ROWS

from .conftest import MakePipeline, customer, letters
from .test_mappings import DOORS, load

LATELY = datetime(2026, 1, 5, 9, 30, tzinfo=timezone.utc)
SECONDS = int(LATELY.timestamp())
# how versions are written in the first chunk, and from then on, an hour later
CHANGES = {
    "milliseconds, then seconds": ("arrow", SECONDS * 1000, SECONDS + 3600),
    "timestamps, then numbers": ("arrow", LATELY.isoformat(), str(SECONDS + 3600)),
    "seconds, then microseconds": ("dicts", SECONDS, (SECONDS + 3600) * 10**6),
    "timestamps, then words": ("arrow", LATELY.isoformat(), "an hour later"),
}


@pytest.mark.parametrize("how", DOORS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_kind_that_changes_after_the_first_chunk_decides_nothing(
    make: MakePipeline, emulator: Emulator, change: str, how: str
) -> None:
    kind, version, later = CHANGES[change]
    load(make(), how, kind, [customer(n, changed=version) for n in (1, 2)], version="changed")
    rows = [
        *(customer(3, changed=version) for _ in range(CHUNK_ROWS)),
        customer(1, changed=later, first_name="Later"),
        customer(3, changed=later, first_name="Later"),
        customer(4, changed=later),
    ]

    found = load(make(), how, kind, rows, version="changed")

    assert found.reject_codes == {"invalid_version": 3}
    assert (found.created, found.superseded) == (1, CHUNK_ROWS - 1)
    assert set(emulator.customers) == {"c1", "c2", "c3"}
    assert {sent["first_name"] for sent in emulator.customers.values()} == {"Ada"}
    assert letters() == [(f"c{n}", "invalid_version", "open") for n in (1, 3, 4)]


@pytest.mark.parametrize("loader_file_format", ["parquet", "jsonl"])
def test_a_file_of_another_kind_decides_nothing(
    make: MakePipeline,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    loader_file_format: str,
) -> None:
    for name in ("DATA_WRITER__FILE_MAX_ITEMS", "NORMALIZE__DATA_WRITER__FILE_MAX_ITEMS"):
        monkeypatch.setenv(name, "10")
    rows = [customer(n, changed=SECONDS * 1000) for n in range(30)]
    rows += [customer(n, changed=SECONDS + 60, first_name="Later") for n in range(25, 35)]

    make().run(
        rows,
        table_name="customers",
        write_disposition="merge",
        loader_file_format=loader_file_format,
        columns={"changed": {"data_type": "bigint"}},
    )
    again = load(make(), "flush_and_run", "dicts", rows, version="changed")

    assert again.reject_codes == {"invalid_version": 10}
    assert again.created + again.updated + again.unchanged + again.superseded == 30


def test_a_row_whose_version_is_corrected_arrives_and_closes_its_letter(
    make: MakePipeline, emulator: Emulator
) -> None:
    def load_with(version: int) -> Any:
        rows = [customer(n, changed=SECONDS * 1000) for n in (1, 2)]
        rows.append(customer(3, changed=version))
        return load(make(), "flush_and_run", "dicts", rows, version="changed")

    rejected = load_with(SECONDS)
    open_still = letters()
    corrected = load_with(SECONDS * 1000)

    assert rejected.reject_codes == {"invalid_version": 1}
    assert open_still == [("c3", "invalid_version", "open")]
    assert corrected.created == 1
    assert letters() == [("c3", "invalid_version", "resolved")]


def test_times_that_stand_for_nothing_are_times(make: MakePipeline, emulator: Emulator) -> None:
    times = [LATELY, datetime(1970, 1, 1, 1, tzinfo=timezone.utc), LATELY + timedelta(days=1)]
    rows = [customer(n, changed=time) for n, time in enumerate(times)]

    assert load(make(), "flush_and_run", "arrow", rows, version="changed").created == 3
