"""Runs scenarios, the programs of each taking turns, and keeps every trial as it is measured."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks import customers
from tests.benchmarks.plan import BATCH, REFUSED, Scenario
from tests.benchmarks.server import Server
from tests.benchmarks.trial import Contender, Trial, run
from tests.postgres import drop_schema, new_schema, postgres


class Rounds:
    """The trials of a benchmark, in a file with a line for each; what is there is not run again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "trials.jsonl"

    def trials(self) -> list[dict[str, object]]:
        """All there are: scenario, contender, round, and the fields of `Trial`."""
        if not self._file.exists():
            return []
        return [json.loads(line) for line in self._file.read_text().splitlines()]

    def run(self, scenarios: tuple[Scenario, ...], rounds: int) -> None:
        """Runs what is missing of so many rounds."""
        with postgres() as url:
            for scenario in scenarios:
                for number in range(rounds):
                    for contender in scenario.contenders:
                        if not self._is_there(scenario, contender, number):
                            trial = self._trial(scenario, contender, url)
                            self._keep(scenario, contender, number, trial)

    def _is_there(self, scenario: Scenario, contender: Contender, number: int) -> bool:
        key = (scenario.name, contender.name, number)
        return any(key == (t["scenario"], t["contender"], t["round"]) for t in self.trials())

    def _keep(self, scenario: Scenario, contender: Contender, number: int, trial: Trial) -> None:
        kept = {"scenario": scenario.name, "contender": contender.name, "round": number}
        with self._file.open("a") as file:
            file.write(json.dumps(kept | asdict(trial)) + "\n")
        print(f"{scenario.name}, {contender.name}: {trial.seconds:.1f} s", flush=True)

    def _trial(self, scenario: Scenario, contender: Contender, url: str) -> Trial:
        folder = self._folder / "contender"
        shutil.rmtree(folder, ignore_errors=True)
        with self._store(contender, folder, url) as store_url, Server() as server:

            def load(file: Path) -> Trial:
                return run(contender, server, file, folder, batch=BATCH, store_url=store_url)

            if contender.store and scenario.phase in ("unchanged", "changed"):
                # what it remembers; quickly, whatever the scenario's server is like
                load(self._input(scenario.rows, "first", contender))
            refusal = {"refused_email_domain": REFUSED} if scenario.phase == "refused" else {}
            server.behave(**scenario.switches, **refusal, repeated_id="overwritten")
            return load(self._input(scenario.rows, scenario.phase, contender))

    @contextmanager
    def _store(self, contender: Contender, folder: Path, url: str) -> Iterator[str]:
        if contender.store != "postgres":
            yield f"sqlite:///{folder}/bunce.sqlite"
            return
        store_url = new_schema(url)
        yield store_url
        drop_schema(store_url)

    def _input(self, rows: int, phase: str, contender: Contender) -> Path:
        kind = "first" if phase == "unchanged" else phase
        file = self._folder / f"{rows}-{kind}.parquet"
        if not file.exists():
            customers.write(
                file,
                rows,
                changed_share=0.01 if kind == "changed" else 0,
                refused_share=0.01 if kind == "refused" else 0,
            )
        if contender.reads == "bodies":
            return customers.bodies(file, BATCH)
        return customers.messages(file) if contender.reads == "messages" else file
