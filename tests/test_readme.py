"""What README and CONTRIBUTING say is so: their commands run, and what they link exists."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlt_bunce.emulator import Emulator

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
KINDS = {".py", ".typed", ".css", ".html"}
DOCUMENTS = {name: (ROOT / name).read_text("utf-8") for name in ("README.md", "CONTRIBUTING.md")}


def blocks(language: str, text: str = README) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(program: str) -> list[list[str]]:
    """Every command of a program in any document, as arguments."""
    lines = "".join(b for text in DOCUMENTS.values() for b in blocks("bash", text)).splitlines()
    found = [shlex.split(line) for line in lines]
    assert {words[0] for words in found} == {"make", "pip", "export", "dlt-bunce"}
    return [words for words in found if words[0] == program]


@pytest.fixture
def environment(emulator: Emulator, tmp_path: Path) -> dict[str, str]:
    """A user's shell: settings exported as the README says, and the files that it names."""
    people = pa.Table.from_pylist(
        [
            {
                "id": n,
                "email": f"c{n}@example.com",
                "first_name": "Ada",
                "last_name": "Obi",
                "updated_at": "2026-11-01T09:00:00Z",
                "msisdn": f"+23481{n:08d}" if n else "no number",
            }
            for n in range(20)
        ]
    )
    pq.write_table(people, tmp_path / "customers.parquet")
    with duckdb.connect(tmp_path / "warehouse.duckdb") as warehouse:
        warehouse.execute("CREATE SCHEMA crm")
        warehouse.execute("CREATE TABLE crm.people AS SELECT * FROM people")
    exported = dict(words[1].split("=", 1) for words in commands("export"))
    return {
        **os.environ,
        **exported,
        "DESTINATION__BUNCE__BASE_URL": emulator.base_url,
        "PYTHONWARNINGS": "default",
    }


def test_the_example_runs(emulator: Emulator, environment: dict[str, str]) -> None:
    (example,) = blocks("python")

    done = subprocess.run(
        [sys.executable, "-c", example], env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "1 0 0"
    assert emulator.customers["7"]["email"] == "ada@example.com"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("CREDENTIALS__API_KEY", "", "ConfigurationError: No API key is set. Set DESTINATION__"),
        (
            "MAPPING",
            '{"phone_no": "phone"}',
            "MappingError: The config maps phone_no to column 'phone'",
        ),
    ],
)
def test_a_mistake_in_the_example_ends_in_one_line_after_few_others(
    variable: str, value: str, said: str, environment: dict[str, str]
) -> None:
    (example,) = blocks("python")
    Path("example.py").write_text(example)

    done = subprocess.run(
        [sys.executable, "example.py"],
        env={**environment, f"DESTINATION__BUNCE__{variable}": value},
        capture_output=True,
        text=True,
        check=False,
    )

    frames = re.findall(r'^  File "(.*)", line', done.stderr, re.MULTILINE)
    assert (done.returncode, done.stdout) == (1, "")
    assert [Path(file).name for file in frames] == ["example.py", "flush.py", "flush.py"]
    assert done.stderr.splitlines()[-1].startswith(f"dlt_bunce.errors.{said}")


def test_the_commands_run_in_their_order(emulator: Emulator, environment: dict[str, str]) -> None:
    program = Path(sys.executable).with_name("dlt-bunce")
    shown = commands("dlt-bunce")

    for words in shown:
        done = subprocess.run(
            [program, *words[1:]], env=environment, capture_output=True, text=True, check=False
        )
        told = [line for line in done.stderr.splitlines() if not line.startswith("Mapped by their")]
        assert (done.returncode, told) == (0, []), words

    assert len(shown) == 10
    assert len(emulator.customers) == 19
    assert Path("rejected.csv").read_text().count("invalid_phone_no") == 1


@pytest.mark.parametrize("words", commands("make"), ids=" ".join)
def test_the_make_targets_exist(words: list[str]) -> None:
    subprocess.run([*words, "--dry-run"], cwd=ROOT, check=True, capture_output=True)


def test_ci_runs_what_the_documents_name() -> None:
    script = (ROOT / ".ci" / "run").read_text()

    run = re.findall(r"^make [\w-]+", script, re.MULTILINE)
    assert run == ["make check", "make test", "make test-pythons", "make guard"]


def test_the_package_installs_whole(tmp_path: Path) -> None:
    ((_, _, what),) = commands("pip")
    assert what == ".[duckdb,postgres,s3,ui]"
    # what a user's pip does, without the dependencies, which the tests run with already
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--disable-pip-version-check"]
    # as in a build of its own, setuptools has the libraries that it brings, however old ours are
    (setuptools,) = find_spec("setuptools").submodule_search_locations

    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", tmp_path / "site", ROOT],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": f"{setuptools}/_vendor"},
    )

    installed = tmp_path / "site" / "dlt_bunce"
    ours = ROOT / "connector" / "dlt_bunce"
    expected = {f.relative_to(ours) for f in ours.rglob("*") if f.suffix in KINDS}
    assert expected == {f.relative_to(installed) for f in installed.rglob("*") if f.suffix in KINDS}


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def anchors(page: Path) -> set[str]:
    """What a link may name in a page: its headings, as GitHub and MyST write them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_is_linked_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    linked = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", text)
    targets = [(page.parent / path if path else page, anchor) for path, anchor in linked]

    assert [path for path, _ in targets if not path.exists()] == []
    assert [(path, a) for path, a in targets if a and a not in anchors(path)] == []
