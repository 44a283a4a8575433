"""A table that is declared whole: members who are absent from it leave its segments, others not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlt_bunce import bunce_adapter, flush_and_run, run_summary
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.errors import ConfigurationError, MappingError, TooFewRowsError
from dlt_bunce.sources import shard_source
from dlt_bunce.store.database import Database

from .attribute_runs import calls, prepare
from .conftest import STORE, MakePipeline, customer
from .values_tables import fact, some

Rows = list[dict[str, Any]]
WHOLE: dict[str, Any] = {"segments": {"vip": "VIP"}, "segments_whole": True}


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)


def people(*numbers: int, **changes: Any) -> Rows:
    """Rows of members, and changes."""
    return [customer(n, vip=True) | changes for n in numbers]


def load(pipeline: dlt.Pipeline, rows: Any, **options: Any) -> Any:
    """Loads rows of a whole table and says what became of them."""
    data = bunce_adapter(rows, **(WHOLE | options)).with_name("customers")
    return flush_and_run(pipeline, data, write_disposition="merge")


def members(emulator: Emulator) -> list[str]:
    """The members of the segment."""
    return sorted(emulator.attributes.members_of("VIP"))


def as_arrow(rows: Rows) -> Any:
    """Rows as an Arrow table."""
    return pa.Table.from_pylist(rows)


@pytest.mark.parametrize("form", [list, as_arrow])
def test_members_who_are_absent_are_removed_once_and_counted(
    make: MakePipeline, emulator: Emulator, store: str, form: Callable[[Rows], Any]
) -> None:
    pipeline = make(store_url=store, max_batch_size=4)
    first = load(pipeline, form(people(*range(30))))
    before = len(emulator.requests)

    # one says so, one has a blank, four are gone
    rows = [*people(*range(24)), *people(24, vip=False), *people(25, vip=None)]
    second = load(pipeline, form(rows))
    asked = len(emulator.requests)
    third = load(pipeline, form(rows))
    back = load(pipeline, form(people(*range(30))))

    assert (dict(first.absent_members), first.over_thresholds) == ({}, {})
    assert some(second.absent_members) == {"read": 5, "written": 5}
    assert some(second.segments) == {"read": 26, "unchanged": 24, "written": 1, "blank": 1}
    asked_for = [r.rows for r in emulator.requests[before:asked] if r.call == "members"]
    # one by its false, and then the others in full batches
    assert sorted(asked_for) == [1, 1, 4]
    assert some(third.absent_members) == {}
    assert (back.segments["written"], members(emulator)) == (6, sorted(f"c{n}" for n in range(30)))


def test_without_it_nobody_is_removed_for_being_absent(
    make: MakePipeline, emulator: Emulator
) -> None:
    load(make(), people(*range(10)), segments_whole=None)
    done = load(make(), people(*range(9)), segments_whole=False)

    assert (len(members(emulator)), dict(done.absent_members)) == (10, {})


def test_a_source_that_lost_half_of_its_rows_removes_nobody_and_fails(
    make: MakePipeline, emulator: Emulator, warned: Callable[[], list[dict[str, Any]]]
) -> None:
    load(make(), people(*range(20)))

    with pytest.raises(TooFewRowsError, match=r"10 absent members.*80.00%.*") as failure:
        load(make(), people(*range(10)))

    summary = failure.value.summary
    assert "--segments-min-share 0" in str(failure.value.remedy)
    assert (summary.state, summary.read, len(members(emulator))) == ("completed", 10, 20)
    assert summary.warnings == {"absent_members_kept": 10}
    assert next(e for e in warned() if e["event"] == "segments.absent_kept")["segment"] == "VIP"
    # somebody has looked: it is complete
    assert some(load(make(segments_min_share=0.5), people(*range(10))).absent_members) == {
        "read": 10,
        "written": 10,
    }


def test_rows_lost_of_others_than_members_count_as_well(
    make: MakePipeline, emulator: Emulator
) -> None:
    others = [customer(n, vip=False) for n in range(100, 120)]
    load(make(), [*people(*range(10)), *others])

    with pytest.raises(TooFewRowsError):
        load(make(), people(*range(9)))

    assert len(members(emulator)) == 10


@pytest.mark.parametrize("rows", [[], people(*range(20), vip=None), people(*range(20), vip="?")])
def test_an_empty_source_never_empties_a_segment(
    make: MakePipeline, emulator: Emulator, rows: Rows
) -> None:
    load(make(), people(*range(20)))

    if rows and rows[0]["vip"] is None:
        with pytest.raises(TooFewRowsError):
            load(make(), rows)
    else:
        load(make(segments_min_share=0.0), rows)

    assert len(members(emulator)) == 20


def test_a_rejected_row_is_not_absence_and_one_without_an_id_hides_who_is_absent(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline = make()
    load(pipeline, people(*range(20)))

    kept = load(pipeline, [*people(*range(18)), customer(18, vip=None, email="bad")])
    with pytest.raises(TooFewRowsError, match="1 row that has no usable customer id"):
        load(pipeline, [*people(*range(18)), *people(19, customer_id=None)])

    # c18 was rejected, c19 was absent
    assert some(kept.absent_members) == {"read": 1, "written": 1}
    assert members(emulator) == sorted(f"c{n}" for n in range(19))


def test_whoever_is_in_any_file_or_any_row_is_there(
    make: MakePipeline, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_WRITER__FILE_MAX_ITEMS", "7")
    load(make(), people(*range(20)))
    rows = people(*range(19))

    done = load(make(), [*rows, *people(18, vip=None), *people(3, 4)])

    assert some(done.absent_members) == {"read": 1, "written": 1}
    assert members(emulator) == sorted(f"c{n}" for n in range(19))


def test_a_table_of_values_alone_is_whole_by_itself(make: MakePipeline, emulator: Emulator) -> None:
    settings = {"segments": {"vip": "VIP"}, "segments_whole": True}
    pipeline = make(values_tables={"facts": {"customer_id": "user", **settings}})

    def both(*numbers: int) -> Any:
        @dlt.source(name="crm")
        def crm() -> Any:
            yield dlt.resource([customer(n) for n in range(10)], name="customers")
            yield dlt.resource([fact(n, vip=True) for n in numbers], name="facts")

        return flush_and_run(pipeline, crm(), write_disposition="merge")

    both(*range(10))
    done = both(*range(9))
    again = both(*range(10))

    assert some(done.absent_members) == {"read": 1, "written": 1}
    assert (done.value_rows["unchanged"], again.segments["written"]) == (9, 1)
    assert len(members(emulator)) == 10


def test_an_erased_customer_is_not_sent_again(make: MakePipeline, emulator: Emulator) -> None:
    load(make(), people(*range(10)))
    with Database(STORE) as db:
        db.execute("DELETE FROM bunce_customers WHERE customer_id = 'c9'")

    done = load(make(), people(*range(8)))

    assert some(done.absent_members) == {"read": 1, "written": 1}
    assert members(emulator) == sorted(f"c{n}" for n in (*range(8), 9))


def test_a_source_that_is_read_in_part_is_refused_before_anything_is_sent(
    make: MakePipeline, emulator: Emulator
) -> None:
    @dlt.resource(name="customers")
    def since(seen: Any = dlt.sources.incremental("seen")) -> Any:
        yield people(1, seen=1)

    limited = dlt.resource(lambda: iter(people(1, 2, 3)), name="customers").add_limit(1)
    pq.write_table(pa.Table.from_pylist(people(1, 2, 3)), "crm.parquet")
    shard = shard_source(make(), "crm.parquet", "1/2")
    for data, words in (
        (since(), "is incremental"),
        (limited, "has a limit"),
        (shard, "only shard 1/2 is read"),
    ):
        with pytest.raises(ConfigurationError, match=f"segments_whole is set.*{words}"):
            load(make(), data)
    discarding = bunce_adapter(people(1), **WHOLE).with_name("customers")
    with pytest.raises(ConfigurationError, match="contract discards"):
        flush_and_run(make("other"), discarding, schema_contract={"data_type": "discard_row"})

    assert emulator.customers == {}


def test_a_part_that_is_declared_whole_only_after_its_load_began_removes_nobody(
    make: MakePipeline, emulator: Emulator
) -> None:
    load(make(), people(*range(10)))
    emulator.behavior = Behavior(rate_limit=0, suspended=True)
    rows = people(20, *range(9))
    limited = dlt.resource(lambda: iter(rows), name="customers").add_limit(1)
    data = bunce_adapter(limited, segments={"vip": "VIP"})
    with pytest.raises(Exception, match="Bunce rejects"):
        make().run(data, write_disposition="merge")
    emulator.behavior = Behavior(rate_limit=0)

    pipeline = make(segments={"vip": "VIP"}, segments_whole=True)
    pipeline.load()

    done = run_summary(pipeline)
    assert (done.warnings["absent_members_unknown"], dict(done.absent_members)) == (1, {})
    assert {f"c{n}" for n in range(10)} <= set(members(emulator))


def test_a_plain_run_that_nobody_saw_reading_is_refused(make: MakePipeline) -> None:
    pipeline = make(segments={"vip": "VIP"}, segments_whole=True)

    with pytest.raises(Exception, match="rows passed neither bunce_adapter"):
        pipeline.run(people(1), table_name="customers")


def test_two_tables_that_feed_a_whole_segment_are_refused(make: MakePipeline) -> None:
    pipeline = make(customers_table="customers,leads")

    @dlt.source(name="crm")
    def crm() -> Any:
        yield bunce_adapter(people(1), **WHOLE).with_name("customers")
        yield bunce_adapter(people(2), segments={"vip": "VIP"}).with_name("leads")

    with pytest.raises(MappingError, match="declared whole"):
        flush_and_run(pipeline, crm(), write_disposition="merge")
    with pytest.raises(MappingError, match="feeds no segment"):
        load(make("other"), people(1), segments=None)


def test_a_refused_account_keeps_members_until_the_next_run(
    make: MakePipeline, emulator: Emulator
) -> None:
    load(make(), people(*range(20)))
    emulator.behavior = Behavior(rate_limit=0, suspended=True)

    with pytest.raises(Exception, match="Bunce rejects every segment member"):
        load(make(), people(*range(18)))
    emulator.behavior = Behavior(rate_limit=0)
    done = load(make(), people(*range(18)))

    assert (some(done.absent_members)["written"], len(members(emulator))) == (2, 18)


def test_a_plain_run_goes_on_with_what_was_kept(make: MakePipeline, emulator: Emulator) -> None:
    pipeline = make()
    data = {"write_disposition": "merge", "table_name": "customers"}
    pipeline.run(bunce_adapter(people(*range(20)), **WHOLE), **data)
    pipeline.run(bunce_adapter(people(*range(19)), **WHOLE), **data)

    assert some(run_summary(pipeline).absent_members) == {"read": 1, "written": 1}
    assert calls(emulator, "members") == [20, 1]
