"""Errors that name rows by their places in the request, in the forms that frameworks use."""

from __future__ import annotations

from typing import Any

import pytest

from dlt_bunce.settlement.positions import positions_in

TAKEN = "has already been taken"


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ({"customers.3.email": [TAKEN]}, {3: f"email: {TAKEN}"}),
        ({"customers.3.email": TAKEN, "customers.0.phone_no": "bad"}, {3: "email", 0: "phone_no"}),
        ({"customers.3.email": ["one", "two"]}, {3: "email: one; email: two"}),
        ([f"customers.3.email: {TAKEN}"], {3: TAKEN}),
        ([f"customers[3].email {TAKEN}"], {3: TAKEN}),
        ({"customers[3].email": TAKEN}, {3: TAKEN}),
        ({"customers[3][email]": [TAKEN]}, {3: TAKEN}),
        ([{"index": 3, "message": TAKEN}], {3: TAKEN}),
        ([{"index": "3", "errors": {"email": [TAKEN]}}], {3: TAKEN}),
        ([{"row": 4, "error": "bad"}, {"row": 7, "error": "worse"}], {4: "bad", 7: "worse"}),
        ([f"Row 4: email {TAKEN}"], {4: TAKEN}),
        ([f"Customer #4: email {TAKEN}"], {4: TAKEN}),
        (["item at 4 is not valid"], {4: "not valid"}),
        # zod, Pydantic, JSON:API, ajv, express-validator
        ({"issues": [{"path": ["customers", 3, "email"], "message": TAKEN}]}, {3: "email: "}),
        ([{"loc": ["body", "customers", 3, "email"], "msg": TAKEN}], {3: f"email: msg: {TAKEN}"}),
        ([{"source": {"pointer": "/customers/3/email"}, "title": TAKEN}], {3: "email: title: "}),
        ([{"instancePath": "/customers/3/email", "message": TAKEN}], {3: "email: message: "}),
        ([{"dataPath": "/customers/3", "message": TAKEN}], {3: TAKEN}),
        ([{"param": "customers[3].email", "msg": TAKEN}], {3: "email: msg: "}),
        ([{"path": ["customers"], "message": "at most 50 items"}], {}),
        ([{"path": "/customers/bulk", "message": TAKEN}], {}),
        ([{"path": "/v1/customers", "row": 3, "message": TAKEN}], {3: TAKEN}),
        ({"3": {"email": [TAKEN]}}, {3: TAKEN}),
        ({"customers": {"3": {"email": [TAKEN]}}}, {3: TAKEN}),
        ({"customers": {"3": ["The email is not valid."]}}, {3: "not valid"}),
        (["johndoe@example.com is already taken"], {}),
        (["first_name is too long: at most 255 characters"], {}),
        (["customer 42 is unknown to us"], {}),
        (["devices must not have more than 5 items"], {}),
        ("The request failed", {}),
        (None, {}),
        (7, {}),
        ([[[[[[[[[[[[{"index": 3}]]]]]]]]]]]], {}),
    ],
)
def test_positions_are_read_as_written(errors: Any, expected: dict[int, str]) -> None:
    found = positions_in(errors)

    assert found.keys() == expected.keys()
    for position, text in expected.items():
        assert text in found[position]
