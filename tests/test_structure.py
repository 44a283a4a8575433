"""The shape of the package: who may import whom, what is public, what loads late."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import dlt_bunce

PACKAGE = Path(dlt_bunce.__file__).parent
ROOT = PACKAGE.parent.parent

# which parts of the package each part may import; a part always may import itself
ALLOWED = {
    "errors": set(),
    "thresholds": set(),
    "model": {"errors", "thresholds"},
    "logs": set(),
    "run_warnings": set(),
    "version_check": {"records", "store"},
    "records": {"errors", "model"},
    "store": {"errors", "model"},
    "api": {"errors", "model", "logs"},
    "emulator": set(),
    "configuration_checks": {"errors"},
    "delivery": {"errors", "api"},
    "parquet": {"errors"},
    "held": {"records", "api", "delivery"},
    "accounting": {"errors"},
    "on_the_way": set(),
    "refusals": {"records", "store", "api"},
    "corrections": {"records", "store"},
    "budget": {"logs", "store", "api"},
    "lease": {"errors", "logs", "store", "repeating"},
    "repeating": set(),
    "progress": {"repeating"},
    "hooks": {"errors", "model", "logs"},
    "telemetry": {"model", "logs", "store", "api"},
    "chunks": {"records"},
    "claiming": {"chunks", "corrections", "refusals", "store", "version_check"},
    "load": {
        "chunks",
        "claiming",
        "progress",
        "errors",
        "model",
        "logs",
        "records",
        "store",
        "api",
        "delivery",
        "held",
        "on_the_way",
        "accounting",
        "lease",
        "refusals",
        "corrections",
        "version_check",
    },
    "forecast": {"model", "records", "api", "preview", "run_warnings"},
    "preview": {
        "chunks",
        "claiming",
        "errors",
        "model",
        "records",
        "store",
        "api",
        "load",
        "progress",
        "refusals",
        "corrections",
        "version_check",
    },
    "workbench": {"model", "records", "store", "client", "replay"},
}
KNOW_DLT = {
    "diagnosis",  # looks at the client of a pipeline
    "adapter",
    "alerts",  # where a run ends
    "cli",
    "client",
    "config_file",
    "configuration",
    "data_at_rest",  # dlt's packages
    "destinations",
    "folder_locks",  # where one of dlt's traces begins
    "job",
    "left_overs",  # dlt's packages
    "letters",
    "likely_versions",  # the columns of a schema
    "load_files",  # dlt's packages
    "mapped_rows",  # a step of a resource
    "plain_runs",  # dlt's packages
    "logs",  # follows dlt's log level
    "running",
    "sources",
    "state",
    "summary",
    "table_checks",  # what dlt says of a table
    "table_mapping",
    "erasure",  # rows that dlt's packages hold
    "working_folder",
}


def imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names if node.module == "dlt_bunce" else {node.module}
    return found


def part(path: Path) -> str:
    """The part of the package that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    own = part(path)
    used = {name.split(".")[1] for name in imports(path) if name.startswith("dlt_bunce.")}

    assert not (used - {own}) - ALLOWED.get(own, used)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_edge_knows_dlt(path: Path) -> None:
    knows = any(name == "dlt" or name.startswith("dlt.") for name in imports(path))

    assert not knows or part(path) in KNOW_DLT


def test_the_records_do_no_input_output() -> None:
    outside = {"os", "time", "logging", "socket", "requests", "datetime.now", "structlog"}
    used = {name.split(".")[0] for f in (PACKAGE / "records").rglob("*.py") for name in imports(f)}

    assert set() == used & outside


def test_the_public_names() -> None:
    expected = [
        "BunceError",
        "RunSummary",
        "bunce",
        "bunce_adapter",
        "dead_letters",
        "flush_and_run",
        "run_summary",
    ]

    assert expected == dlt_bunce.__all__ == sorted(dlt_bunce.__all__)
    assert all(getattr(dlt_bunce, name) is not None for name in expected)
    with pytest.raises(AttributeError, match="nothing"):
        dlt_bunce.nothing  # noqa: B018


@pytest.mark.parametrize("module", ["dlt_bunce", "dlt_bunce.__plugins__", "dlt, dlt_bunce"])
def test_importing_the_package_loads_nothing_heavy(module: str) -> None:
    heavy = (
        "{'requests', 'pyarrow', 'adbc_driver_manager', 'phonenumbers', 'structlog',"
        " 'opentelemetry'}"
    )
    code = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]" == done.stdout.strip()


def test_the_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()


def test_no_file_names_a_machine_or_a_registry() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", ":!*.png"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    hosts = ("py" + "pi.org", "python" + "hosted.org", "/ro" + "ot/", "/wo" + "rk/")

    named = [name for name in tracked if any(h in (ROOT / name).read_text("utf-8") for h in hosts)]

    assert [] == named
