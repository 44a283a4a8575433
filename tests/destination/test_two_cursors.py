"""Two incremental runs of one pipeline at once, each in a folder of its own, as engines run them:
the cursor that the next run starts from is never ahead of rows that are not settled.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from tests.forks import Forks

from dlt_bunce.emulator import Emulator

from .conftest import STORE

PROGRAM = """
import json, sys, dlt
from dlt_bunce import bunce, flush_and_run, run_summary
from dlt_bunce.scripts import run_folder
base_url, store_url, how, last = sys.argv[1:]
seen = []

@dlt.resource(name="customers", write_disposition="merge")
def customers(position=dlt.sources.incremental("position", primary_key="customer_id")):
    seen.append(position.last_value)
    # another run has started meanwhile, from the same cursor
    print("reading", flush=True)
    sys.stdin.readline()
    for n in range(1, int(last) + 1):
        yield {"customer_id": f"c{n}", "email": f"c{n}@example.com", "first_name": "Ada",
               "last_name": "Obi", "phone_no": f"+23481{n:08d}", "position": n}

with run_folder() as folder:
    pipeline = dlt.pipeline("crm", pipelines_dir=folder, destination=bunce(
        "sk_test_x", base_url, store_url=store_url, requests_per_minute=0))
    if how == "flush_and_run":
        summary = flush_and_run(pipeline, customers())
    else:
        pipeline.run(customers())
        summary = run_summary(pipeline)
print(json.dumps({"seen": seen, **summary.as_dict()}))
"""

Start = Callable[[int], "subprocess.Popen[str]"]


@pytest.fixture(params=[("run", "sqlite"), ("flush_and_run", "postgres")], ids=" in ".join)
def start(request: pytest.FixtureRequest, emulator: Emulator, loading: Forks) -> Start:
    """Start a run over customers up to a number, and return it once it has its cursor."""
    how, engine = request.param
    store = STORE if engine == "sqlite" else str(request.getfixturevalue("postgres_store"))

    def start(last: int) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            loading.python(PROGRAM, emulator.base_url, store, how, str(last)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "reading\n", process.communicate()[1][-2_000:]
        return process

    return start


def ended(process: subprocess.Popen[str]) -> Any:
    """Let it read, and return what it has printed once it has ended well."""
    out, errors = process.communicate("\n", timeout=120)
    assert process.returncode == 0, errors[-2_000:]
    return json.loads(out)


def killed(process: subprocess.Popen[str]) -> None:
    """End it before it has read."""
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    ("ends", "cursor"),
    [((20, 30), 30), ((30, 20), 20)],
    ids=["newer rows last", "newer rows first"],
)
def test_the_cursor_of_the_run_that_completes_last_wins(
    emulator: Emulator, start: Start, ends: tuple[int, int], cursor: int
) -> None:
    ended(start(10))
    both = [start(last) for last in ends]

    found = [ended(process) for process in both]
    third = ended(start(40))

    assert [run["seen"] for run in found] == [[10], [10]]
    # both have read up to 20: it is sent by one and found unchanged by the other
    assert [(run["read"], run["created"]) for run in found] == [
        (ends[0] - 10, ends[0] - 10),
        (ends[1] - 10, max(ends[1] - ends[0], 0)),
    ]
    assert (third["seen"], third["read"], third["created"]) == ([cursor], 40 - cursor, 10)
    assert emulator.times_sent == {f"c{n}": 1 for n in range(1, 41)}


def test_a_run_with_newer_rows_that_does_not_complete_moves_no_cursor(
    emulator: Emulator, start: Start
) -> None:
    ended(start(10))
    newer, older = start(30), start(20)
    killed(newer)
    ended(older)

    third = ended(start(40))

    assert (third["seen"], third["read"]) == ([20], 20)
    assert emulator.times_sent == {f"c{n}": 1 for n in range(1, 41)}
