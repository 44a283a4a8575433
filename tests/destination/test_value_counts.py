"""A run whose counts of values do not add up fails, whatever made them wrong."""

from __future__ import annotations

import pytest

from dlt_bunce import bunce_adapter, flush_and_run
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.errors import ConservationError
from dlt_bunce.store.database import Database

from .attribute_runs import prepare
from .conftest import MakePipeline, customer, refused
from .values_tables import FACTS, customers, fact, facts

_CHOSEN = "run_id = NEW.run_id AND job = NEW.job AND kind = NEW.kind AND chunk = NEW.chunk"
# what somebody's trigger does once a chunk's counts of a kind are written
DAMAGE = {
    "lost": f"DELETE FROM bunce_run_values WHERE {_CHOSEN}",
    "twice": f"UPDATE bunce_run_values SET written = written + 1 WHERE {_CHOSEN}",
}
WORDS = {"lost": "but 0 are accounted for", "twice": "fates are counted for them"}


def damage(store: str, kind: str, how: str) -> None:
    """Adds the trigger to the store."""
    when = f"NEW.kind = '{kind}' AND NEW.written > OLD.written"
    after = "AFTER UPDATE OF written ON bunce_run_values FOR EACH ROW"
    with Database(store) as db:
        if store.startswith("sqlite"):
            db.execute(f"CREATE TRIGGER damage {after} WHEN {when} BEGIN {DAMAGE[how]}; END")
            return
        db.execute(
            "CREATE FUNCTION damage() RETURNS trigger LANGUAGE plpgsql AS "
            f"$do$ BEGIN {DAMAGE[how]}; RETURN NULL; END $do$"
        )
        # not for what it does itself
        when = f"{when} AND pg_trigger_depth() = 0"
        db.execute(f"CREATE TRIGGER damage {after} WHEN ({when}) EXECUTE FUNCTION damage()")


@pytest.mark.parametrize("how", ["lost", "twice"])
@pytest.mark.parametrize("kind", ["attributes", "segments", "value_rows"])
def test_values_that_are_not_counted_once_each_fail_the_run(
    make: MakePipeline, emulator: Emulator, store: str, kind: str, how: str
) -> None:
    prepare(emulator)
    emulator.behavior = Behavior(rate_limit=0)
    pipeline = make(store_url=store)
    flush_and_run(pipeline, customers([customer(n) for n in range(10)]))
    damage(store, kind, how)
    rows = [fact(n) for n in range(10)]
    people = [
        customer(n, **{k: v for k, v in row.items() if k != "user"}) for n, row in enumerate(rows)
    ]
    data = bunce_adapter(people, **FACTS).with_name("customers")

    error = refused(pipeline, facts(rows) if kind == "value_rows" else data)

    assert isinstance(error, ConservationError)
    assert WORDS[how] in str(error)
