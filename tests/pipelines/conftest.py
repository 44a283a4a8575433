"""The shipped pipelines, run as their users run them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dlt_bunce.emulator import Emulator

ROOT = Path(__file__).parent.parent.parent
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(emulator: Emulator) -> Run:
    """Runs a pipeline's script with arguments; keywords are environment variables."""

    def run(name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        settings = {
            "DESTINATION__BUNCE__CREDENTIALS__API_KEY": "sk_test_marked",
            "DESTINATION__BUNCE__BASE_URL": emulator.base_url,
            "DESTINATION__BUNCE__REQUESTS_PER_MINUTE": "0",
            # dlt warns of every jsonb column
            "RUNTIME__LOG_LEVEL": "ERROR",
        }
        return subprocess.run(
            [sys.executable, "-W", "default", ROOT / "pipelines" / f"{name}.py", *arguments],
            env={**os.environ, **settings, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return run
