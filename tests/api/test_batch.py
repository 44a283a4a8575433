"""Rows of a batch become Python objects no more often than is needed."""

from __future__ import annotations

from tests.api.conftest import batch, fields, row


def test_rows_that_are_iterated_are_made_once() -> None:
    rows = [row(fields(f"c{n}")) for n in range(3)]
    sent = batch(rows)

    first, again = list(sent), list(sent)

    assert first == rows
    assert [id(made) for made in again] == [id(made) for made in first]
    assert sent[1] is first[1]
