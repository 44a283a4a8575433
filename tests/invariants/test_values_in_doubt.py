"""A value that was on its way when the process was killed is not taken for what Bunce has."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from tests.forks import Forks

from dlt_bunce.emulator import Behavior, Emulator, Fault

PROGRAM = """
import json, sys
import dlt
import pyarrow as pa
from dlt_bunce import bunce, bunce_adapter, flush_and_run
base_url, store_url, folder, form, job = sys.argv[1:]
job = json.loads(job)
def resource(rows, name, **options):
    data = pa.Table.from_pylist(rows) if form == "arrow" else rows
    return bunce_adapter(data, **options).with_name(name)
@dlt.source(name="crm")
def crm():
    people = [
        {"customer_id": f"c{n}", "email": f"c{n}@example.com", "first_name": "Ada",
         "last_name": "Obi", "phone_no": f"+23481{n:08d}"}
        for n in range(12)
    ]
    if job["tables"] == "two":
        yield resource(people, "customers")
        yield resource(job["facts"], "facts", values_only=True, **job["options"])
    else:
        by_id = {person["customer_id"]: person for person in people}
        rows = [{**by_id[fact["customer_id"]], **fact} for fact in job["facts"]]
        yield resource(rows, "customers", **job["options"])
pipeline = dlt.pipeline("crm", pipelines_dir=folder, destination=bunce(
    "sk_test_kills", base_url=base_url, store_url=store_url, requests_per_minute=0))
summary = flush_and_run(pipeline, crm(), write_disposition="merge")
print(json.dumps(summary.as_dict()))
"""
Facts = list[dict[str, Any]]


class Runs:
    """Loads in processes of their own, each with a working folder that no other one has."""

    def __init__(
        self,
        emulator: Emulator,
        loading: Forks,
        store: str,
        folder: Path,
        form: str,
        tables: str,
        **options: Any,
    ) -> None:
        self._emulator, self._loading, self._folder, self._count = emulator, loading, folder, 0
        self._given, self._job = (emulator.base_url, store, form), (tables, options)

    def load(self, facts: Facts) -> dict[str, Any]:
        """Loads rows, and returns the summary."""
        command = self._command(facts)
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return summary

    def kill_once_applied(self, facts: Facts, call: Any) -> None:
        """Loads rows, and ends the process once Bunce has taken the first call of a kind, before
        it answers.
        """
        hang = Fault("hang_after", on_request=1, call=call, seconds=3_600)
        self._emulator.behavior = Behavior(rate_limit=0, faults=(hang,))
        before = self._emulator.attributes.values_received
        program = subprocess.Popen(self._command(facts), stdout=subprocess.PIPE)
        while self._emulator.attributes.values_received == before:
            assert program.poll() is None
            time.sleep(0.001)
        program.send_signal(signal.SIGKILL)
        assert program.wait() == -signal.SIGKILL
        program.communicate()
        self._emulator.behavior = Behavior(rate_limit=0)

    def _command(self, facts: Facts) -> list[str]:
        base_url, store, form = self._given
        tables, options = self._job
        self._count += 1
        folder = str(self._folder / f"dlt{self._count}")
        job = json.dumps({"facts": facts, "tables": tables, "options": options})
        return self._loading.python(PROGRAM, base_url, store, folder, form, job)


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store_url of an empty store, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/bunce.sqlite"
    return str(request.getfixturevalue("postgres_store"))


def facts_of(numbers: range, **values: Any) -> Facts:
    """A row of values for each customer."""
    return [{"customer_id": f"c{n}", **values} for n in numbers]


@pytest.mark.parametrize(("form", "tables"), [("arrow", "one"), ("dicts", "two")])
def test_a_value_that_goes_back_to_what_it_was_is_sent_again(
    form: str, tables: str, store: str, tmp_path: Path, emulator: Emulator, loading: Forks
) -> None:
    emulator.behavior = Behavior(rate_limit=0)
    emulator.attributes.add("Plan", "text")
    runs = Runs(emulator, loading, store, tmp_path, form, tables, attributes={"plan": "Plan"})
    runs.load(facts_of(range(4), plan="gold"))

    runs.kill_once_applied(facts_of(range(2), plan="silver"), "values")
    in_doubt = [emulator.attributes.values_of(f"c{n}")["Plan"] for n in range(4)]
    # the source has changed its mind, and knows of others
    done = runs.load(facts_of(range(6), plan="gold"))
    again = runs.load(facts_of(range(6), plan="gold"))

    assert in_doubt == ["silver", "silver", "gold", "gold"]
    assert [emulator.attributes.values_of(f"c{n}")["Plan"] for n in range(6)] == ["gold"] * 6
    assert (done["attributes"]["written"], done["attributes"]["unchanged"]) == (4, 2)
    assert (again["attributes"]["written"], again["attributes"]["unchanged"]) == (0, 6)


@pytest.mark.parametrize(("form", "tables"), [("dicts", "one"), ("arrow", "two")])
def test_a_member_who_may_have_joined_leaves_with_the_next_false(
    form: str, tables: str, store: str, tmp_path: Path, emulator: Emulator, loading: Forks
) -> None:
    emulator.behavior = Behavior(rate_limit=0)
    emulator.attributes.add_segment("VIP")
    runs = Runs(emulator, loading, store, tmp_path, form, tables, segments={"vip": "VIP"})
    runs.load(facts_of(range(4), vip=False))

    runs.kill_once_applied(facts_of(range(2), vip=True), "members")
    in_doubt = emulator.attributes.members_of("VIP")
    done = runs.load(facts_of(range(6), vip=False))
    again = runs.load(facts_of(range(6), vip=False))

    assert in_doubt == {"c0", "c1"}
    assert emulator.attributes.members_of("VIP") == set()
    assert (done["segments"]["written"], done["segments"]["unchanged"]) == (2, 4)
    assert (again["segments"]["written"], again["segments"]["unchanged"]) == (0, 6)


def test_a_member_who_may_have_joined_is_removed_for_being_absent(
    store: str, tmp_path: Path, emulator: Emulator, loading: Forks
) -> None:
    emulator.behavior = Behavior(rate_limit=0)
    emulator.attributes.add_segment("VIP")
    options = {"segments": {"vip": "VIP"}, "segments_whole": True}
    runs = Runs(emulator, loading, store, tmp_path, "arrow", "two", **options)
    runs.load(facts_of(range(10), vip=True))

    runs.kill_once_applied(facts_of(range(11), vip=True), "members")
    in_doubt = len(emulator.attributes.members_of("VIP"))
    done = runs.load(facts_of(range(10), vip=True))

    assert in_doubt == 11
    assert emulator.attributes.members_of("VIP") == {f"c{n}" for n in range(10)}
    assert (done["absent_members"]["read"], done["absent_members"]["written"]) == (1, 1)
