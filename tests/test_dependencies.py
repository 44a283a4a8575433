"""What pyproject.toml declares: every import is declared, and nothing that is not imported."""

from __future__ import annotations

import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from tests.test_structure import SOURCES, imports

ROOT = Path(__file__).parent.parent
# loaded by another package: by SQLAlchemy, by fsspec, and by starlette for forms
BY_OTHERS = {"pymysql", "s3fs", "python-multipart"}
# pytest is there where the plugin is used
NOT_OURS = {"pytest"}


def normal(name: str) -> str:
    """Return the name of a distribution as indexes compare it."""
    return name.lower().replace("_", "-").replace(".", "-")


def test_what_is_imported_is_declared_and_the_other_way_around() -> None:
    declared = {normal(Requirement(text).name) for text in requires("dlt-bunce") or ()}
    where = packages_distributions()
    modules = {name.partition(".")[0] for source in SOURCES.values() for name in imports(source)}
    outside = modules - sys.stdlib_module_names - {"dlt_bunce", "__future__"}
    used = {normal(where[module][0]) for module in outside if module in where}

    assert {module for module in outside if module not in where} == set()
    assert used - NOT_OURS - declared == set()
    assert declared - used == BY_OTHERS


def test_versions_are_lower_bounds() -> None:
    wanted = [Requirement(text) for text in requires("dlt-bunce") or ()]

    assert {one.name: {s.operator for s in one.specifier} for one in wanted} == {
        one.name: {">="} for one in wanted
    }
