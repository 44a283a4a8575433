"""No value of a customer and no key ever shows up in a log, an exception, or dlt's trace."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import pytest

from dlt_bunce import bunce, run_summary
from dlt_bunce.emulator import Behavior, Emulator, Fault

MARKS = ("marked-mail", "Markedname", "2348177777", "marked-token", "sk_test_marked")


def marked(number: int, **changes: Any) -> dict[str, Any]:
    """A customer in which every personal value carries a mark."""
    return {
        "customer_id": f"c{number}",
        "email": f"marked-mail{number}@example.com",
        "first_name": "Markedname",
        "last_name": "Markedname",
        "phone_no": f"+2348177777{number:03d}",
        "devices": [{"device_type": "ios", "device_token": "marked-token"}],
    } | changes


BEHAVIORS = {
    "all well": Behavior(rate_limit=0),
    "emails taken and refused": Behavior(rate_limit=0, refused_email_domain="example.org"),
    "errors that name nobody": Behavior(
        rate_limit=0, errors="anonymous", refused_email_domain="example.org"
    ),
    "no look-up": Behavior(rate_limit=0, lookup="absent", refused_email_domain="example.org"),
    "server errors": Behavior(rate_limit=0, faults=(Fault("error_after", probability=1.0),)),
    "dropped answers": Behavior(rate_limit=0, faults=(Fault("drop_after", on_request=1),)),
    "html": Behavior(rate_limit=0, faults=(Fault("html_502", on_request=1),)),
    "cut off": Behavior(rate_limit=0, faults=(Fault("truncated", on_request=1),)),
    "a refused key": Behavior(rate_limit=0, api_keys=("other",)),
    "too large": Behavior(rate_limit=0, max_batch=1),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "unreachable": {"base_url": "http://127.0.0.1:9/v1"},
    "a wrong mapping": {"mapping": {"email": "nowhere"}},
    "a contradicting key": {"base_url": "https://api.bunce.so/v1"},
    "a broken store": {"store_url": "sqlite:///broken.sqlite"},
    "customers under another id": {"on_email_taken": "link"},
}


@pytest.fixture
def everything_said(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[list[str]]:
    """Collects all logging at DEBUG, whoever logs, and all output."""
    said: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(self.format(record))

    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("LOAD__RAISE_ON_MAX_RETRIES", "1")
    keeper = Keeper(logging.DEBUG)
    # dlt's logger passes nothing on to the root, and keeps its level for the whole process
    loggers = [logging.getLogger(name) for name in (None, "dlt")]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    for logger in loggers:
        logger.addHandler(keeper)
        logger.setLevel(logging.DEBUG)
    yield said
    for logger, level, handlers in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)
    output = capfd.readouterr()
    said += [output.out, output.err]
    text = "\n".join(said)
    assert len(text) > 1_000, "nothing was captured, so nothing is shown"
    assert [mark for mark in MARKS if mark in text] == []


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("case", [*BEHAVIORS, *SETTINGS])
def test_no_failing_path_tells_a_value(
    case: str, emulator: Emulator, everything_said: list[str]
) -> None:
    emulator.behavior = BEHAVIORS.get(case, Behavior(rate_limit=0))
    emulator.seed([marked(2, customer_id="made-2", devices=[])])
    Path("broken.sqlite").write_text("this is no database " * 100)
    settings = {
        "credentials": "sk_test_marked",
        "base_url": emulator.base_url,
        "timeout_s": 5.0,
    } | SETTINGS.get(case, {})
    rows = [
        marked(1),
        marked(2),
        marked(3, email="marked-mail@@example.com"),
        marked(4, phone_no="marked-token"),
        marked(5, email="marked-mail1@example.com"),
        marked(6, email="marked-mail6@example.org"),
        marked(7, devices="[{'device_type': 'marked-token'}]"),
    ]
    rows[1]["devices"] = rows[0]["devices"] = '[{"device_type":"i","device_token":"marked-token"}]'
    for row in rows[2:6]:
        row["devices"] = None
    pipeline = dlt.pipeline("crm", destination=bunce(requests_per_minute=0, **settings))

    try:
        pipeline.run(rows, table_name="customers")
        everything_said.append(repr(run_summary(pipeline)))
    except Exception as error:  # noqa: BLE001, whatever it is, it must tell nothing
        everything_said.append(f"{error!r} {error} {error.__cause__!r}")
    everything_said.append(str(pipeline.last_trace))
    # the trace as dlt keeps it on disk, with every exception and its attributes
    traces = list(Path(pipeline.working_dir).glob("trace*"))
    assert traces
    everything_said += [file.read_bytes().decode("latin-1") for file in traces]
    everything_said.append(repr(pipeline.destination))
