"""The shape of the package: who may import whom, what is public, what loads late."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import dlt_bunce

PACKAGE = Path(dlt_bunce.__file__).parent
ROOT = PACKAGE.parent.parent

# which rooms each room may import; a room may import itself
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "thresholds": set(),
    "run_warnings": set(),
    "logs": set(),
    "emulator": set(),
    "model": {"errors", "thresholds"},
    "records": {"errors", "model"},
    "store": {"errors", "model"},
    "api": {"errors", "logs", "model"},
    "telemetry": {"api", "logs", "model"},
    "settlement": {"api", "errors", "logs", "model"},
    "load": {"api", "errors", "logs", "model", "records", "settlement", "store"},
    "destination": {"api", "errors", "load", "logs", "model", "records", "store", "telemetry"}
    | {"thresholds"},
    "destinations": {"destination"},  # dlt looks for it by this name
    "sources": {"destination", "errors", "load", "records", "store"},
    "erasure": {"destination", "errors", "load", "logs", "records", "store"},
    "operations": {"api", "destination", "errors", "load", "logs", "model", "records", "store"}
    | {"run_warnings", "telemetry"},
    "workbench": {"destination", "model", "operations", "records", "store"},
    "cli": {"destination", "emulator", "erasure", "errors", "load", "logs", "model", "operations"}
    | {"records", "run_warnings", "sources", "store", "workbench"},
}
KNOW_DLT = {"cli", "destination", "erasure", "logs", "operations", "sources"}
PURE = {"records", "settlement"}
# where what is pure meets the wire
WIRE = "settlement.settlement"
OUTSIDE = {"asyncio", "datetime.now", "http", "logging", "os", "pathlib", "requests", "socket"}
OUTSIDE |= {"sqlite3", "structlog", "subprocess", "time", "urllib"}
Graph = dict[str, set[str]]


def modules(package: Path) -> dict[str, Path]:
    """Every file of a package by its name within it."""
    found = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


def imports(path: Path) -> set[str]:
    """Every module that a file imports when it runs, wherever in the file."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        waiting.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def graph(package: Path) -> Graph:
    """Which modules of a package each of its modules imports."""
    known = modules(package)
    uses: Graph = {}
    for name, path in known.items():
        used = {one.removeprefix("dlt_bunce.") for one in imports(path)} & known.keys()
        # a package that is named on the way to a module of it is not what is meant
        uses[name] = {one for one in used if one and not any(o.startswith(f"{one}.") for o in used)}
        uses[name] -= {name}
    return uses


def room(module: str) -> str:
    """The first part of a module's name."""
    return module.partition(".")[0]


def check(package: Path) -> None:
    """Fails for a module in no known room, for one that imports what its room may not, and for
    modules that import each other, be it in a function.
    """
    uses = graph(package)
    own = {name for name in uses if name and name != "__plugins__"}
    assert {name for name in own if room(name) not in ALLOWED} == set()
    for name in own:
        used = {room(other) for other in uses[name]} - {room(name)}
        assert used - ALLOWED[room(name)] == set(), name
    TopologicalSorter(ALLOWED).prepare()
    TopologicalSorter(uses).prepare()


def test_imports_go_one_way() -> None:
    check(PACKAGE)


def broken(folder: Path, changes: dict[str, str]) -> Path:
    """A copy of the package with lines added to files."""
    copy = folder / "dlt_bunce"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for name, line in changes.items():
        with (copy / name).open("a") as file:
            file.write(f"\n{line}\n")
    return copy


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"new.py": ""}, AssertionError),
        ({"api/reply.py": "import dlt_bunce.settlement.messages"}, AssertionError),
        ({"load/load.py": "from dlt_bunce import destination"}, AssertionError),
        ({"records/text.py": "from dlt_bunce.records.prepare import prepare"}, CycleError),
        ({"store/load_file.py": "def f():\n    from dlt_bunce.store import ledger"}, CycleError),
    ],
)
def test_the_check_finds_what_it_is_for(
    tmp_path: Path, changes: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        check(broken(tmp_path, changes))


@pytest.mark.parametrize("name", sorted(modules(PACKAGE)))
def test_only_the_edge_knows_dlt_and_what_is_pure_knows_nothing(name: str) -> None:
    used = imports(modules(PACKAGE)[name])

    assert room(name) in KNOW_DLT or not {one for one in used if room(one) == "dlt"}
    if room(name) in PURE and name != WIRE:
        assert {room(one) for one in used} & OUTSIDE == set()


def test_every_folder_is_told_to_whoever_contributes() -> None:
    told = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}

    assert {name for name in folders if f"/{name}/`" not in told} == set()
    assert folders <= ALLOWED.keys()


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

    assert done.stdout.strip() == "[]"


def test_the_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()


def test_no_file_names_a_machine_or_a_registry() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", ":!*.png"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    hosts = ("py" + "pi.org", "python" + "hosted.org", "/ro" + "ot/", "/wo" + "rk/")

    named = [name for name in tracked if any(h in (ROOT / name).read_text("utf-8") for h in hosts)]

    assert named == []
