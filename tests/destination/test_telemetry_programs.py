"""OpenTelemetry in programs of their own: an exporter for Prometheus, no API, and an old one."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from dlt_bunce.emulator import Emulator

MISSING = """
import sys
sys.modules["opentelemetry"] = None  # as where it is not installed
"""
OLD = """
import importlib.metadata, sys
real = importlib.metadata.version
importlib.metadata.version = lambda name: "1.27.0" if name == "opentelemetry-api" else real(name)
"""
LOAD = """
import dlt
from dlt_bunce import bunce, flush_and_run
row = dict(id=1, email="a@example.com", first_name="A", last_name="B", phone="+2348100000000")
pipeline = dlt.pipeline("crm", destination=bunce("sk_test_x", base_url=sys.argv[1]))
print(flush_and_run(pipeline, dlt.resource([row], name="customers")).created)
"""


PROMETHEUS = """
import sys, urllib.request
from opentelemetry import metrics
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import start_http_server
metrics.set_meter_provider(MeterProvider([PrometheusMetricReader()]))
server, _ = start_http_server(0, addr="127.0.0.1")
"""
SCRAPE = """
url = f"http://127.0.0.1:{server.server_port}/metrics"
print(urllib.request.urlopen(url).read().decode())
"""


def test_prometheus_scrapes_the_figures_under_names_of_its_own(emulator: Emulator) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROMETHEUS + LOAD + SCRAPE, emulator.base_url],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    line = re.compile(r"^(dlt_bunce_\w+|http_\w+_count)\{(.+)\} (\S+)$", re.MULTILINE)
    found = {
        (name, tuple(re.findall(rf'{attribute}="([^"]+)"', labels)), float(value))
        for name, labels, value in line.findall(done.stdout)
        for attribute in ("fate", "kind", "reason", "http_request_method")
        if f'{attribute}="' in labels
    }
    assert found >= {
        ("dlt_bunce_rows_total", ("created",), 1.0),
        ("dlt_bunce_requests_total", ("lookup",), 1.0),
        ("dlt_bunce_requests_total", ("bulk",), 1.0),
        ("http_client_request_duration_seconds_count", ("POST",), 1.0),
    }
    assert "a@example.com" not in done.stdout


@pytest.mark.parametrize("api", [MISSING, OLD], ids=["missing", "old"])
def test_without_the_api_a_load_is_as_ever(api: str, emulator: Emulator) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", api + LOAD, emulator.base_url],
        env=os.environ | {"RUNTIME__LOG_LEVEL": "WARNING"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "1"
    assert ("telemetry.unsupported" in done.stderr) == (api == OLD)
