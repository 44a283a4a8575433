"""Versions keep their scale beside what the ledger has, whichever pipeline or file brings them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.cli.conftest import Run, run, write

from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import MappingError, bunce_error

from .conftest import MakePipeline
from .test_mappings import DOORS, KINDS, load
from .test_updates import bulk
from .test_versions import SECONDS, versioned

MILLISECONDS = SECONDS * 1000
__all__ = ["run"]


@pytest.mark.parametrize("how", DOORS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("before", "after"), [(MILLISECONDS, SECONDS + 60), (9_000_000, 3), (MILLISECONDS, -5)]
)
def test_another_pipeline_does_not_make_every_row_look_older(
    make: MakePipeline, emulator: Emulator, how: str, kind: str, before: int, after: int
) -> None:
    load(make("crm"), how, kind, versioned(before), version="changed")
    sent = len(bulk(emulator))
    rows = [*versioned(after, first_name="New"), *versioned(after, 3)]

    for _ in range(2):
        with pytest.raises(Exception, match="for the same customers") as caught:
            load(make("shop"), how, kind, rows, version="changed")

    error = bunce_error(caught.value)
    assert isinstance(error, MappingError)
    assert "dlt-bunce account forget-versions" in error.remedy
    assert sent == len(bulk(emulator))


@pytest.mark.parametrize("how", DOORS)
@pytest.mark.parametrize("after", [0, -86_400])
def test_times_that_become_nothing_are_refused(
    make: MakePipeline, emulator: Emulator, how: str, after: int
) -> None:
    load(make(), how, "arrow", versioned(SECONDS), version="changed")

    with pytest.raises(Exception, match="'changed' held seconds") as caught:
        load(make(), how, "arrow", versioned(after, 3, 4), version="changed")

    assert isinstance(bunce_error(caught.value), MappingError)
    assert emulator.customers.keys() == {"c1", "c2"}


@pytest.mark.parametrize(
    "rows",
    [
        versioned(3, 1, first_name="Old"),
        [*versioned(3, 1, first_name="Old"), *versioned(9_000_001, 2, 3)],
        versioned(40_000, 1, 2, first_name="Old"),
    ],
    ids=["one customer made anew", "a few placeholders", "an old file"],
)
def test_rows_that_are_only_older_are_superseded(
    make: MakePipeline, emulator: Emulator, rows: list[dict[str, Any]]
) -> None:
    load(make(), "flush_and_run", "arrow", versioned(9_000_000), version="changed")

    done = load(make("other"), "flush_and_run", "arrow", rows, version="changed")

    assert done.superseded == sum(row["first_name"] == "Old" for row in rows)


def test_a_file_in_another_unit_is_refused_by_the_command_and_by_its_dry_run(
    run: Run, emulator: Emulator
) -> None:
    options = "--version-column", "changed"
    write(versioned(MILLISECONDS), "a.parquet")
    write(versioned(SECONDS + 60, first_name="New"), "b.parquet")
    assert run("load", "a.parquet", *options).code == 0

    rehearsed = run("load", "b.parquet", *options, "--dry-run")
    refused = run("load", "b.parquet", *options)
    assert run("account", "forget-versions").code == 0
    done = run("load", "b.parquet", *options, "--json")

    assert (rehearsed.code, refused.code) == (2, 2), rehearsed.output
    told = " ".join(refused.errors.split())
    assert "for the same customers, so 2 of the first 2 rows would count as older" in told
    assert done.json["updated"] == 2


def test_the_file_of_another_day_is_in_the_unit_of_the_last(run: Run, emulator: Emulator) -> None:
    options = "--version-column", "changed"
    write(versioned(MILLISECONDS), "a-monday.parquet")
    write(versioned(SECONDS + 60, 3, 4), "a-tuesday.parquet")
    assert run("load", "a-monday.parquet", *options).code == 0

    refused = run("load", "a-tuesday.parquet", *options)

    assert refused.code == 2
    assert "held milliseconds since 1970 in the last run" in refused.errors
