"""Airflow as users run it: the `airflow` command, separate processes, and its own database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent


@dataclass
class Airflow:
    """An Airflow installation in a folder, with this project's DAGs and connections."""

    home: Path
    connections: dict[str, dict[str, Any]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        """The environment of all its processes."""
        settings = {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "pipelines"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            # the default
            "PROVIDERS__ENABLE_AIRFLOW_SECRETS": "true",
        }
        for name, connection in self.connections.items():
            settings[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(connection)
        return {**os.environ, **settings, **self.environment}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `airflow …` in its own process group."""
        return subprocess.Popen(
            [BIN / "airflow", *arguments],
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

    def python(self, program: str) -> Any:
        """Run a program in Airflow's environment and parse its last line of output as JSON."""
        result = subprocess.run(
            [sys.executable, "-c", program],
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout.splitlines()[-1])
