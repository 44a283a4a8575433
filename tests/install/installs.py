"""Builds the distributions and installs the wheel with each extra alone, as a user would.

Started by `make test-install`: what a distribution holds, then, in an empty environment for each
extra, that a load runs, that the extra's own feature runs, and that every other feature ends in one
line that names the extra it lacks.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import metadata
from pathlib import Path, PurePosixPath

from dlt_bunce.emulator import Behavior, Emulator

ROOT = Path(__file__).parent.parent.parent
ROWS = "id,email,first_name,last_name,phone\n{0},{0}@example.com,Ada,Obi,+2348031234567\n"
KEY = "sk_test_install"

# feature: the extras that bring it, a command that needs it, and what that says with the extra
FEATURES: dict[str, tuple[set[str], str, str]] = {
    "avro": ({"avro"}, "load none.avro", "none.avro cannot be read as Avro"),
    "delta": ({"delta"}, "load delta", "delta cannot be read as a Delta table"),
    "duckdb": ({"duckdb"}, "load duckdb:///none.duckdb --table t", "none.duckdb"),
    "emulator": ({"emulator", "ui"}, "emulator --port 0 --host 192.0.2.1", "allow_remote"),
    "excel": ({"excel"}, "load none.xlsx", "none.xlsx cannot be read as an Excel workbook"),
    "iceberg": ({"iceberg"}, "load iceberg", "iceberg cannot be read as an Iceberg table"),
    "mysql": ({"mysql"}, "load mysql://u@127.0.0.1:9/d --table t", "127.0.0.1"),
    "postgres": ({"postgres"}, "load postgresql://u@127.0.0.1:9/d --table t", "127.0.0.1"),
    "store": ({"postgres"}, "status --store-url postgresql://u@127.0.0.1:9/d", "127.0.0.1"),
    "report": ({"report", "ui"}, "report --html runs.html --overwrite", "Wrote 1 run"),
    "s3": ({"s3"}, "load s3://bucket/customers.parquet", "redentials"),
    "sql": ({"sql", "mysql", "postgres"}, "load sqlite:///none.db --table t", "none.db"),
    "ui": ({"ui"}, "ui --port 0 --store-url sqlite:///none.sqlite", "No store exists"),
}
DAMAGED = (
    "none.avro",
    "none.duckdb",
    "none.xlsx",
    "delta/_delta_log/00000000000000000000.json",
    "iceberg/metadata/v1.metadata.json",
)
NAMED = {"store": "postgres"}
EXTRAS = ["", *sorted(metadata("dlt-bunce").get_all("Provides-Extra") or ())]


def run(*words: str | Path, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Runs a program without settings for dlt; standard error goes to standard output."""
    settings = ("DESTINATION__", "SOURCES__", "DLT_", "RUNTIME__", "AWS_", "PG", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(settings)}
    return subprocess.run(
        [*words],
        cwd=cwd,
        env=kept | environ,
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
    )


def must(*words: str | Path, cwd: Path) -> str:
    """Runs a program; its failure ends this one."""
    done = run(*words, cwd=cwd)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))} failed:\n{done.stdout}")
    return done.stdout


def build(folder: Path) -> Path:
    """Builds from what is committed, and from the source distribution again; returns the wheel."""
    tree = folder / "tree"
    tree.mkdir()
    with tarfile.open(fileobj=_committed()) as archive:
        archive.extractall(tree)  # noqa: S202, of our own repository
    tracked = {PurePosixPath(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    must(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", cwd=tree)
    (source,) = (folder / "dist").glob("*.tar.gz")
    (wheel,) = (folder / "dist").glob("*.whl")
    with tarfile.open(source) as archive:
        sources = {PurePosixPath(*PurePosixPath(name).parts[1:]) for name in archive.getnames()}
        archive.extractall(folder / "again")  # noqa: S202, just built
    with zipfile.ZipFile(wheel) as archive:
        installed = {PurePosixPath(name) for name in archive.namelist()}
    (again,) = (folder / "again").iterdir()
    words = ("-m", "build", "--no-isolation", "--wheel", "--outdir", folder / "second")
    must(sys.executable, *words, cwd=again)
    with zipfile.ZipFile(next((folder / "second").glob("*.whl"))) as archive:
        same(installed, {PurePosixPath(name) for name in archive.namelist()}, "from the sdist")
    hidden = {path for path in tracked if path.name == ".gitignore" or path.parts[0] == ".github"}
    same(set(), tracked - hidden - sources, "missing from the source distribution")
    package = {p.relative_to("connector") for p in tracked if p.parts[0] == "connector"}
    same(package, {p for p in installed if not p.parts[0].endswith(".dist-info")}, "in the wheel")
    return wheel


def _committed() -> object:
    import io

    words = ["git", "archive", "--format=tar", "HEAD"]
    return io.BytesIO(subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def same(expected: Iterable[object], found: Iterable[object], what: str) -> None:
    """Ends the program where two sets differ."""
    if {*expected} != {*found}:
        sys.exit(f"{what}: {sorted(map(str, {*expected} ^ {*found}))}")


def install(folder: Path, wheel: Path, extra: str, base_url: str) -> str | None:
    """Installs the wheel with one extra and tries every feature; returns what is wrong."""
    home = folder / f"with-{extra or 'nothing'}"
    home.mkdir()
    uv = Path(sys.executable).with_name("uv")
    must(uv, "venv", "--quiet", "--python", sys.executable, home / "venv", cwd=home)
    what = f"{wheel}[{extra}]" if extra else str(wheel)
    must(uv, "pip", "install", "--quiet", "--python", home / "venv/bin/python", what, cwd=home)
    for name in DAMAGED:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("nothing of the kind", "utf-8")
    (home / "customers.csv").write_text(ROWS.format(home.name), "utf-8")

    def command(text: str) -> subprocess.CompletedProcess[str]:
        return run(
            home / "venv/bin/dlt-bunce",
            *text.split(),
            cwd=home,
            DLT_DATA_DIR=str(home / "dlt"),
            DESTINATION__BUNCE__BASE_URL=base_url,
            DESTINATION__BUNCE__CREDENTIALS__API_KEY=KEY,
            AWS_EC2_METADATA_DISABLED="true",
            COLUMNS="200",
        )

    loaded = command("load customers.csv")
    if loaded.returncode or "created" not in loaded.stdout:
        return f"[{extra}] does not load:\n{loaded.stdout}"
    wrong = []
    for feature, (extras, text, told) in FEATURES.items():
        done = command(text)
        line = done.stdout.strip()
        wanted = told if extra in extras else f"dlt-bunce[{NAMED.get(feature, feature)}]"
        if wanted not in line or len(line.splitlines()) != 1:
            wrong.append(f"[{extra}] {text}: expected one line with {wanted!r}, found:\n{line}")
    return "\n".join(wrong) or None


def main() -> None:
    """Builds and installs in a throwaway folder."""
    with tempfile.TemporaryDirectory(prefix="dlt-bunce-") as name:
        folder = Path(name)
        wheel = build(folder)
        with Emulator(Behavior(rate_limit=0)) as emulator, ThreadPoolExecutor(2) as pool:
            done = [pool.submit(install, folder, wheel, e, emulator.base_url) for e in EXTRAS]
            wrong = [told for told in (one.result() for one in done) if told]
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{wheel.name}: installed alone and with {len(EXTRAS) - 1} extras, each by itself")


if __name__ == "__main__":
    main()
