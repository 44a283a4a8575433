"""Airflow as its users run it: its own command, its own processes, a database of its own."""

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
    """An installation in a folder, with the DAGs of this project and connections."""

    home: Path
    connections: dict[str, dict[str, Any]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        """What every process of it gets."""
        settings = {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "pipelines"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            # as it is by default
            "PROVIDERS__ENABLE_AIRFLOW_SECRETS": "true",
        }
        for name, connection in self.connections.items():
            settings[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(connection)
        return {**os.environ, **settings, **self.environment}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts `airflow …`, in a group of processes of its own."""
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
        """The output of `airflow …`, which must succeed."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
        return output

    def python(self, program: str) -> Any:
        """What a program within Airflow's environment prints last, as JSON."""
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])
