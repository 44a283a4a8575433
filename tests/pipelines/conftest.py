"""Fixtures that run the shipped pipelines and DAGs as users do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import psycopg
import pytest
from filelock import FileLock
from tests.forks import Forks, forks
from tests.pipelines.airflow import Airflow
from tests.pipelines.crm import FILL
from tests.postgres import LOGIN, PASSWORD, with_login

from dlt_bunce.emulator import Emulator

ROOT = Path(__file__).parent.parent.parent
_SCRIPT = """
import pathlib, runpy, sys, warnings
warnings.simplefilter("default")
del sys.argv[0]
sys.path[0] = str(pathlib.Path(sys.argv[0]).parent)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_anew(emulator: Emulator) -> Run:
    """Run a pipeline's script with arguments; keywords are environment variables."""
    return partial(_run, [sys.executable, "-W", "default"], emulator)


@pytest.fixture
def run(emulator: Emulator, loading: Forks) -> Run:
    """Do the same in a fork, in which no import warns."""
    return partial(_run, loading.python(_SCRIPT), emulator)


def _run(
    python: list[str], emulator: Emulator, name: str, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    settings = {
        "DESTINATION__BUNCE__CREDENTIALS__API_KEY": "sk_test_marked",
        "DESTINATION__BUNCE__BASE_URL": emulator.base_url,
        "DESTINATION__BUNCE__REQUESTS_PER_MINUTE": "0",
        # dlt warns about every jsonb column
        "RUNTIME__LOG_LEVEL": "ERROR",
    }
    return subprocess.run(
        [*python, str(ROOT / "pipelines" / f"{name}.py"), *arguments],
        env={**os.environ, **settings, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def _new_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of an Airflow whose database is made, by the first worker that needs one."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # which the workers share
    home = folder / "airflow"
    with FileLock(folder / "airflow.lock"):
        if not home.exists():
            home.mkdir()
            Airflow(home).run("db", "migrate")
    return home


@pytest.fixture(scope="session")
def _home(_new_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(_new_home, tmp_path_factory.mktemp("airflow") / "home"))


@pytest.fixture(scope="session")
def _airflow_forks(_home: Path) -> Iterator[Forks]:
    environment = Airflow(_home).env
    with forks("dlt_bunce.cli", "tests.pipelines.execution_api", environment=environment) as found:
        yield found


@pytest.fixture
def airflow(
    _home: Path,
    _airflow_forks: Forks,
    emulator: Emulator,
    postgres_url: str,
    postgres_store: str,
) -> Airflow:
    """Airflow with connections to the emulator, a filled database, and a store."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute(FILL)  # type: ignore[arg-type]
    bunce = {"base_url": emulator.base_url, "requests_per_minute": 0}
    return Airflow(
        _home,
        {
            "bunce": {"conn_type": "generic", "password": "sk_test_marked", "extra": bunce},
            "crm": as_connection(postgres_url),
            "bunce_store": as_connection(postgres_store),
        },
        forks=_airflow_forks,
    )


def as_connection(url: str) -> dict[str, Any]:
    """Return a Postgres URL as Airflow's form saves it, for a role with a password."""
    parts = urlsplit(with_login(url))
    extra = {"connect_timeout": 30, **dict(parse_qsl(parts.query))}
    return {
        "conn_type": "postgres",
        "host": parts.hostname,
        "port": parts.port,
        "login": LOGIN,
        "password": PASSWORD,
        "schema": parts.path.lstrip("/"),
        "extra": extra,
    }
