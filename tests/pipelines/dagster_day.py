"""The Dagster definitions, and what they load: a database with three days of customers."""

# no `from __future__ import annotations`: Dagster evaluates annotations when it decorates

import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest
from tests.pipelines.crm import FILL
from tests.postgres import PASSWORD, with_login

from dlt_bunce.emulator import Emulator

FILE = Path(__file__).parent.parent.parent / "pipelines" / "dagster_defs.py"


@pytest.fixture(scope="session")
def module() -> ModuleType:
    """The definitions, as Dagster loads them."""
    spec = importlib.util.spec_from_file_location("dagster_defs", FILE)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules["dagster_defs"] = found
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        spec.loader.exec_module(found)
    return found


Execute = Callable[..., Any]


@pytest.fixture
def crm(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with three days of customers, one per minute."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute(FILL)  # type: ignore[arg-type]
    crm = with_login(postgres_url)
    monkeypatch.setenv("CRM_URL", crm)
    monkeypatch.setenv("DESTINATION__BUNCE__REQUESTS_PER_MINUTE", "0")
    return crm


@pytest.fixture
def store(postgres_store: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store whose role has a password, which the environment holds."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    return with_login(postgres_store, password=False)


@pytest.fixture
def execute(module: ModuleType, emulator: Emulator, crm: str, store: str) -> Iterator[Execute]:
    """Run a job for one partition, in a Dagster instance that lasts for the test."""
    import dagster as dg

    with dg.DagsterInstance.ephemeral() as instance:

        def execute(
            job: str, partition: str, *, raise_on_error: bool = False, **config: Any
        ) -> Any:
            bunce = module.Bunce(
                source_url=crm,
                api_key="sk_test_marked",
                base_url=emulator.base_url,
                store_url=store,
            )
            return module.defs.resolve_job_def(job).execute_in_process(
                partition_key=partition,
                instance=instance,
                resources={"bunce": bunce},
                run_config={"ops": config},
                raise_on_error=raise_on_error,
            )

        yield execute
