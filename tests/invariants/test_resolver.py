"""Whatever the API turns out to mean, what is said of each row is true, or is called a guess."""

from __future__ import annotations

import itertools
import math
import os
import random
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from dlt_bunce.model import Verb
from dlt_bunce.settlement.capabilities import ApiCapabilities, Counts
from dlt_bunce.settlement.work_item import BatchRejection

from .api_variants import ApiVariant
from .explorer import (
    HONEST,
    SECONDS,
    Choose,
    History,
    deviations,
    every_history,
    play,
    readings,
)
from .model_server import Customer

KINDS = [
    Customer(kind, start)
    for kind in ("good", "bad", "taken")
    for start in (None, "ours", "old", "moved")
]
MOSTLY_GOOD = [60, 10, 10, 10, 6, 2, 1, 1, 6, 2, 1, 1]
SAMPLE = 1_200
"""Variants that are tried, unless there is time for more."""
LANES: list[tuple[Verb, bool]] = [("create", False), ("create", True), ("update", True)]


def batches(chance: random.Random) -> Iterator[tuple[ApiVariant, list[Customer], Verb, bool, int]]:
    """Yield a batch of up to four customers for some variants, and for all while there is time."""
    until = time.monotonic() + SECONDS
    everything = list(readings())
    for number in itertools.count():
        if number >= SAMPLE and time.monotonic() >= until:
            return
        if number % len(everything) == 0:
            chance.shuffle(everything)
        customers = chance.choices(KINDS, k=chance.randint(1, 4))
        accidents = 1 if number < len(everything) or len(customers) > 2 else 2
        variant = everything[number % len(everything)]
        yield (variant, customers, *chance.choice(LANES), accidents)


def test_the_result_of_each_row_is_true_under_every_variant_and_accident() -> None:
    chance = random.Random(os.environ.get("DLT_BUNCE_TEST_EXPLORE_SEED", "1"))
    guesses: Counter[str] = Counter()
    histories = 0
    for variant, customers, verb, overwrite, accidents in batches(chance):

        def run(choose: Choose) -> History:
            return play(
                variant,  # noqa: B023, called at once
                customers,  # noqa: B023
                verb=verb,  # noqa: B023
                overwrite=overwrite,  # noqa: B023
                choose=choose,
            )

        for history in every_history(run, most=accidents):
            histories += 1
            for i, what in deviations(history, overwrite=overwrite):
                name = what.partition(", but")[0]
                shown = (what, variant, customers, verb, history.results.get(i))
                assert not variant.look_up, shown
                assert name in HONEST, shown
                assert "response" not in name or _may_hide(variant), shown
                guesses[name] += 1
    print(f"\n{histories:,} histories; guesses without a look-up: {dict(guesses)}")
    assert histories > 10_000


def _may_hide(reading: ApiVariant) -> bool:
    return reading.silent != "nobody" or reading.unknown_update == "ignored"


def make_customers(chance: random.Random, rows: int, bad: int) -> list[Customer]:
    """Good new customers, of whom so many are bad."""
    at_fault = set(chance.sample(range(rows), bad))
    return [Customer("bad" if i in at_fault else "good") for i in range(rows)]


@pytest.mark.parametrize("failure", ["partial", "atomic", "prefix"])
@pytest.mark.parametrize("errors", ["all", "first", "anonymous", "mute"])
@pytest.mark.parametrize("count", ["none", "true", "more", "less", "listed"])
def test_batches_of_two_hundred_settle_truly_with_few_requests(
    failure: str, errors: str, count: str
) -> None:
    chance = random.Random(f"{failure}/{errors}/{count}")
    for look_up in (True, False):
        reading = ApiVariant(failure, errors, count, look_up=look_up)  # type: ignore[arg-type]
        capabilities = ApiCapabilities()
        for bad in (0, 1, 2, 3, 1, 5, 8, 2):
            customers = make_customers(chance, 200, bad)
            history = play(
                reading, customers, verb="create", overwrite=True, capabilities=capabilities, runs=9
            )

            assert list(deviations(history, overwrite=True)) == [], (reading, bad)
            assert history.requests <= bound(reading, 200, bad), (reading, bad)


def bound(reading: ApiVariant, n: int, k: int) -> float:
    """Requests that a batch of n rows with k bad ones may take."""
    look_ups = 2 * math.ceil(n / 99) if reading.look_up else 0
    if not k:
        return 1
    if reading.failure == "prefix" or (
        reading.failure == "partial" and not reading.look_up and reading.errors != "all"
    ):
        # nothing tells which rows arrived, or all tell late: row by row, at the worst
        return 4 * n
    if reading.errors == "all":
        return 4 + look_ups
    if reading.errors == "first":
        return 4 + look_ups + 2 * k
    return 4 + 2 * look_ups + 2 * k * math.log2(n)


@pytest.mark.parametrize("seed", range(20))
def test_random_histories_of_two_hundred_rows(seed: int) -> None:
    chance = random.Random(seed)
    faults = ["none"] * 6 + ["before", "after", "midway", "crash_before", "crash_after"]
    everything = [reading for reading in readings() if reading.look_up]
    for _ in range(10):
        reading = chance.choice(everything)
        verb, overwrite = chance.choice(LANES)
        kinds = chance.choices(KINDS, weights=[60, 10, 10, 10] + [1] * 8, k=200)

        history = play(
            reading,
            kinds,
            verb=verb,
            overwrite=overwrite,
            choose=lambda: chance.choice(faults),  # type: ignore[arg-type, return-value]
            runs=6,
        )

        wrong = list(deviations(history, overwrite=overwrite))
        assert [w for w in wrong if w[1] != "unsettled"] == [], reading
        # past the bound on requests rows are deferred
        assert not wrong or reading.largest == 2 or reading.errors in {"anonymous", "mute", "first"}


@pytest.mark.parametrize("errors", ["first", "anonymous"])
def test_a_count_of_what_is_listed_is_never_believed(errors: str) -> None:
    chance = random.Random(3)
    capabilities = ApiCapabilities()
    for bad in (1, 1, 2, 1, 3, 5):
        reading = ApiVariant(errors=errors, count="listed")  # type: ignore[arg-type]
        history = play(
            reading,
            make_customers(chance, 100, bad),
            verb="create",
            overwrite=True,
            capabilities=capabilities,
        )
        assert list(deviations(history, overwrite=True)) == []
    assert not any(counts.verified for counts in capabilities.counts.values())


@pytest.mark.parametrize("failure", ["partial", "atomic", "prefix"])
def test_the_most_that_is_ever_named_is_not_taken_for_a_count(failure: str) -> None:
    chance = random.Random(f"three/{failure}")
    reading = ApiVariant(failure, errors="three", count="listed")  # type: ignore[arg-type]
    capabilities = ApiCapabilities()
    for bad in (2, 2, 2, 6, 2, 9, 4, 2, 30):
        history = play(
            reading,
            make_customers(chance, 100, bad),
            verb="create",
            overwrite=True,
            capabilities=capabilities,
        )
        assert list(deviations(history, overwrite=True)) == [], bad
        assert not capabilities.believes(BatchRejection(3, 100, "bad", counted=True))


def test_counts_below_the_highest_are_believed_once_one_is_proven() -> None:
    chance = random.Random(11)
    capabilities = ApiCapabilities()
    needed: dict[int, list[int]] = {}
    for bad in (3, 3, 9, 8, 7, 6, 9, 10, 9):
        reading = ApiVariant(count="true")
        history = play(
            reading,
            make_customers(chance, 100, bad),
            verb="create",
            overwrite=True,
            capabilities=capabilities,
        )
        assert list(deviations(history, overwrite=True)) == [], bad
        needed.setdefault(bad, []).append(history.requests)

    # 9 is the most that this API names, for all that is known before the 10
    assert {bad: needed[bad] for bad in (8, 7, 6)} == {8: [1], 7: [1], 6: [1]}
    assert all(requests > 1 for requests in needed[9][:2])
    assert 1 == needed[9][2] < needed[10][0]


def test_what_one_sort_of_refusal_has_proven_is_not_believed_of_another() -> None:
    capabilities = ApiCapabilities(
        counts={"taken": Counts(verified=True, checked=frozenset({(20, 20)}))}
    )

    history = play(
        ApiVariant("atomic", count="true"),
        make_customers(random.Random(1), 100, 10),
        verb="create",
        overwrite=True,
        capabilities=capabilities,
    )

    assert list(deviations(history, overwrite=True)) == []
