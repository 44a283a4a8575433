"""Whatever the API turns out to mean, a load ends in the same state, within a bound on requests."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path

import pytest

from dlt_bunce.api.client import Session
from dlt_bunce.api.rate_limit import TokenBucket
from dlt_bunce.api.throttle import BatchSize, Concurrency, Throttle
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import RowsDeferredError
from dlt_bunce.load.load import Load, Settings
from dlt_bunce.load.pending_lookups import PATIENCE_S
from dlt_bunce.load.sender import BunceSender
from dlt_bunce.records.fields.rules import Rules
from dlt_bunce.records.mapping.mapping import resolve_mapping
from dlt_bunce.store.database import Database
from dlt_bunce.store.ledger import LoadFile
from dlt_bunce.store.runs import runs

from .api_variants import ERRORS, FAILURES, HttpVariant, http_sample, http_variants
from .customers import Population
from .explorer import SECONDS

CROWD = Population.mixed()
BATCH = 30
MAX_LOADS = 4
# Without a look-up nobody can know these; each is what we say instead of the truth.
HONEST = {
    # taken, after a request of which nobody knows what it did: by ourselves, most likely
    "borrower is delivered by conflict",
    # taken, without a doubt or a way to tell by whom
    "borrower is already_taken",
    "other is already_taken",
    "same is already_taken",
    # taken, after a rejection that named nobody: by ourselves, or by somebody else
    "new is already_taken",
    # merge updates whoever is taken, and learns that there is no such customer
    "borrower is refused",
}


@dataclass(frozen=True)
class Taken:
    """What it took to settle everybody: `loads` counts those that left rows for the next one."""

    bulk: int
    look_ups: int
    loads: int


def load(variant: HttpVariant, emulator: Emulator, db: Database, load_file: LoadFile) -> Taken:
    """Loads the customers, again while rows are deferred."""
    start = len(emulator.requests)
    settings = Settings(
        resolve_mapping(list(CROWD.row("c0"))), Rules(), b"key", patience_s=(0.0,) * 5
    )
    runs.begin(db, load_file, {})
    for number in range(1, MAX_LOADS + 1):
        with closing(Session(emulator.base_url, "sk_test_x", pace=TokenBucket(0))) as session:
            throttle = Throttle(BatchSize(BATCH, BATCH), Concurrency(2, 2))
            try:
                Load(CROWD, load_file, settings, db, BunceSender(session, throttle)).run()
            except RowsDeferredError:
                continue
        calls = Counter(record.call for record in emulator.requests[start:])
        return Taken(calls["create"] + calls["update"], calls["lookup"], number)
    raise AssertionError(f"not settled in {MAX_LOADS} loads: {variant}")


def bound(variant: HttpVariant) -> Taken:
    """What settling the customers may take at most."""
    rows, batches = CROWD.row_count, math.ceil(CROWD.row_count / BATCH)
    # 30 rows are halved to 15, and those to 8 and 7
    parts, plain = (batches * 4, batches * 7) if variant.limit else (batches, batches)
    bulk: float = plain + 5 * parts
    if variant.errors in {"first", "anonymous"}:
        bulk = plain + 2 * parts + 2 * variant.refused * math.log2(BATCH)
        if variant.failure == "partial" and not variant.has_look_up:
            # nothing tells who arrived: row by row, in both lanes
            bulk = 4 * rows
    if not variant.has_look_up:
        return Taken(math.ceil(bulk), 2 * MAX_LOADS, MAX_LOADS)
    look_ups = 8 * parts
    if variant.echo == "missing rows":
        # whoever is not shown is looked up, twice
        look_ups += 2 * math.ceil(bulk)
    if variant.look_up == "20 ids":
        look_ups *= 2
    if variant.errors in {"first", "anonymous"} and variant.emails == "unique":
        # whoever is called taken after a rejection that named others may be there, and lag behind:
        # looked for with patience, and left to the next load
        return Taken(math.ceil(bulk), 2 * look_ups + 2 * len(PATIENCE_S), 2)
    return Taken(math.ceil(bulk), look_ups, 1)


def variants(failure: str, errors: str) -> list[HttpVariant]:
    """Those of a kind that are tried: all of them where there is time to explore."""
    found = http_variants(failure, errors) if SECONDS else http_sample()
    return [variant for variant in found if (variant.failure, variant.errors) == (failure, errors)]


@pytest.mark.parametrize("errors", ERRORS)
@pytest.mark.parametrize("failure", FAILURES)
def test_every_variant_ends_in_the_same_state(
    tmp_path: Path, emulator: Emulator, failure: str, errors: str
) -> None:
    effort = {True: Effort(), False: Effort()}
    guesses: Counter[str] = Counter()
    with Database(f"sqlite:///{tmp_path / 'bunce.sqlite'}") as db:
        for number, variant in enumerate(variants(failure, errors)):
            emulator.reset()
            emulator.seed(CROWD.beforehand())
            emulator.behavior = variant.behavior
            load_file = LoadFile(
                f"a{number}", f"run{number}", "crm", "customers", "1", variant.disposition
            )

            taken = load(variant, emulator, db, load_file)

            wrong = set(deviations(variant, emulator, db, load_file))
            assert wrong <= (set() if variant.has_look_up else HONEST), variant
            most = bound(variant)
            assert taken.bulk <= most.bulk, (taken, most, variant)
            assert taken.look_ups <= most.look_ups, (taken, most, variant)
            assert taken.loads <= most.loads, (taken, most, variant)
            again = load(variant, emulator, db, replace(load_file, run_id=f"again{number}"))
            assert again.bulk == 0, variant
            effort[variant.has_look_up].add(taken, most)
            guesses.update(wrong)
    for has_look_up, what in effort.items():
        print(f"\n{failure}, {errors}, look-up {has_look_up}: {what}", end="")
    print(f"\nguesses without a look-up: {dict(guesses)}")


def deviations(
    variant: HttpVariant, emulator: Emulator, db: Database, load_file: LoadFile
) -> Iterator[str]:
    """How the final state differs from what must be."""
    letters = db.rows(
        "SELECT customer_id, code FROM bunce_dead_letters WHERE account = $1 AND status = 'open'",
        (load_file.account,),
    )
    delivered = db.rows(
        "SELECT customer_id, confirmation FROM bunce_customers "
        "WHERE account = $1 AND confirmation IS NOT NULL AND claim_batch IS NULL",
        (load_file.account,),
    )
    return CROWD.deviations(
        emulator.customers,
        {row["customer_id"]: row["code"] for row in letters},
        {row["customer_id"]: row["confirmation"] for row in delivered},
        shared=variant.emails == "shared",
        overwrite=variant.disposition == "merge",
    )


@dataclass
class Effort:
    """Requests of a group of variants, and how much of its bound each took."""

    requests: list[int] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)

    def add(self, taken: Taken, most: Taken) -> None:
        """Takes a variant's."""
        self.requests.append(taken.bulk + taken.look_ups)
        self.shares.append(taken.bulk / most.bulk)

    def __str__(self) -> str:
        return (
            f"{len(self.requests)} variants, {statistics.median(self.requests):.0f} requests for "
            f"{CROWD.row_count} rows, {max(self.requests)} at most, bulk requests up to "
            f"{max(self.shares):.0%} of their bound"
        )


def test_every_pair_of_ways_and_every_three_meanings_are_tried() -> None:
    everything = [
        variant for way in itertools.product(FAILURES, ERRORS) for variant in http_variants(*way)
    ]
    assert len(set(everything)) == 1_152
    sample = [astuple(variant) for variant in http_sample()]
    for together, ways in ((2, range(11)), (3, range(6))):
        for chosen in itertools.combinations(ways, together):
            met = {tuple(way[n] for n in chosen) for way in sample}
            assert math.prod(len({way[n] for way in sample}) for n in chosen) == len(met)
    print(f"\n{len(sample)} variants")
