"""Questions about attribute values and segment members, asked only where the user allows it."""

from __future__ import annotations

from dlt_bunce.probe.question import Question

VALUES = (
    Question(
        "value_write",
        "A value for a customer",
        {"accepted": "values arrive", "refused": "values are rejected"},
    ),
    Question(
        "value_shows",
        "What the answer to a value shows",
        {
            "the value": "a value that an answer leaves out is sent again, then rejected",
            "nothing": "a success settles its values, unless it shows an empty list",
            "an empty list": "a success settles its values",
        },
    ),
    Question(
        "value_unknown_customer",
        "A value for an unknown customer",
        {
            "refused": "none: values are sent only for customers whom Bunce has accepted",
            "created": "none: values are sent only for customers whom Bunce has accepted",
            "ignored": "none: values are sent only for customers whom Bunce has accepted",
        },
    ),
    Question(
        "value_errors_name",
        "How errors name a value",
        {
            "customer": "the others are sent again without it",
            "position": "the others are sent again without it",
            "nothing": "requests are halved until the bad value is alone",
        },
    ),
    Question(
        "largest_values",
        "Most values in a request that was accepted",
        {},
        "the first load starts with as many",
    ),
    Question(
        "larger_values",
        "A request with more values",
        {"not tried": "requests grow up to `max_batch_size`"},
        "requests are halved where one is too large",
    ),
    Question(
        "segment_add",
        "Adding a customer to a segment",
        {"accepted": "members arrive", "refused": "members are rejected"},
    ),
    Question(
        "segment_remove",
        "Removing a customer from a segment",
        {"accepted": "members leave", "refused": "removals are rejected"},
    ),
)
