"""Real stand-ins for everything outside, and a clean environment for every test."""

from __future__ import annotations

import gc
import itertools
import logging
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# where Airflow is installed, every start of dlt would import it: five times as long as its own
os.environ["PROVIDERS__ENABLE_AIRFLOW_SECRETS"] = "false"

import pytest
from hypothesis import settings
from tests.forks import Forks, forks
from tests.mysql import mysql, mysql_execute
from tests.postgres import GIVEN, drop_schema, new_schema, postgres
from tests.temporary import keep_in_memory

from dlt_bunce.emulator import Behavior, Emulator

keep_in_memory()

pytest_plugins = ["tests.sampling", "tests.waits"]

# a test that raises dlt's level for a while restores this one, and not that it had none yet
logging.getLogger("dlt").setLevel(logging.CRITICAL)

# a shell's background jobs ignore it, and so would the programs that tests interrupt
signal.signal(signal.SIGINT, signal.default_int_handler)

# how long an example takes says more about the machine than about the code
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_collection_finish() -> None:
    """Spare the garbage collector what is imported: it lives as long as the process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


_PREFIXES = ("DESTINATION__", "SOURCES__", "BUNCE", "DLT_", "RUNTIME__", "LOAD__", "AWS_", "PG")


@pytest.fixture(autouse=True)
def _clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has a folder of its own, and no setting of the person who runs it."""
    for name in os.environ:
        if name.startswith(_PREFIXES) and not name.startswith("DLT_BUNCE_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "CRITICAL")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def _emulator() -> Iterator[Emulator]:
    with Emulator(Behavior(rate_limit=0)) as emulator:
        yield emulator


@pytest.fixture
def emulator(_emulator: Emulator) -> Emulator:
    """An empty workspace behind Bunce's API, without its rate limit."""
    _emulator.reset()
    return _emulator


@pytest.fixture(scope="session")
def _postgres() -> Iterator[str]:
    # no test cuts the power of the machine
    with postgres(durable=False) as url:
        yield url


_numbers = itertools.count()


@pytest.fixture
def postgres_url(_postgres: str) -> Iterator[str]:
    """An empty Postgres database."""
    import psycopg

    name = f"bunce_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(_postgres, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')  # type: ignore[arg-type]
    yield urlsplit(_postgres)._replace(path=f"/{name}").geturl()
    with psycopg.connect(_postgres, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')  # type: ignore[arg-type]


@pytest.fixture
def postgres_store(_postgres: str) -> Iterator[str]:
    """A store_url of an empty schema in Postgres."""
    store_url = new_schema(_postgres)
    yield store_url
    # a server of our own is deleted whole
    if GIVEN in os.environ:
        drop_schema(store_url)


@pytest.fixture(scope="session")
def _mysql() -> Iterator[str]:
    with mysql() as url:
        yield url


@pytest.fixture
def mysql_url(_mysql: str) -> str:
    """An empty MariaDB database."""
    name = f"bunce_{os.getpid()}_{next(_numbers)}"
    mysql_execute(_mysql, [f"CREATE DATABASE {name}"])
    return f"{_mysql}{name}"


_KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


@dataclass(frozen=True)
class Bucket:
    """A bucket in an S3 stand-in on loopback."""

    name: str
    endpoint_url: str

    def put(self, file: Path | str, key: str) -> None:
        """Copies a file there."""
        self.client.upload_file(str(file), self.name, key)

    @property
    def client(self) -> Any:
        """boto3's, with the credentials of the stand-in."""
        import boto3

        return boto3.client("s3", endpoint_url=self.endpoint_url, region_name="us-east-1", **_KEYS)


@pytest.fixture(scope="session")
def loading() -> Iterator[Forks]:
    """Starts programs that load, or whatever else takes dlt and the connector."""
    with forks("dlt_bunce.cli", "dlt_bunce.operations.flush", "pyarrow.parquet") as found:
        yield found


@pytest.fixture(scope="session")
def program_file(loading: Forks) -> Path:
    """The command, to be run as a process of its own."""
    return loading.program(
        "dlt-bunce", "import sys; from dlt_bunce.cli import main; sys.exit(main())"
    )


@pytest.fixture(scope="session")
def _s3() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(_s3: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket, with its credentials where dlt looks for them."""
    bucket = Bucket(f"bunce-{os.getpid()}-{next(_numbers)}", _s3)
    bucket.client.create_bucket(Bucket=bucket.name)
    for name, value in (_KEYS | {"endpoint_url": _s3, "region_name": "us-east-1"}).items():
        monkeypatch.setenv(f"SOURCES__FILESYSTEM__CREDENTIALS__{name.upper()}", value)
    return bucket
