"""`dead-letters show ID`: a customer's id is never taken for the start of another's dead letter."""

from __future__ import annotations

import pytest

from dlt_bunce.store.database import Database

from .conftest import Run, people, write

SHOW = ("dead-letters", "show")


@pytest.fixture
def loaded(run: Run, store: str) -> Run:
    """After a load of customer 480, who is good, and of 1, 2, and 4801, with ids of their dead
    letters that begin as chosen here.
    """
    write([*people(480), *people(1, 2, 4801, mobile="call me")])
    assert run("load", "customers.parquet").code == 0
    with Database(store) as db:
        for customer, start in (("1", "4801234567"), ("2", "480fffff"), ("4801", "480ffff0")):
            db.execute(
                "UPDATE bunce_dead_letters SET id = $1 WHERE customer_id = $2",
                (start.ljust(24, "0"), customer),
            )
    return run


@pytest.mark.parametrize("text", ["480", "48", "9", "480f", "48012345678"])
def test_what_is_no_start_of_one_id_shows_nobody_s_row(loaded: Run, text: str) -> None:
    shown = loaded(*SHOW, text)

    assert (shown.code, shown.output) == (2, "")
    assert ("at 20" in shown.errors) == (text == "480")
    if text == "480f":
        assert "More than one dead letter has an id starting with '480f'" in shown.errors
        assert "--customer" in shown.errors
    else:
        assert "give at least 4 digits, or 8 if none is a letter" in shown.errors


def test_a_customer_s_exact_id_wins_over_the_start_of_another_s_letter(loaded: Run) -> None:
    [letter] = loaded(*SHOW, "4801", "--json").json

    assert letter["customer_id"] == "4801"
    assert '"4801"' in loaded(*SHOW, "4801").output


@pytest.mark.parametrize(("start", "customer"), [("480123456", "1"), ("480FFFF0", "4801")])
def test_the_start_of_an_id_is_enough(loaded: Run, start: str, customer: str) -> None:
    assert loaded(*SHOW, start, "--json").json["customer_id"] == customer
