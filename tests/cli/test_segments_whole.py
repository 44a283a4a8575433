"""Whole segments on the command line: shown by check, removed by load, guarded in both."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.permissions import forbidden

from dlt_bunce.emulator import Emulator

from .conftest import Done, Run

OPTIONS = ("--segment", "vip=VIP", "--segments-whole")


@pytest.fixture(autouse=True)
def _segment(emulator: Emulator) -> None:
    emulator.attributes.add_segment("VIP")


def write(count: int) -> None:
    """A file of so many members."""
    lines = ["id,email,first_name,last_name,phone,vip"]
    lines += [f"{n},c{n}@example.com,Ada,Obi,+2348031234{n:03d},yes" for n in range(count)]
    Path("customers.csv").write_text("\n".join(lines))


def load(run: Run, *options: str) -> Done:
    """What a load of the file printed."""
    return run("load", "customers.csv", *options, "--json")


def test_check_shows_who_would_be_removed_as_the_load_does(run: Run, emulator: Emulator) -> None:
    write(20)
    load(run, *OPTIONS)
    write(18)

    checked = run("check", "customers.csv", *OPTIONS, "--json").json
    told = run("check", "customers.csv", *OPTIONS)
    assert len(emulator.attributes.members_of("VIP")) == 20
    done = load(run, *OPTIONS).json

    assert [target["absent"] for target in checked["targets"]] == [2]
    assert "remove as absent" in told.output
    assert checked["summary"]["absent_members"] == {"read": 2, "written": 2}
    assert (done["absent_members"]["written"], len(emulator.attributes.members_of("VIP"))) == (
        2,
        18,
    )
    assert checked["cost"]["requests"] == done["requests"]


def test_a_file_that_lost_half_of_its_rows_ends_in_3_until_somebody_says_that_it_is_complete(
    run: Run, emulator: Emulator
) -> None:
    write(20)
    load(run, *OPTIONS)
    write(10)

    checked = run("check", "customers.csv", *OPTIONS, "--json").json
    kept = load(run, *OPTIONS)
    assert len(emulator.attributes.members_of("VIP")) == 20
    done = load(run, *OPTIONS, "--segments-min-share", "0")

    assert "segments_min_share" in checked["summary"]["over_thresholds"]
    assert (kept.code, kept.json["warnings"]) == (3, {"absent_members_kept": 10})
    assert "--segments-min-share 0" in kept.errors
    assert (done.code, done.json["absent_members"]["written"]) == (0, 10)


def test_who_is_in_a_folder_that_cannot_be_read_is_not_removed(
    run: Run, emulator: Emulator
) -> None:
    write(20)
    Path("exports/old").mkdir(parents=True)
    first, *rest = Path("customers.csv").read_text().splitlines()
    for file, lines in (("exports/new.csv", rest[:18]), ("exports/old/2026.csv", rest[18:])):
        Path(file).write_text("\n".join([first, *lines]))
    assert run("load", "exports", *OPTIONS).code == 0

    with forbidden(Path("exports/old")):
        done = run("load", "exports/**/*.csv", *OPTIONS)

    assert (done.code, done.output) == (2, "")
    assert f"{Path('exports/old').absolute()} cannot be read" in done.errors
    assert len(emulator.attributes.members_of("VIP")) == 20


def test_a_part_of_a_source_is_not_whole(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__BUNCE__SEGMENTS", '{"vip": "VIP"}')
    monkeypatch.setenv("DESTINATION__BUNCE__SEGMENTS_WHOLE", "true")
    write(20)
    assert load(run).code == 0

    limited = load(run, *OPTIONS, "--limit", "5")
    shard = load(run, "--shard", "1/2")
    # of a few rows the setting says nothing
    few = load(run, "--limit", "5")

    assert (limited.code, shard.code, few.code) == (2, 2, 0)
    assert "at most 5 rows are read" in " ".join(limited.errors.split())
    assert "only shard 1/2 is read" in " ".join(shard.errors.split())
    assert len(emulator.attributes.members_of("VIP")) == 20
