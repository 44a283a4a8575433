"""Settings that stand outside of the destination's section, or have more than their value."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.conftest import Run, people, write

from dlt_bunce import bunce
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import ConfigurationError

OUTSIDE = {
    "ACCOUNT": "other",
    "BASE_URL": "https://shop.example.com/v1",
    "DESTINATION__DRY_RUN": "true",
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_variable_of_another_program_is_no_setting(
    base: str, emulator: Emulator, dlt_bunce: Run, name: str
) -> None:
    file = write(people(1))

    done = dlt_bunce("load", file, **{name: OUTSIDE[name]})
    read = dlt_bunce("status", **{name: OUTSIDE[name]})

    setting = name.rpartition("__")[2]
    assert (done.code, dict(emulator.customers)) == (2, {})
    assert (read.code, read.errors) == (done.code, done.errors)
    assert f"The environment variable {name} is outside of the section" in done.errors
    assert f"set DESTINATION__BUNCE__{setting} to the value to use" in done.errors


def test_a_variable_of_another_program_is_left_alone_once_the_setting_is_set(
    base: str, emulator: Emulator, dlt_bunce: Run
) -> None:
    done = dlt_bunce(
        "load", write(people(1)), "--json", ACCOUNT="other", DESTINATION__BUNCE__ACCOUNT="shop"
    )

    assert (done.code, done.json["created"]) == (0, 1)
    assert dlt_bunce("status", "--json").json["account"] == "shop"


@pytest.mark.parametrize("before", ["", "[destination]\n"])
def test_a_line_outside_of_the_section_is_refused(
    base: str, emulator: Emulator, dlt_bunce: Run, before: str
) -> None:
    Path("config.toml").write_text(f"{before}dry_run = true\n{base}")
    file = write(people(1))

    beside = dlt_bunce("load", file)
    read = dlt_bunce("status")
    Path("config.toml").write_text(f"{before}dry_run = true\n")
    alone = dlt_bunce("load", file, DESTINATION__BUNCE__BASE_URL=emulator.base_url)

    assert (beside.code, alone.code, dict(emulator.customers)) == (2, 2, {})
    assert "dry_run in [destination.bunce]" in alone.errors
    assert beside.errors == alone.errors == read.errors


@pytest.mark.parametrize("value", ["", " ", '"shop"', "'shop'", "shop\n", " shop"])
def test_text_with_more_than_its_value_is_refused(
    base: str, emulator: Emulator, dlt_bunce: Run, value: str
) -> None:
    done = dlt_bunce("load", write(people(1)), DESTINATION__BUNCE__ACCOUNT=value)

    assert (done.code, dict(emulator.customers)) == (2, {})
    assert done.errors.startswith("Error: account ")


def test_text_that_may_hold_a_password_is_not_shown() -> None:
    store_url = "'postgresql://loader:secret@db/crm'"

    with pytest.raises(ConfigurationError, match="store_url has quotes") as raised:
        bunce("sk_test_x", store_url=store_url).configuration(None)

    assert "secret" not in str(raised.value)
