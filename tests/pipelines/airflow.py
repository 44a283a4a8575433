"""Airflow as users run it: the `airflow` command, separate processes, and its own database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.forks import Forks

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
# an installation of its own has a database of its own
_IN_FORK = """
from airflow import settings
settings.dispose_orm()
settings.configure_vars()
settings.configure_orm()
"""
MAIN = """
import sys
from airflow.__main__ import main
sys.exit(main())
"""
_EACH = """
import json, sys
from airflow.__main__ import main
for words in json.loads(sys.argv[1]):
    sys.argv[1:] = words
    main()
"""


@dataclass
class Airflow:
    """An Airflow installation in a folder, with this project's DAGs and connections."""

    home: Path
    connections: dict[str, dict[str, Any]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    forks: Forks | None = None
    """Where its processes come from, if not from new Pythons."""

    @property
    def database(self) -> str:
        """The URL of its metadata database."""
        return f"sqlite:///{self.home}/airflow.db"

    @property
    def env(self) -> dict[str, str]:
        """The environment of all its processes."""
        settings = {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "pipelines"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.database,
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            # as docs/deploying.md advises; with the default each load looks up 700 variables
            "PROVIDERS__ENABLE_AIRFLOW_SECRETS": "false",
        }
        for name, connection in self.connections.items():
            settings[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(connection)
        return {**os.environ, **settings, **self.environment}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `airflow …` in its own process group."""
        command: list[Any] = [BIN / "airflow", *arguments]
        if self.forks is not None:
            command = self.forks.python(_IN_FORK + MAIN, *arguments)
        return subprocess.Popen(
            command,
            env=self.env,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> str:
        """Run `airflow …`, which must succeed, and return its output."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
        return output

    def run_each(self, *commands: Sequence[str]) -> None:
        """Run commands in one process, which imports Airflow once; each must succeed."""
        subprocess.run(
            [sys.executable, "-c", _EACH, json.dumps(commands)],
            env=self.env,
            cwd=self.home,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def python(self, program: str) -> Any:
        """Run a program in Airflow's environment and parse its last line of output as JSON."""
        command = [sys.executable, "-c", program]
        if self.forks is not None:
            command = self.forks.python(_IN_FORK + program)
        result = subprocess.run(
            command,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout.splitlines()[-1])
