"""config.toml documents every setting of the destination, with its default."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from dlt_bunce.destination.settings.configuration import BunceConfiguration

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CONFIG = Path(__file__).parent.parent.parent / "config.toml"
# fields of every dlt destination, and the secret
NOT_SETTINGS = {"destination_type", "credentials", "destination_name", "environment"}


def uncommented() -> dict[str, Any]:
    """Parse the file with its commented settings enabled."""
    text = re.sub(r"^# (\w+ = )", r"\1", CONFIG.read_text(), flags=re.MULTILINE)
    return tomllib.loads(text)


def test_config_toml_lists_exactly_the_settings_of_the_destination() -> None:
    names = {field.name for field in dataclasses.fields(BunceConfiguration)}
    known = {name for name in names - NOT_SETTINGS if not name.startswith("__")}

    assert known == set(uncommented()["destination"]["bunce"])


def test_config_toml_shows_the_defaults() -> None:
    shown = tomllib.loads(CONFIG.read_text())["destination"]["bunce"]
    defaults = {field.name: field.default for field in dataclasses.fields(BunceConfiguration)}

    for name, value in shown.items():
        assert (defaults[name] or {}) == (value or {}), name


def test_config_toml_contains_no_secret() -> None:
    assert "credentials" not in CONFIG.read_text().replace("secrets.toml", "")


@pytest.mark.parametrize("name", ["parquet", "postgres", "warehouse"])
def test_each_pipeline_has_an_empty_section(name: str) -> None:
    assert tomllib.loads(CONFIG.read_text())["pipelines"][name] == {}
