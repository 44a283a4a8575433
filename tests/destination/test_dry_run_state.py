"""A dry run moves no cursor, whatever happens to it: the next real run sends its rows."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import dlt
import pytest
from tests.destination.conftest import MakePipeline, customer
from tests.destination.test_dispositions import DOORS, growing
from tests.forks import Forks

from dlt_bunce import flush_and_run, run_summary
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import ConfigurationError, bunce_error

KILLED = """
import os, signal, sys, dlt
from dlt.pipeline import trace
from dlt_bunce import bunce, flush_and_run
from tests.destination.test_dispositions import growing

class Killer:
    # what dlt calls at these moments, before or after the destination's own tracker
    def __getattr__(self, name):
        def called(*arguments):
            step = getattr(arguments[1], "step", "run") if len(arguments) > 1 else "run"
            if (name, step) == (sys.argv[3], sys.argv[4]):
                os.kill(os.getpid(), signal.SIGKILL)
        return called

trace.TRACKING_MODULES.insert(0, Killer())
pipeline = dlt.pipeline("crm", destination=bunce(
    credentials="sk_test_marked", base_url=sys.argv[1], requests_per_minute=0, dry_run=True))
rows = growing(5)
if sys.argv[2] == "run":
    pipeline.run(rows)
else:
    flush_and_run(pipeline, rows)
"""


@pytest.mark.parametrize("how", DOORS)
@pytest.mark.parametrize("moment", ["on_end_trace_step normalize", "on_end_trace run"])
@pytest.mark.parametrize("then", [*DOORS, "dry run"])
def test_a_killed_dry_run_is_undone(
    make: MakePipeline, emulator: Emulator, loading: Forks, how: str, moment: str, then: str
) -> None:
    command = loading.python(KILLED, emulator.base_url, how, *moment.split())
    root = str(Path(__file__).parent.parent.parent)
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": root}, check=False)
    assert done.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}
    assert make().list_normalized_load_packages() or moment == "on_end_trace run"

    if then == "dry run":
        make(dry_run=True).run(growing(5))
        summary = flush_and_run(make(), growing(5))
    else:
        pipeline = make()
        DOORS[then](pipeline, growing(5))
        summary = run_summary(pipeline)

    assert (summary.read, summary.created) == (1, 1)
    assert set(emulator.customers) == {"c5"}
    assert not list(Path(make().working_dir).glob("state_before*"))


@pytest.mark.parametrize("how", DOORS)
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_run_without_dlts_trace_is_refused(
    make: MakePipeline,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
    *,
    dry_run: bool,
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("ENABLE_RUNTIME_TRACE", "false")
        with pytest.raises(Exception, match="enable_runtime_trace is false") as raised:
            DOORS[how](make(dry_run=dry_run), growing(5))
    assert isinstance(bunce_error(raised.value), ConfigurationError)
    assert dict(emulator.customers) == {}

    pipeline = make()
    DOORS[how](pipeline, growing(5))
    assert run_summary(pipeline).created == 1


def test_pipelines_into_other_destinations_need_no_trace(
    make: MakePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    make()
    monkeypatch.setenv("ENABLE_RUNTIME_TRACE", "false")
    other = dlt.pipeline("other", destination="duckdb")

    assert other.run([customer(1)], table_name="customers").loads_ids
