"""Customers whom Bunce has under another id are linked to it, if there is no doubt who they are."""

from __future__ import annotations

from typing import Any

import dlt
import pyarrow as pa
import pytest

from dlt_bunce import run_summary
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.model import RunSummary
from dlt_bunce.store import links
from dlt_bunce.store.database import Database

from .conftest import STORE, MakePipeline, customer, letters

pytestmark = pytest.mark.usefixtures("impatient")
N = 1_000
"""Customers whom Bunce has under ids of its own."""


def theirs(number: int, **changes: Any) -> dict[str, Any]:
    """A customer as another channel made it."""
    return customer(number, customer_id=f"b{number}", first_name="Old") | changes


def load(
    make: MakePipeline, rows: Any, disposition: str = "merge", name: str = "crm", **settings: Any
) -> RunSummary:
    """Load rows with links allowed; the figures of the run."""
    settings = {"on_email_taken": "link"} | settings
    pipeline: dlt.Pipeline = make(name, **settings)
    pipeline.run(rows, table_name="customers", write_disposition=disposition)
    return run_summary(pipeline)


def sent(emulator: Emulator, call: str) -> list[str]:
    """The ids that calls of a kind carried."""
    return [i for record in emulator.requests if record.call == call for i in record.customer_ids]


def made(store: str = STORE) -> dict[str, str]:
    """The links, our id to Bunce's."""
    with Database(store) as db:
        return {row["customer_id"]: row["bunce_id"] for row in links.known(db, "default")}


def test_a_first_load_links_and_updates_whoever_is_there_and_the_next_sends_nothing(
    make: MakePipeline, emulator: Emulator, store: str
) -> None:
    emulator.seed(theirs(n) for n in range(N))
    rows = pa.Table.from_pylist([customer(n) for n in range(N + 200)])

    first = load(make, rows, store_url=store)
    bulk = len(sent(emulator, "update"))
    again = load(make, rows, store_url=store)
    changed = load(make, [customer(5, first_name="Eve")], store_url=store)

    assert (first.updated, first.created, first.linked) == (N, 200, N)
    assert bulk == N
    assert (again.unchanged, again.bulk_requests, again.linked) == (N + 200, 0, 0)
    assert (changed.updated, changed.linked) == (1, 0)
    there = emulator.customers
    assert there.keys() == {f"b{n}" for n in range(N)} | {f"c{n}" for n in range(N, N + 200)}
    assert {c["first_name"] for c in there.values()} == {"Ada", "Eve"}
    assert there["b5"]["first_name"] == "Eve"
    assert {f"c{n}": f"b{n}" for n in range(N)} == made(store)
    # an email costs a share of a request, here with what it takes to learn how the API answers
    assert first.lookups <= 2 * N / 50 + 10
    assert letters() == [] if store == STORE else True


def test_append_links_and_overwrites_nothing(make: MakePipeline, emulator: Emulator) -> None:
    emulator.seed([*(theirs(n) for n in range(20)), theirs(20, first_name="Ada")])
    before = emulator.customers

    first = load(make, [customer(n) for n in range(21)], "append")
    again = load(make, [customer(n) for n in range(21)], "append")

    assert (first.adopted, first.linked, first.rejected) == (21, 21, 0)
    # what only differs is told, as for any customer that append leaves as it is
    assert (again.skipped, again.unchanged) == (20, 1)
    assert before == emulator.customers
    assert sent(emulator, "update") == []


def test_the_same_content_is_linked_without_an_update(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.seed(theirs(n, first_name="Ada", email=f"C{n}@Example.com") for n in range(5))

    summary = load(make, [customer(n) for n in range(5)])

    assert (summary.adopted, summary.linked) == (5, 5)
    assert sent(emulator, "update") == []


WHY = {
    "several": "several customers in Bunce have this email",
    "nobody": "a look-up shows no customer with this email",
    "no look-up": "customers cannot be looked up by this email",
    "ours": "the customer in Bunce is another customer of the source",
    "shared": "another customer of the source has this email",
    "hidden": "the customer in Bunce has no id",
}


def test_nobody_is_linked_where_there_is_doubt_who_they_are(
    make: MakePipeline, emulator: Emulator
) -> None:
    load(make, [customer(50), customer(51, email="old51@example.com")])
    with_ids = [customer(50), customer(51, email="x51@example.com")]
    emulator.seed(
        [
            *(theirs(n) for n in (1, 2, 3, 4)),
            theirs(1, customer_id="b1-too", email="C1@EXAMPLE.com"),
            # Bunce has what is another row of the same load, and one of an earlier load
            theirs(5, customer_id="c6"),
            theirs(7, customer_id="c50", email="c7@example.com"),
        ]
    )
    del with_ids
    rows = [
        customer(1),
        # two of ours have the email of one of theirs, the second one in another case and invalid
        customer(2),
        customer(22, email="C2@example.com", phone_no="none"),
        customer(3),
        customer(5),
        customer(6, email="c6@elsewhere.example"),
        customer(7),
        customer(4),
    ]
    before = emulator.customers

    summary = load(make, rows)

    assert made() == {"c3": "b3", "c4": "b4"}
    why = {
        key: message.partition("not linked: ")[2]
        for key, message in letters("customer_id, message")
    }
    assert WHY["several"] == why["c1"]
    assert WHY["shared"] == why["c2"]
    assert WHY["ours"] == why["c5"]
    assert WHY["ours"] == why["c7"]
    there = emulator.customers
    assert all(there[key] == before[key] for key in ("b1", "b1-too", "b2", "c50"))
    assert {k: n for k, n in summary.reject_codes.items() if k == "email_taken"} == {
        "email_taken": 4
    }


@pytest.mark.parametrize(
    ("behavior", "why"),
    [
        ({"made_ids": "hidden"}, WHY["hidden"]),
        ({"email_filter": "ignored"}, WHY["no look-up"]),
        ({"email_filter": "refused"}, WHY["no look-up"]),
        ({"lookup": "unfiltered"}, None),
        ({"lookup": "absent"}, None),
        ({"lookup": "nested"}, ""),
        ({"lookup_max_ids": 2}, ""),
        ({"lookup_max_ids": 2, "lookup_overflow": "ignored"}, ""),
        ({"max_per_page": 3}, ""),
        ({"lookup_lag": 1}, ""),
    ],
)
def test_a_look_up_counts_only_where_it_obeys_its_filter(
    make: MakePipeline, emulator: Emulator, behavior: dict[str, Any], why: str | None
) -> None:
    emulator.behavior = Behavior(rate_limit=0, **behavior)
    strangers = [customer(n, customer_id=None, first_name="Old") for n in range(20)]
    emulator.seed([*strangers, *(theirs(n) for n in range(900, 905))])
    before = emulator.customers

    load(make, [customer(n) for n in range(30)])

    if why == "":
        assert len(made()) == 20
        assert len(emulator.customers) == 35
        return
    assert made() == {}
    assert all(emulator.customers[key] == before[key] for key in before)
    found = letters("customer_id, message")
    assert {f"c{n}" for n in range(20)} == {key for key, _ in found}
    assert why is None or all(message.endswith(why) for _, message in found)


def test_a_linked_customer_who_is_gone_is_created_anew(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.seed([theirs(1), theirs(2), theirs(3)])
    load(make, [customer(n) for n in range(4)])
    # 1 was deleted in Bunce, 2 was deleted and came back under a third id, 3 has another email
    emulator.reset()
    emulator.seed([theirs(2, customer_id="b2-new"), theirs(3, email="new@example.com")])

    summary = load(make, [customer(n, first_name="Eve") for n in range(1, 4)])

    assert made() == {"c2": "b2-new", "c3": "b3"}
    there = emulator.customers
    assert there.keys() == {"c1", "b2-new", "b3"}
    assert {c["first_name"] for c in there.values()} == {"Eve"}
    # Bunce keeps an email that is valid, as of any customer
    assert letters() == [("c3", "email_not_updated", "open")]
    assert (summary.created, summary.updated, summary.linked) == (1, 2, 1)


def test_our_email_may_change_later_and_the_link_stays(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.behavior = Behavior(rate_limit=0, email_update="always")
    emulator.seed([theirs(1)])
    load(make, [customer(1)])

    load(make, [customer(1, email="new@example.com")])
    back = load(make, [customer(1)])

    assert emulator.customers.keys() == {"b1"}
    assert back.updated == 1


def test_a_row_with_the_id_that_bunce_has_ends_the_link(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.seed([theirs(1)])
    load(make, [customer(1)])

    late = load(make, [customer(9, customer_id="b1", email="c1@example.com")])
    again = load(make, [customer(1)])

    assert made() == {}
    assert late.warnings == {"links_ended": 1}
    assert emulator.customers["b1"]["phone_no"] == "+2348100000009"
    # and the other one is told, instead of sent to a customer who is not theirs
    assert again.reject_codes == {"email_taken": 1}
    assert emulator.customers.keys() == {"b1"}


def test_what_adopt_lists_is_not_taken_for_ours(make: MakePipeline, emulator: Emulator) -> None:
    from dlt.common.schema import Schema

    from dlt_bunce import bunce
    from dlt_bunce.operations.adopt import adopt

    settings = {"base_url": emulator.base_url, "requests_per_minute": 0}
    destination = bunce("sk_test_marked", **settings)

    def adopted() -> int:
        client = destination.client(Schema("adopt"), initial_config=destination.spec())
        return adopt(client).adopted

    same = customer(3, customer_id="own3")
    emulator.seed([theirs(1), theirs(2), same])
    assert adopted() == 3
    # a row of the source that has always been unchanged is ours all the same
    assert load(make, [same]).unchanged == 1

    summary = load(make, [customer(1), customer(3)])

    assert made() == {"c1": "b1"}
    assert summary.reject_codes == {"email_taken": 1}
    assert adopted() == 0
    assert made() == {"c1": "b1"}
    assert load(make, [customer(1)]).unchanged == 1


def test_where_customers_may_share_an_email_nobody_is_linked_and_a_person_exists_twice(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.behavior = Behavior(rate_limit=0, emails="shared")
    emulator.seed([theirs(1)])

    first = load(make, [customer(1)])
    again = load(make, [customer(1)])

    assert (first.created, first.linked, again.unchanged) == (1, 0, 1)
    assert (emulator.customers.keys(), made()) == ({"b1", "c1"}, {})
    assert emulator.customers["b1"]["first_name"] == "Old"


@pytest.mark.parametrize("kind", ["error_before", "error_after", "drop_after", "html_502_after"])
def test_an_update_that_is_lost_after_the_link_is_sent_again_to_the_same_customer(
    make: MakePipeline, emulator: Emulator, kind: Any
) -> None:
    emulator.seed(theirs(n) for n in range(30))
    fault = Fault(kind, call="update", on_request=1, until_request=2)
    emulator.behavior = Behavior(rate_limit=0, faults=(fault,))

    load(make, [customer(n) for n in range(30)])

    assert {f"b{n}" for n in range(30)} == emulator.customers.keys()
    assert {c["first_name"] for c in emulator.customers.values()} == {"Ada"}
