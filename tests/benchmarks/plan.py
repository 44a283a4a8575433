"""What is measured: which programs, on how many rows, against which server, in which order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from tests.benchmarks.trial import Contender

BATCH = 1_000
REFUSED = "refused.example"
"""Emails of this host are refused by the emulator, by name."""

Phase = Literal["first", "unchanged", "changed", "refused"]

FLOOR = Contender("floor: ready bodies, 8 threads", "floor", "bodies")
NOTHING = Contender("dlt into nothing", "nothing")
BARE = Contender("@dlt.destination, parquet", "bare", environment={"BARE_FORMAT": "parquet"})
BARE_JSONL = Contender(
    "@dlt.destination, jsonl", "bare", environment={"BARE_FORMAT": "typed-jsonl"}
)
SINGER = Contender("Singer SDK BatchSink", "singer", "messages")
OURS = Contender("dlt-bunce, SQLite", "ours", store="sqlite")
OURS_POSTGRES = Contender("dlt-bunce, Postgres", "ours", store="postgres")


@dataclass(frozen=True)
class Scenario:
    """One load, by several programs in turn.

    first: nobody is known. unchanged: the same file again. changed: 1 % of the names differ.
    refused: nobody is known, and Bunce refuses 1 % of the rows. Programs without a memory send
    everybody again, to a server that lets them.
    """

    name: str
    rows: int
    phase: Phase
    contenders: tuple[Contender, ...]
    switches: dict[str, Any] = field(default_factory=dict)


_PEERS = (FLOOR, BARE, BARE_JSONL, SINGER, OURS, OURS_POSTGRES)
_FAST = (FLOOR, BARE, OURS, OURS_POSTGRES)
_OURS = (OURS, OURS_POSTGRES)
_AT_50_MS = {"latency_ms": 50}
_ROW_BY_ROW = {"latency_ms": 50, "row_latency_ms": 1}

SCENARIOS = (
    Scenario("first", 100_000, "first", _PEERS),
    Scenario("unchanged", 100_000, "unchanged", (NOTHING, BARE, BARE_JSONL, SINGER, *_OURS)),
    Scenario("changed", 100_000, "changed", (BARE, *_OURS)),
    Scenario("refused", 100_000, "refused", _OURS),
    Scenario("first, 50 ms", 100_000, "first", _PEERS, _AT_50_MS),
    Scenario("first, 50 ms and 1 ms a row", 20_000, "first", _PEERS, _ROW_BY_ROW),
    Scenario("first, a million", 1_000_000, "first", _FAST),
    Scenario("unchanged, a million", 1_000_000, "unchanged", (NOTHING, BARE, *_OURS)),
)
FULL = (
    Scenario("first, ten million", 10_000_000, "first", (OURS,)),
    Scenario("unchanged, ten million", 10_000_000, "unchanged", (OURS,)),
)
"""With BENCH_FULL=1: hours."""
