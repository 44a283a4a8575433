"""The shape of the package: who may import whom, what is public, what loads late."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import dlt_bunce
from dlt_bunce import errors

PACKAGE = Path(dlt_bunce.__file__).parent
ROOT = PACKAGE.parent.parent

# which rooms each room may import; a room may import itself
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "commands": {"errors"},
    "thresholds": set(),
    "reject_codes": set(),
    "run_warnings": set(),
    "logs": set(),
    "loopback": set(),
    "emulator": {"loopback"},
    "model": {"commands", "errors", "thresholds"},
    "failures": {"errors", "model"},
    "records": {"errors", "model", "reject_codes"},
    "store": {"errors", "model", "reject_codes"},
    "api": {"errors", "logs", "model"},
    "telemetry": {"api", "logs", "model", "reject_codes"},
    "settlement": {"api", "errors", "logs", "model"},
    "probe": {"api", "model", "settlement"},
    "load": {"api", "errors", "logs", "model", "records", "settlement", "store"},
    "destination": {
        "api",
        "commands",
        "errors",
        "failures",
        "load",
        "logs",
        "model",
        "records",
        "store",
        "telemetry",
    }
    | {"thresholds"},
    "destinations": {"destination"},  # dlt looks for it by this name
    "sources": {"destination", "errors", "load", "logs", "records", "store"},
    "erasure": {"destination", "errors", "load", "logs", "records", "store"},
    "operations": {"api", "destination", "erasure", "errors", "load", "logs", "model", "records"}
    | {"commands", "failures", "probe", "reject_codes", "run_warnings", "store", "telemetry"},
    "testing": {"emulator"},
    "integrations": {"commands", "destination", "errors", "model"},
    "workbench": {"destination", "loopback", "model", "operations", "records", "reject_codes"}
    | {"run_warnings", "store"},
    "scripts": {"cli", "destination", "operations", "sources"},
    "cli": {"destination", "emulator", "erasure", "errors", "load", "logs", "model", "operations"}
    | {
        "commands",
        "failures",
        "probe",
        "records",
        "reject_codes",
        "run_warnings",
        "sources",
        "store",
        "workbench",
    },
}
KNOW_DLT = {"cli", "destination", "erasure", "logs", "operations", "sources"}
PURE = {"probe", "records", "settlement"}
# where what is pure meets the wire
WIRE = "settlement.settlement"
OUTSIDE = {"asyncio", "http", "logging", "os", "pathlib", "requests", "socket", "sqlite3"}
OUTSIDE |= {"structlog", "subprocess", "time", "urllib"}
CALLED_OUTSIDE = {"open", "now", "utcnow", "today", "read_bytes", "write_bytes"}
# what whoever writes a pipeline may import
PUBLIC = {"dlt_bunce", "dlt_bunce.integrations", "dlt_bunce.scripts", "dlt_bunce.sources"}
Graph = dict[str, set[str]]


def sources(package: Path) -> dict[str, str]:
    """Return the text of every file of a package by the module's name within it."""
    found = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path.read_text("utf-8")
    return found


SOURCES = sources(PACKAGE)


@cache
def imports(source: str) -> frozenset[str]:
    """Return every module that a file imports when it runs, wherever in the file."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        waiting.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def called(source: str) -> set[str]:
    """Return the names of all functions and methods that a file calls."""
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    names = {node.attr for node in calls if isinstance(node, ast.Attribute)}
    return names | {node.id for node in calls if isinstance(node, ast.Name)}


def graph(modules: dict[str, str]) -> Graph:
    """Return which modules of a package each of its modules imports."""
    uses: Graph = {}
    for name, source in modules.items():
        used = {full.removeprefix("dlt_bunce.") for full in imports(source)} & modules.keys()
        # a package that is named on the way to a module of it is not what is meant
        passed = {module for module in used if any(u.startswith(f"{module}.") for u in used)}
        uses[name] = {module for module in used - passed if module} - {name}
    return uses


def room(module: str) -> str:
    """Return the first part of a module's name."""
    return module.partition(".")[0]


def inner_room(module: str) -> str:
    """Return the first two parts of a module's name: its room in a room, or the module itself."""
    return ".".join(module.split(".")[:2])


def inner_rooms(uses: Graph) -> Graph:
    """Return which rooms within rooms, and modules beside them, import each other."""
    found: Graph = defaultdict(set)
    for module, used in uses.items():
        found[inner_room(module)] |= {inner_room(name) for name in used} - {inner_room(module)}
    return found


def check(modules: dict[str, str]) -> None:
    """Fail for a module in no known room, for one that imports what its room may not, and for
    modules, or rooms within a room, that import each other, be it in a function.
    """
    uses = graph(modules)
    own = {name for name in uses if name and name != "__plugins__"}
    assert {name for name in own if room(name) not in ALLOWED} == set()
    for name in own:
        used = {room(module) for module in uses[name]} - {room(name)}
        assert used - ALLOWED[room(name)] == set(), name
    TopologicalSorter(ALLOWED).prepare()
    TopologicalSorter(uses).prepare()
    TopologicalSorter(inner_rooms(uses)).prepare()


def test_imports_go_one_way() -> None:
    check(SOURCES)


@pytest.mark.parametrize(
    ("module", "line", "error"),
    [
        ("new", "", AssertionError),
        ("api.reply", "import dlt_bunce.settlement.messages", AssertionError),
        ("load.load", "from dlt_bunce import destination", AssertionError),
        ("records.text.text", "from dlt_bunce.records.prepare import prepare", CycleError),
        ("store.runs.processes", "import dlt_bunce.store.ledger", CycleError),
        ("store.load_file", "def f():\n    from dlt_bunce.store import ledger", CycleError),
    ],
)
def test_the_check_finds_what_it_is_for(module: str, line: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        check(SOURCES | {module: f"{SOURCES.get(module, '')}\n{line}\n"})


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_only_the_edge_knows_dlt_and_what_is_pure_knows_nothing(name: str) -> None:
    used = imports(SOURCES[name])

    assert room(name) in KNOW_DLT or not {module for module in used if room(module) == "dlt"}
    if room(name) in PURE and name != WIRE:
        assert {room(module) for module in used} & OUTSIDE == set()
        assert called(SOURCES[name]) & CALLED_OUTSIDE == set()


def test_pipelines_import_only_what_is_public() -> None:
    for path in (ROOT / "pipelines").glob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        found = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        ours = {module for module in found if room(module) == "dlt_bunce"}
        private = {m for m in ours if ".".join(m.split(".")[:2]) not in PUBLIC}
        assert private == set(), path.name


def test_every_folder_is_told_to_whoever_contributes() -> None:
    told = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    folders = {path.parent.relative_to(PACKAGE) for path in PACKAGE.rglob("__init__.py")}
    folders -= {Path()}

    assert {path for path in folders if f"{path.name}/`" not in told} == set()
    assert {path.parts[0] for path in folders} <= ALLOWED.keys()


def test_the_public_names() -> None:
    expected = [
        "AccountError",
        "AccountRefusedError",
        "BunceError",
        "ConfigurationError",
        "ConservationError",
        "CredentialsError",
        "DispositionError",
        "ListingError",
        "MappingError",
        "RejectThresholdError",
        "RejectedValue",
        "Retried",
        "RowsDeferredError",
        "RunInProgressError",
        "RunSummary",
        "Selection",
        "SourceError",
        "Status",
        "StoppedError",
        "StoreError",
        "ThresholdError",
        "TooFewRowsError",
        "UnavailableError",
        "UnknownTableError",
        "UsageError",
        "ValueSelection",
        "WaitingValues",
        "adopt",
        "bunce",
        "bunce_adapter",
        "check",
        "dead_letters",
        "discard",
        "discard_values",
        "erase",
        "flush_and_run",
        "rejected_values",
        "replay",
        "retry_values",
        "run_summary",
        "status",
        "waiting_values",
    ]

    assert expected == dlt_bunce.__all__ == sorted(dlt_bunce.__all__)
    assert all(getattr(dlt_bunce, name) is not None for name in expected)
    defined = {name for name, cls in vars(errors).items() if isinstance(cls, type)}
    assert {name for name in defined if issubclass(getattr(errors, name), errors.BunceError)} <= {
        *expected
    }
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
    script = ast.parse((ROOT / "tests/typed_script.py").read_text("utf-8"))
    used = {node.id for node in ast.walk(script) if isinstance(node, ast.Name)}
    assert set(dlt_bunce.__all__) - used == set(), "each name is checked as a user writes it"


def test_no_file_names_a_machine_or_a_registry() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", ":!*.png"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    hosts = ("py" + "pi.org", "python" + "hosted.org", "/ro" + "ot/", "/wo" + "rk/")

    named = [name for name in tracked if any(h in (ROOT / name).read_text("utf-8") for h in hosts)]

    assert named == []
