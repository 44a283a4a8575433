"""What pyproject.toml declares: every import is declared, and nothing that is not imported."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from tests.test_structure import SOURCES, imports

ROOT = Path(__file__).parent.parent
# loaded by another package: by SQLAlchemy and by fsspec
BY_OTHERS = {"pymysql", "s3fs"}
# they are there where the plugin and the integrations are used
NOT_OURS = {"airflow", "dagster", "pytest"}


def normal(name: str) -> str:
    """Return the name of a distribution as indexes compare it."""
    return name.lower().replace("_", "-").replace(".", "-")


def test_what_is_imported_is_declared_and_the_other_way_around() -> None:
    declared = {normal(Requirement(text).name) for text in requires("dlt-bunce") or ()}
    where = packages_distributions()
    modules = {name.partition(".")[0] for source in SOURCES.values() for name in imports(source)}
    outside = modules - sys.stdlib_module_names - {"dlt_bunce", "__future__"}
    # several distributions may share a module, as those of OpenTelemetry do
    from_where = {module: {*map(normal, where.get(module, ()))} for module in outside}
    used = {name for names in from_where.values() for name in names}

    assert {module for module, names in from_where.items() if not names & declared} == NOT_OURS
    assert declared - used == BY_OTHERS


def test_versions_are_lower_bounds() -> None:
    wanted = [Requirement(text) for text in requires("dlt-bunce") or ()]

    assert {one.name: {s.operator for s in one.specifier} for one in wanted} == {
        one.name: {">="} for one in wanted
    }


def test_running_on_none_of_the_claimed_pythons_is_a_failure(tmp_path: Path) -> None:
    for program in ("dirname", "sed", "grep", "tail"):
        (tmp_path / program).symlink_to(str(shutil.which(program)))

    done = subprocess.run(
        [str(shutil.which("bash")), ROOT / "tests" / "pythons" / "run.sh"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "No Python that pyproject.toml claims is here."
