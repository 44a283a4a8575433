"""Random histories of loads, edits, faults, and kills end as if nothing had ever gone wrong."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dlt_bunce.api.client import Session
from dlt_bunce.api.rate_limit import TokenBucket
from dlt_bunce.api.reply import Reply
from dlt_bunce.api.retry import RetryPolicy
from dlt_bunce.api.throttle import BatchSize, Concurrency, Throttle
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.emulator.behavior import FaultKind
from dlt_bunce.errors import BunceError
from dlt_bunce.load.load import Load, Settings
from dlt_bunce.load.sender import BunceSender
from dlt_bunce.model import Verb
from dlt_bunce.records.fields.rules import Rules
from dlt_bunce.records.mapping.mapping import resolve_mapping
from dlt_bunce.store.database import Database
from dlt_bunce.store.ledger import LoadFile
from dlt_bunce.store.runs import runs

from .api_variants import BEHAVIORS
from .customers import REFUSED, person

HISTORIES = int(os.environ.get("DLT_BUNCE_TEST_HISTORIES", "30"))
FIELDS = ("customer_id", "email", "first_name", "last_name", "phone_no")
KINDS = ("good", "good", "good", "bad here", "bad there")
FAULTS: tuple[FaultKind, ...] = (
    "drop_after",
    "drop_before",
    "drop_midway",
    "error_after",
    "error_midway",
    "html_502_after",
    "truncated",
)
# rows a chunk, rows a batch, and batches in flight: all announced at once, or a few at a time
SHAPES = [(4, 3, 2), (12, 1, 1)]
Kill = tuple[Literal["before", "after"], Literal["request", "commit"], int]


class KilledError(BaseException):
    """The process ends here."""


@dataclass
class Killer:
    """Ends the process at the n-th request or commit, before or after it."""

    when: Kill | None
    passed: Counter[str] = field(default_factory=Counter)

    def at(self, when: str, what: str) -> None:
        """Called at every boundary."""
        self.passed[f"{when} {what}"] += 1
        if self.when and (when, what, self.passed[f"{when} {what}"]) == self.when:
            raise KilledError


class MortalSession(Session):
    """A session whose process may end around a request."""

    killer: Killer

    def send(
        self,
        verb: Verb,
        body: bytes,
        stopped: Callable[[], bool] = lambda: False,
        **seen: int,
    ) -> Reply | None:
        self.killer.at("before", "request")
        reply = super().send(verb, body, stopped, **seen)
        self.killer.at("after", "request")
        return reply


class MortalDatabase(Database):
    """A connection whose process may end around a commit."""

    killer = Killer(None)

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> None:
        if sql != "COMMIT":
            super().execute(sql, parameters)
            return
        self.killer.at("before", "commit")
        super().execute(sql, parameters)
        self.killer.at("after", "commit")


@dataclass(frozen=True)
class Row:
    """A customer at the source."""

    kind: str
    version: int

    def values(self, key: str) -> tuple[str, ...]:
        """Its columns."""
        bad = {"good": "", "bad here": "here", "bad there": "there"}[self.kind]
        row = person(int(key[1:]), self.version, bad=bad)
        return tuple(row[name] for name in FIELDS)


@dataclass(frozen=True)
class Source:
    """The rows of a load, in chunks of four."""

    rows: tuple[tuple[str, Row], ...]

    @property
    def row_count(self) -> int:
        return len(self.rows)

    def chunks(self, rows: int, columns: Collection[str] | None = None) -> Iterator[pa.Table]:
        for start in range(0, len(self.rows), rows):
            part = [row.values(key) for key, row in self.rows[start : start + rows]]
            yield pa.table(dict(zip(FIELDS, zip(*part, strict=True), strict=True)))


class Histories(RuleBasedStateMachine):
    """Compares Bunce, ledger, letters, and counts with what loads without faults would give."""

    emulator: Emulator

    @initialize(reading=st.sampled_from(BEHAVIORS), shape=st.sampled_from(SHAPES))
    def begin(self, reading: Behavior, shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self.folder = tempfile.TemporaryDirectory()
        self.store = f"sqlite:///{Path(self.folder.name) / 'bunce.sqlite'}"
        self.calm = replace(reading, rate_limit=0, refused_email_domain=REFUSED)
        self.emulator.reset()
        self.emulator.behavior = self.calm
        self.source: dict[str, Row] = {}
        # what must be: content of each customer in Bunce, and bad rows with their code
        self.delivered: dict[str, Row] = {}
        self.refused: dict[str, Row] = {}
        self.runs = 0

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule(
        keys=st.sets(st.integers(0, 11), min_size=1, max_size=6),
        kinds=st.lists(st.sampled_from(KINDS), min_size=6, max_size=6),
        version=st.integers(0, 3),
    )
    def edit(self, keys: set[int], kinds: list[str], version: int) -> None:
        for key, kind in zip(sorted(keys), kinds, strict=False):
            self.source[f"c{key}"] = Row(kind, version)

    @rule(
        disposition=st.sampled_from(["merge", "merge", "append"]),
        accidents=st.lists(
            st.one_of(
                st.tuples(st.sampled_from(FAULTS), st.integers(1, 3)),
                st.tuples(
                    st.sampled_from(["before", "after"]),
                    st.sampled_from(["request", "commit"]),
                    st.integers(1, 5),
                ),
            ),
            max_size=3,
        ),
    )
    def load(self, disposition: str, accidents: list[Any]) -> None:
        self.runs += 1
        load_file = LoadFile("a", f"run{self.runs}", "crm", "customers", "1", disposition)
        source = Source(tuple(self.source.items()))
        expected = self.expect(source, disposition)
        for accident in accidents:
            kill = accident if len(accident) == 3 else None
            faults = () if kill else (Fault(accident[0], on_request=accident[1]),)
            self.emulator.behavior = replace(self.calm, faults=faults)
            try:
                self.once(load_file, source, kill)
            except (KilledError, BunceError):
                continue
        self.emulator.behavior = self.calm
        counts = self.once(load_file, source, None)

        assert expected == Counter({name: n for name, n in counts.items() if n})
        start = len(self.emulator.requests)
        self.runs += 1
        again = self.once(replace(load_file, run_id=f"run{self.runs}"), source, None)
        assert {"lookup"} >= {record.call for record in self.emulator.requests[start:]}
        assert sum(again[name] for name in ("created", "updated", "adopted", "rejected")) == 0

    def once(self, load_file: LoadFile, source: Source, kill: Kill | None) -> dict[str, int]:
        """One process: until its end, or until it is killed."""
        killer = Killer(kill)
        mapping = resolve_mapping(FIELDS)
        chunk_rows, rows, level = self.shape
        settings_ = Settings(mapping, Rules(), b"key", chunk_rows, check_mapping=False)
        settings_ = replace(settings_, patience_s=(0.0,) * 5)
        retry = RetryPolicy(base_s=0.001)
        with (
            MortalDatabase(self.store) as db,
            closing(
                MortalSession(self.emulator.base_url, "sk_test_x", pace=TokenBucket(0), retry=retry)
            ) as session,
        ):
            runs.begin(db, load_file, {})
            db.killer = session.killer = killer
            throttle = Throttle(BatchSize(rows, rows), Concurrency(level, level))
            return Load(source, load_file, settings_, db, BunceSender(session, throttle)).run()

    def expect(self, source: Source, disposition: str) -> Counter[str]:
        """The counts of this load; changes what must be."""
        expected = Counter(read=source.row_count)
        for key, row in source.rows:
            there = self.delivered.get(key)
            if row.kind != "good":
                fate = "held" if self.refused.get(key) == row else "rejected"
                if row.kind == "bad there" and disposition == "append" and there:
                    fate = "held" if self.refused.get(key) == row else "skipped"
                if fate == "rejected":
                    self.refused[key] = row
                expected[fate] += 1
                continue
            if there == row:
                expected["unchanged"] += 1
            elif there is None:
                expected["created"] += 1
                self.delivered[key] = row
            elif disposition == "append":
                expected["skipped"] += 1
            else:
                expected["updated"] += 1
                self.delivered[key] = row
            self.refused.pop(key, None)
        return expected

    @invariant()
    def bunce_and_the_books_are_as_they_must_be(self) -> None:
        if not self.runs:
            return
        has = {key: there["first_name"] for key, there in self.emulator.customers.items()}
        assert {key: f"Ada {row.version}" for key, row in self.delivered.items()} == has
        with Database(self.store, read_only=True) as db:
            letters = db.rows(
                "SELECT customer_id, code FROM bunce_dead_letters WHERE status = 'open'"
            )
            claims = db.rows("SELECT 1 AS n FROM bunce_customers WHERE claim_batch IS NOT NULL")
        codes = {"bad here": "invalid_email", "bad there": "refused"}
        assert sorted((key, codes[row.kind]) for key, row in self.refused.items()) == sorted(
            (letter["customer_id"], letter["code"]) for letter in letters
        )
        assert claims == []


@pytest.mark.usefixtures("emulator")
def test_histories_end_as_if_nothing_had_gone_wrong(emulator: Emulator) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    Histories.emulator = emulator
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=8,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        ),
    )
