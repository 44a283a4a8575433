"""`dlt-bunce init`: what it writes runs as it is."""

from __future__ import annotations

import ast
import os
import stat
import subprocess
import sys
from pathlib import Path

from dlt_bunce.emulator import Emulator

from .conftest import Run


def test_what_it_writes_loads_a_customer(run: Run, emulator: Emulator) -> None:
    done = run("init", "crm to bunce")

    assert done.code == 0
    assert "cd 'crm to bunce' && dlt-bunce doctor && python bunce_pipeline.py" in done.output
    assert "Kept" not in done.output
    script = ast.parse(Path("crm to bunce/bunce_pipeline.py").read_text("utf-8"))
    functions = [node for node in ast.walk(script) if isinstance(node, ast.FunctionDef)]
    assert [node.returns is None for node in functions] == [False]  # as strict type checkers demand
    secrets = Path("crm to bunce/.dlt/secrets.toml")
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    text = secrets.read_text("utf-8").replace('api_key = ""', 'api_key = "sk_test_marked_key"')
    secrets.write_text(text, "utf-8")
    key = "DESTINATION__BUNCE__CREDENTIALS__API_KEY"
    loaded = subprocess.run(
        [sys.executable, "bunce_pipeline.py"],
        cwd="crm to bunce",
        env={name: value for name, value in os.environ.items() if name != key},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (loaded.stdout, loaded.stderr) == ("created 1, updated 0, rejected 0\n", "")
    assert set(emulator.customers) == {"7"}
    assert Path("crm to bunce/bunce.sqlite").exists()
    ignored = Path("crm to bunce/.gitignore").read_text("utf-8").splitlines()
    assert ignored == [".dlt/secrets.toml", "bunce.sqlite*"]


def test_nothing_is_overwritten(run: Run) -> None:
    Path(".gitignore").write_text("mine\n", "utf-8")
    Path(".dlt").mkdir()
    Path(".dlt/config.toml").write_text("# mine\n", "utf-8")

    refused = run("init")
    assert refused.code == 2
    assert ".dlt/config.toml already exists" in refused.errors
    assert not Path("bunce_pipeline.py").exists()

    Path(".dlt/config.toml").unlink()
    done = run("init")
    assert done.code == 0
    assert Path(".gitignore").read_text("utf-8") == "mine\n"
    assert "Kept .gitignore." in done.output
    assert ".dlt/secrets.toml, bunce.sqlite*" in done.output
    assert run("init").code == 2
