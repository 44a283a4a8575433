"""docs/monitoring.md is so: its examples run as they stand there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dlt_bunce.destination.settings.configuration import BunceConfiguration
from dlt_bunce.telemetry import _Otel

from .conftest import Run, people, write

TEXT = (Path(__file__).parent.parent.parent / "docs" / "monitoring.md").read_text("utf-8")
PLAIN, SLACK, WEBHOOK, SDK = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@dataclass
class Receiver:
    """Somebody's webhook, on loopback."""

    url: str = ""
    status: int = 200
    posted: list[Any] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.posted.append(json.loads(body))
            self.send_response(found.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        found.url = f"http://127.0.0.1:{server.server_port}/marked-secret"
        yield found
        server.shutdown()


@pytest.fixture
def alerts(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> str:
    """The examples as a module in the working directory, and where they post to."""
    name = f"alerts_{request.node.name.split('[')[0]}"
    Path(f"{name}.py").write_text(f"{SLACK}\n\n{WEBHOOK}")
    monkeypatch.setenv("RUNTIME__SLACK_INCOMING_HOOK", receiver.url)
    monkeypatch.setenv("ALERTS_URL", receiver.url)
    return name


def test_slack_is_told_of_runs_that_need_somebody(
    run: Run, receiver: Receiver, alerts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__BUNCE__ON_RUN_END", f"{alerts}:to_slack")
    load = ("load", write([*people(1, 2), *people(3, email="nobody")]), "--pipeline-name", "crm")

    well, over = run(*load), run(*load, "--max-reject-count", "0")

    assert (well.code, over.code) == (0, 3)
    text = "*crm* completed: 1 of 3 rows are rejected (threshold: 0 rows)"
    assert [text] == [message["text"] for message in receiver.posted]


def test_a_webhook_gets_the_figures_and_its_failure_is_told_and_fails_nothing(
    run: Run, receiver: Receiver, alerts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__BUNCE__ON_RUN_END", f"{alerts}:to_webhook")

    well = run("load", write(people(1, 2)), "--json")
    receiver.status = 500
    broken = run("load", "customers.parquet", "--json")

    first, second = receiver.posted
    assert well.json == first
    assert (0, broken.json) == (broken.code, second)
    assert (
        well.errors,
        broken.errors.partition(";")[0],
    ) == ("", "Warning: on_run_end failed (to_webhook raised HTTPError)")
    assert "marked-secret" not in broken.errors


def test_a_function_that_cannot_be_found_is_wrong_use(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__BUNCE__ON_RUN_END", "nowhere_at_all:notify")

    done = run("load", write(people(1)))

    assert (done.code, done.errors.count("\n")) == (2, 1)
    assert "nowhere_at_all" in done.errors


LOAD = """
from dlt_bunce import bunce, flush_and_run
import dlt
row = dict(id=1, email="a@example.com", first_name="A", last_name="B", phone="+2348100000000")
pipeline = dlt.pipeline("crm", destination=bunce())
flush_and_run(pipeline, dlt.resource([row], name="customers"))
"""


def test_the_sdk_is_set_up_as_shown(run: Run) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SDK + LOAD],
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )

    named = {name for name in metrics() if f'"{name}"' in done.stdout}
    assert metrics() - VALUES - {"dlt_bunce.rejects", "dlt_bunce.wait.time"} == named
    assert '"dlt_bunce.load"' in done.stdout
    assert '"POST /customers/bulk"' in done.stdout


VALUES = {f"dlt_bunce.{name}" for name in ("values", "value_rejects", "rejected_values")}
"""The names of the instruments that only runs with attribute values or segment members use."""


def metrics() -> set[str]:
    """The names of the instruments."""
    names = {"rows", "rejects", "requests", "wait.time", "dead_letters.open"}
    return {f"dlt_bunce.{name}" for name in names} | VALUES | {"http.client.request.duration"}


def test_every_metric_and_every_threshold_is_explained() -> None:
    told = set(re.findall(r"^\| `(\w+\.[\w.]+)` \|", TEXT, re.MULTILINE))
    thresholds = set(re.findall(r"^\| `(\w+) = ", TEXT, re.MULTILINE))

    assert metrics() == told
    assert len(metrics()) == len(vars(_Otel())) - 1
    assert set(vars(BunceConfiguration().thresholds)) == thresholds


def test_the_way_of_plain_runs_is_the_one_that_is_there() -> None:
    assert "run_summary(pipeline).raise_if_over_thresholds()" in PLAIN
