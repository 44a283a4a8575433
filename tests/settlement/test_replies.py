"""Answers of every kind, the hostile ones too, are read as what they are, and quickly."""

from __future__ import annotations

import json
import time
from typing import Any

import pyarrow as pa
import pytest
from tests.api.conftest import batch, fields, row

from dlt_bunce.api.batch import ValueRows
from dlt_bunce.api.reply import Reply
from dlt_bunce.settlement import replies, value_replies
from dlt_bunce.settlement.messages import Accepted, Blocked, Indeterminate, Rejected, TooLarge
from dlt_bunce.settlement.replies import NotSent, RateLimited, Reading, Unauthorized

ROWS = batch([row(fields(f"c{n}")) for n in range(5)])


def read(status: int, body: Any, *, rows: int = 5) -> Reading:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = ROWS.take(range(rows))
    return replies.read(Reply("answered", status, content), sent, range(rows), "create")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b"", Unauthorized),
        (403, b"<html>Request blocked</html>", Blocked),
        (403, {"success": False, "message": "Forbidden"}, Blocked),
        (413, b"<html></html>", TooLarge),
        (429, b"", RateLimited),
        (
            400,
            {"success": False, "message": "You have reached maximum request limit."},
            RateLimited,
        ),
        (500, {"success": False, "message": "oops"}, Indeterminate),
        (502, b"<html></html>", Indeterminate),
        (200, b"", Indeterminate),
        (200, b"[]", Indeterminate),
        (200, {}, Indeterminate),
        (200, {"status": "error", "message": "no"}, Indeterminate),
        (200, {"message": "Customers created successfully", "data": []}, Accepted),
        (200, {"success": True}, Accepted),
        (200, {"message": "Done", "data": {"failed": {"count": 0, "items": []}}}, Accepted),
        (200, {"message": "Done", "data": {"failed": {"c1": "no"}}}, Rejected),
        (404, {"message": "Not found"}, Indeterminate),
        (200, {"success": False, "message": "no"}, Rejected),
        (422, {"success": False, "message": "no"}, Rejected),
        (402, {"message": "Payment required"}, Rejected),
    ],
)
def test_status_and_body_together_tell_what_an_answer_is(
    status: int, body: Any, kind: type
) -> None:
    assert isinstance(read(status, body), kind)


LIMITS: dict[str, Any] = {
    "class-validator": {"message": ["customers must contain no more than 3 elements"]},
    "zod": {
        "error": {
            "issues": [
                {"path": ["customers"], "message": "Array must contain at most 3 element(s)"}
            ]
        }
    },
    "ajv": {"message": "body/customers must NOT have more than 3 items"},
    "joi": {"message": '"customers" must contain less than or equal to 3 items'},
    "pydantic": {
        "detail": [{"loc": ["body", "customers"], "msg": "List should have at most 3 items"}]
    },
    "django": {"customers": ["Ensure this field has no more than 3 elements."]},
    "laravel": {"errors": {"customers": ["The customers must not have more than 3 items."]}},
    "words": {"message": "You can only create 3 customers at a time"},
    "maximum": {"message": "Maximum 3 records per request"},
    "as many as sent": {"message": "A request must have fewer than 5 customers"},
}


@pytest.mark.parametrize("body", LIMITS.values(), ids=LIMITS)
def test_limits_of_rows_are_understood_in_the_words_of_frameworks(body: Any) -> None:
    assert isinstance(read(400, body), TooLarge)
    assert not isinstance(read(400, body, rows=1), TooLarge)


@pytest.mark.parametrize(
    "words",
    [
        "first_name must be at most 3 characters",
        "first_name must contain no more than 3 elements",
        "devices must not have more than 3 items",
        "Ensure this field has no more than 3 characters.",
        "at most 3 attempts are allowed",
        # the request keeps to these
        "You can only create 50 customers on the free plan",
        "You have reached the maximum of 10,000 customers",
        "Your plan is limited to 500 customers",
    ],
)
def test_limits_of_fields_and_of_accounts_are_none_of_rows(words: str) -> None:
    assert isinstance(read(400, {"success": False, "message": words}), Rejected)
    assert isinstance(read(400, {"success": False, "errors": [words]}), Rejected)


def test_requests_that_never_left_or_were_lost() -> None:
    sent = ROWS.take([0])

    assert replies.read(Reply("not_sent"), sent, [0], "create") == NotSent()
    assert replies.read(Reply("lost", reason="no answer in time"), sent, [0], "create") == (
        Indeterminate("no answer in time")
    )


def test_a_success_that_is_none_of_bunces_is_told_so() -> None:
    answer = read(200, b"<html>Sign in</html>")

    assert isinstance(answer, Indeterminate)
    assert "HTTP 200, but no answer of Bunce's" in answer.seen


def test_words_that_name_no_row_and_no_field_are_kept() -> None:
    words = "You have reached the maximum number of customers on your plan"

    for rows in (5, 1):
        answer = read(400, {"success": False, "message": words}, rows=rows)
        assert isinstance(answer, Rejected)
        assert (answer.words, answer.reasons, answer.positions) == (words, {}, {})


def test_a_single_row_is_named_by_words_that_name_its_field() -> None:
    answer = read(422, {"status": False, "errors": ["phone_no is not valid"]}, rows=1)

    assert isinstance(answer, Rejected)
    assert [reason.text for reason in answer.reasons.values()] == ["phone_no is not valid"]


def test_positions_beyond_the_batch_are_no_positions() -> None:
    answer = read(422, {"status": False, "errors": ["Row 4: bad", "Row 250: bad"]})

    assert isinstance(answer, Rejected)
    assert answer.positions == {}


VALUES = [(f"c{n // 2}", f"attribute-{n % 2}") for n in range(1_000)]


@pytest.mark.parametrize(
    "errors",
    [
        [{"customer_id": who, "id": attribute, "error": "bad"} for who, attribute in VALUES],
        [f"customer_id {who}: {attribute} is bad" for who, attribute in VALUES],
    ],
    ids=["items", "texts"],
)
@pytest.mark.parametrize("place", ["data", "errors"])
def test_as_many_errors_as_values_are_read_in_no_time(place: str, errors: list[Any]) -> None:
    columns = dict(zip(("sent_id", "target_id"), map(list, zip(*VALUES, strict=True)), strict=True))
    sent = ValueRows(pa.table({**columns, "payload": ["{}"] * len(VALUES)}), "attributes")
    told = {place: errors if place == "errors" else {"failed": errors}}
    body = json.dumps({"message": "Done", **told}).encode()

    started = time.process_time()
    answer = value_replies.read(Reply("answered", 200, body), sent, range(1_000), "update")

    # they take 0.2 s; where each is compared with each, 2 to 13 s
    assert time.process_time() - started < 1
    assert isinstance(answer, Rejected)
    assert sorted(answer.reasons) == list(range(1_000))


HOSTILE: dict[str, Any] = {
    "a megabyte of words": {"status": False, "errors": ["word " * 200_000]},
    "a megabyte of one word": {"status": False, "errors": ["a" * 1_000_000]},
    "200,000 digits": {"status": False, "message": "1" * 200_000 + " out of 3 failed"},
    "a megabyte of spaces": {"status": False, "message": "already" + " " * 1_000_000 + "x"},
    "a megabyte of at signs": {"status": False, "message": "a@" * 500_000},
    "100,000 errors": {"status": False, "errors": ["Row 3: bad"] * 100_000},
    "half a character": b'{"status": false, "errors": ["\\ud800 is bad"]}',
    "a number of 5,000 digits": b'{"status": false, "count": ' + b"9" * 5_000 + b"}",
    "nested 900 deep": b'{"status": false, "errors": ' + b"[" * 900 + b"]" * 900 + b"}",
    "nested 10,000 deep": b'{"status": false, "errors": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_answers_are_read_in_no_time_and_can_be_written_down(body: Any) -> None:
    started = time.process_time()
    answer = read(422, body)
    alone = read(422, body, rows=1)

    # some take 10 ms; where an expression runs wild, it takes minutes
    assert time.process_time() - started < 5
    for found in (answer, alone):
        assert isinstance(found, Rejected | Indeterminate)
        repr(found).encode()
