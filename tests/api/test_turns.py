"""Who is stopped while waiting for a turn sends nothing."""

from __future__ import annotations

from contextlib import closing

from dlt_bunce.api.adaptation import BatchSize
from dlt_bunce.api.pacing import Pace
from dlt_bunce.api.session import Session
from dlt_bunce.api.settlement import Settlement, Traits
from dlt_bunce.emulator import Emulator

from .conftest import batch, fields, row


def test_a_batch_that_is_stopped_while_it_waits_is_not_sent_and_not_in_doubt(
    emulator: Emulator,
) -> None:
    waits: list[float] = []
    # the first of each minute leaves at once, the second waits
    pace = Pace(1, sleep=waits.append, clock=lambda: 61.0 * len(waits))
    with closing(Session(emulator.base_url, "sk_test_x", pace=pace)) as session:
        session.check_key()
        settlement = Settlement(
            batch([row(fields("c1"))]),
            session,
            Traits(),
            BatchSize(1, 1),
            overwrite=True,
            stopped=lambda: bool(waits),
        )

        (verdict,) = settlement.run()

    assert waits
    assert ("deferred", False) == (verdict.fate, verdict.in_doubt)
    assert ["lookup"] == [record.call for record in emulator.requests]
