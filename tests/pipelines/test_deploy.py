"""The deployment files: their commands run, and their target programs accept them."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import psycopg
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.pipelines.crm import FILL
from tests.postgres import PASSWORD, with_login

from dlt_bunce.emulator import Emulator

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "pipelines" / "deploy"
BIN = Path(sys.executable).parent


@pytest.fixture
def environment(
    emulator: Emulator, postgres_url: str, postgres_store: str, program_file: Path
) -> dict[str, str]:
    """The environment variables that the files ask for, and a table to read."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute(FILL)  # type: ignore[arg-type]
    crm, store = with_login(postgres_url), with_login(postgres_store, password=False)
    return {
        **os.environ,
        "PATH": f"{program_file.parent}:{BIN}:{os.environ['PATH']}",
        "DESTINATION__BUNCE__CREDENTIALS__API_KEY": "sk_test_marked",
        "DESTINATION__BUNCE__BASE_URL": emulator.base_url,
        "DESTINATION__BUNCE__STORE_URL": store,
        "PGPASSWORD": PASSWORD,
        "DESTINATION__BUNCE__REQUESTS_PER_MINUTE": "0",
        "CRM_URL": crm,
    }


def in_crontab() -> str:
    """Return the command of the crontab, without the folder that exists only in production."""
    [line] = [line for line in (DEPLOY / "crontab").read_text().splitlines() if line[:1].isdigit()]
    command = line.split(maxsplit=5)[5]
    assert command.startswith("cd /srv/bunce && set -a && . ./bunce.env && ")
    return command.replace("cd /srv/bunce && ", "").replace(".venv/bin/dlt-bunce", "dlt-bunce")


def service() -> configparser.SectionProxy:
    """Return what the systemd unit says of its service."""
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "dlt-bunce.service")
    return unit["Service"]


def in_service() -> str:
    """Return the command of the systemd unit."""
    program, _, arguments = service()["ExecStart"].partition(" ")
    assert program.endswith("/bin/dlt-bunce")
    return f"dlt-bunce {arguments}"


@pytest.mark.parametrize("command", [in_crontab, in_service])
def test_cron_and_systemd_load_the_table(
    command: object, environment: dict[str, str], emulator: Emulator
) -> None:
    names = (
        *("DESTINATION__BUNCE__CREDENTIALS__API_KEY", "DESTINATION__BUNCE__STORE_URL"),
        *("PGPASSWORD", "CRM_URL"),
    )
    lines = [f"{name}={shlex.quote(environment.pop(name))}\n" for name in names]
    Path("bunce.env").write_text("".join(lines))
    text = command()  # type: ignore[operator]
    if command is in_service:
        text = f"set -a && . ./bunce.env && {text}"

    subprocess.run(["/bin/sh", "-c", text], env=environment, check=True, capture_output=True)

    assert len(emulator.customers) == 4276
    if command is in_crontab:
        assert json.loads(Path("loads.jsonl").read_text())["created"] == 4276


def test_the_service_can_write_where_dlt_keeps_rows() -> None:
    unit = service()

    assert unit["ProtectSystem"] == "strict"
    assert unit["Environment"] == f"HOME={unit['ReadWritePaths']}"
    assert unit["WorkingDirectory"] == unit["ReadWritePaths"]


def test_each_pod_loads_the_shard_of_its_index(
    environment: dict[str, str], emulator: Emulator
) -> None:
    job = yaml.safe_load((DEPLOY / "kubernetes.yaml").read_text())["spec"]
    [container] = job["template"]["spec"]["containers"]
    command = [*container["command"], *container["args"]]
    found = []
    for index in (0, job["completions"] - 1):
        result = subprocess.run(
            command,
            env=environment | {"JOB_COMPLETION_INDEX": str(index)},
            check=True,
            capture_output=True,
            text=True,
        )
        found.append(json.loads(result.stdout))

    assert job["completionMode"] == "Indexed"
    assert [shard["read"] for shard in found] == [540, 540]
    assert {shard["pipeline_name"][:10] for shard in found} == {"bunce_load"}
    first, last = range(540), range(4320 - 540, 4320)
    assert {str(n) for n in (*first, *last) if n % 100 != 7} == set(emulator.customers)


def test_airflows_environment_is_what_the_dags_read() -> None:
    script = f"set -a; . {DEPLOY / 'airflow.env'}; exec {sys.executable} -c {{}}"
    program = "import json, os; print(json.dumps(dict(os.environ)))"

    result = subprocess.run(
        ["/bin/sh", "-c", script.format(shlex.quote(program))],
        env={},
        check=True,
        capture_output=True,
        text=True,
    )

    found = json.loads(result.stdout)
    assert json.loads(found["AIRFLOW_CONN_BUNCE"])["password"] == "sk_test_your_key"
    dag = (ROOT / "pipelines" / "airflow_dag.py").read_text()
    for name in found:
        if name.startswith("AIRFLOW_CONN_"):
            assert f'"{name.removeprefix("AIRFLOW_CONN_").lower()}"' in dag
        if name.startswith("BUNCE_"):
            assert f'"{name}"' in dag


def test_dagster_accepts_its_settings(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text((DEPLOY / "dagster.yaml").read_text())

    result = subprocess.run(
        [BIN / "dagster", "instance", "info"],
        env={**os.environ, "DAGSTER_HOME": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    )

    assert "default_limit: 4" in result.stdout
    assert "max_retries: 3" in result.stdout


def test_the_image_installs_the_pinned_set_with_hashes() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    copied = [name for line in lines if line.startswith("COPY") for name in line.split()[1:-1]]
    installs = [line for line in lines if line.startswith("RUN pip install")]
    pinned = pins(DEPLOY / "requirements.txt")
    everything = pins(ROOT / "requirements.txt")

    assert "pipelines/deploy/requirements.txt" in copied
    assert all((ROOT / name).exists() for name in copied)
    assert ["--require-hashes" in line or "--no-deps" in line for line in installs] == [True, True]
    assert {name: everything[name] & versions for name, versions in pinned.items()} == pinned
    assert needed("dlt-bunce", {"postgres", "s3"}) - pinned.keys() == {"dlt-bunce"}
    for requirement in (DEPLOY / "requirements.txt").read_text().replace("\\\n", "").splitlines():
        assert "--hash=sha256:" in requirement


def pins(file: Path) -> dict[str, set[str]]:
    """Return the pinned versions of each package; markers may choose among several."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([\w.+!]+)", file.read_text(), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


def needed(name: str, extras: set[str]) -> set[str]:
    """Return the names of a package and of everything that it installs on the image."""
    found: set[str] = set()
    waiting = [(name, frozenset(extras))]
    image = {"python_version": "3.13", "python_full_version": "3.13.0", "sys_platform": "linux"}
    while waiting:
        package, chosen = waiting.pop()
        found.add(canonicalize_name(package))
        for text in metadata.requires(package) or ():
            requirement = Requirement(text)
            marked = requirement.marker is None or any(
                requirement.marker.evaluate({**image, "extra": extra}) for extra in (*chosen, "")
            )
            if marked and canonicalize_name(requirement.name) not in found:
                waiting.append((requirement.name, frozenset(requirement.extras)))
    return found
