"""An answer that shows every row as it was sent is read by columns, and any other row by row."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api.conftest import batch

from dlt_bunce.api.batch import Row
from dlt_bunce.api.lookup import customers_of
from dlt_bunce.api.reply import Reply
from dlt_bunce.records.text.text import canonical_json
from dlt_bunce.settlement import replies
from dlt_bunce.settlement.comparison import compare
from dlt_bunce.settlement.messages import Accepted

DEVICE = {"device_type": "ios", "device_token": "token-1"}
Answer = dict[str, Any]
Change = Callable[[Answer], None]


def row(number: int, name: str = "Ada", devices: list[dict[str, str]] | None = None) -> Row:
    text = json.dumps(devices, separators=(",", ":")) if devices else None
    customer = {
        "customer_id": str(number),
        "email": f"c{number}@example.com",
        "first_name": name,
        "last_name": "Obi",
        "phone_no": "+2348100000000",
    }
    payload = json.dumps({**customer, **({"devices": devices} if devices else {})})
    return Row(**customer, devices=text, payload=payload)


ROWS = [row(1), row(2, devices=[DEVICE]), row(3, devices=[DEVICE, {**DEVICE, "device_token": "b"}])]


def answer(rows: list[Row], **changes: Any) -> Answer:
    """What Bunce documents as the answer to these rows."""
    data = []
    for row in rows:
        devices = [{"device_id": "x", **device} for device in row.content.get("devices", [])]
        data.append({**row.content, "customer_created_at": "2026-11-25", "devices": devices})
    return {"data": data, "message": "Customers created successfully", "success": True} | changes


def customers(rows: list[Row], document: Answer) -> dict[str, Any] | None:
    """The customers of an answer that is a success, by id."""
    reply = Reply("answered", 200, json.dumps(document).encode())
    if not isinstance(replies.read(reply, batch(rows), range(len(rows)), "create"), Accepted):
        return None
    return {str(shown.get("customer_id")): shown for shown in customers_of(document)}


def are_shown(rows: list[Row], document: Answer) -> bool:
    shown = customers(rows, document)
    return shown is not None and batch(rows).are_shown(shown)


def test_the_documented_answer_needs_no_second_look() -> None:
    assert are_shown(ROWS, answer(ROWS))


def test_the_order_of_an_answer_does_not_matter() -> None:
    assert are_shown(ROWS, answer(ROWS[::-1]))


def _drop(document: Answer) -> None:
    document["data"].pop()


CHANGES: dict[str, Change] = {
    "somebody is missing": _drop,
    "another name": lambda d: d["data"][0].update(first_name="Eve"),
    "no name": lambda d: d["data"][0].pop("first_name"),
    "another email": lambda d: d["data"][2].update(email="eve@example.com"),
    "a number for an id": lambda d: d["data"][0].update(customer_id=1),
    "a number for a name": lambda d: d["data"][0].update(first_name=1),
    "nobody": lambda d: d["data"].__setitem__(0, None),
    "devices as text": lambda d: d["data"][1].update(devices="[]"),
    "no device": lambda d: d["data"][1].update(devices=[None]),
    "another token": lambda d: d["data"][1]["devices"][0].update(device_token="other"),
    "no devices": lambda d: d["data"][1].update(devices=None),
    "one device less": lambda d: d["data"][2]["devices"].pop(),
    "one device more": lambda d: d["data"][1]["devices"].append(DEVICE),
    "an error": lambda d: d.update(errors=["c1@example.com is already taken"]),
    "an error as text": lambda d: d.update(errors="taken"),
    "a failure": lambda d: d.update(success=False),
    "no data": lambda d: d.pop("data"),
    "data of another kind": lambda d: d.update(data={"customers": d["data"]}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_differs_is_looked_at_row_by_row(change: Change) -> None:
    document = answer(ROWS)
    change(document)

    assert not are_shown(ROWS, document)


def test_some_rows_of_a_batch_are_sent_and_compared_in_the_order_asked_for() -> None:
    some = batch(ROWS).take([2, 0])

    assert {"customers": [ROWS[2].content, ROWS[0].content]} == json.loads(some.body)
    assert [ROWS[2], ROWS[0]] == list(some)


def test_all_rows_of_a_batch_are_that_batch() -> None:
    rows = batch(ROWS)

    assert rows.take(range(3)) is rows
    assert rows.take([1, 0, 2]) is not rows


_names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6)
_device = st.fixed_dictionaries({"device_type": _names, "device_token": _names})
_rows = st.lists(st.tuples(_names, st.lists(_device, max_size=2)), min_size=1, max_size=3).map(
    lambda drawn: [row(i, name, devices) for i, (name, devices) in enumerate(drawn)]
)


@given(_rows, st.sampled_from([None, *CHANGES.values()]))
def test_what_is_taken_as_shown_is_shown_on_a_second_look_too(
    rows: list[Row], change: Change | None
) -> None:
    document = answer(rows)
    if change is not None:
        try:
            change(document)
        except (IndexError, KeyError):
            return
    shown = customers(rows, document)
    if shown is not None and batch(rows).are_shown(shown):
        assert {compare(row.content, shown[row.customer_id])[:2] for row in rows} == {(True, True)}


def test_a_row_shows_nothing_of_itself() -> None:
    assert repr(ROWS[0]) == "Row(…)"
    assert canonical_json(ROWS[1].content["devices"]) == canonical_json([DEVICE])
