"""The questions of a probe, in the order of its report, and its findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dlt_bunce.probe.create_questions import CREATES
from dlt_bunce.probe.question import ASKS_ITSELF, UNKNOWN, Question
from dlt_bunce.probe.value_questions import VALUES

__all__ = ["QUESTIONS", "UNKNOWN", "Finding"]


@dataclass(frozen=True)
class Finding:
    """An answer, and the shape of what it rests on."""

    question: str
    answer: str
    evidence: str

    @property
    def meaning(self) -> str:
        """What the answer means for loads."""
        return QUESTIONS[self.question].meaning(self.answer)


_REFUSED_FORM = "such rows become dead letters"
_FORM = {
    "accepted": "such rows arrive",
    "refused": _REFUSED_FORM,
    "changed": "such rows arrive, and Bunce shows them in another form",
}

_OTHERS = (
    # look-ups
    Question(
        "lookup_by_id",
        "Look-up by `customer_ids`",
        {
            "works": "rows in doubt are looked up",
            "filter ignored": "rows in doubt are sent again",
            "absent": "rows in doubt are sent again",
        },
    ),
    Question(
        "lookup_by_email",
        "Look-up by `emails`",
        {
            "works": "customers can be linked (`on_email_taken`)",
            "filter ignored": "no customer can be linked (`on_email_taken`)",
            "absent": "no customer can be linked (`on_email_taken`)",
        },
    ),
    Question(
        "lookup_by_path",
        "Look-up of one customer by its path",
        {
            "works": "ids with commas can be looked up",
            "absent": "ids with commas cannot be looked up",
        },
    ),
    Question(
        "lookup_form",
        "Where `meta` is in a list",
        {"beside data": ASKS_ITSELF, "inside data": ASKS_ITSELF, "none": ASKS_ITSELF},
    ),
    Question(
        "lookup_lag",
        "When a look-up sees a create",
        {
            "at once": "a look-up is believed",
            "later": "a customer who is not seen is looked up again later",
            "never seen": "a row in doubt is left to the next run",
        },
    ),
    Question(
        "lookup_ids",
        "Ids that a look-up takes",
        {"all asked": "99 and more at a time"},
        "so many at a time",
    ),
    Question(
        "lookup_overflow",
        "A look-up with more ids",
        {
            "refused": "fewer are asked for at a time",
            "cut": "fewer are asked for at a time",
            "not met": "none",
        },
    ),
    Question("default_page", "Customers on a page by default", {}, ASKS_ITSELF),
    Question("largest_page", "Customers on a page, at most", {}, ASKS_ITSELF),
    Question(
        "shown_devices",
        "Devices of a customer that is shown",
        {
            "as token": "devices are compared",
            "as device_token": "devices are compared",
            "masked": "devices are not compared",
            "empty": "devices are not compared",
            "missing": "devices are not compared",
        },
    ),
    # updates
    Question(
        "partial_update",
        "An update with an id and one field",
        {
            "updates": "none: a load sends all fields of a row",
            "clears others": "none: a load sends all fields of a row",
            "refused": "none: a load sends all fields of a row",
            "ignored": "none: a load sends all fields of a row",
        },
    ),
    Question(
        "update_shows",
        "Customers that an update shows",
        {
            "all": "a success settles its rows",
            "none": "rows are looked up after the first update, then a success is believed",
        },
    ),
    Question(
        "unknown_update",
        "An update of an unknown id",
        {
            "refused": "the row is sent as a create",
            "created": "the customer is created",
            "ignored": "the row is looked up, and sent as a create",
        },
    ),
    Question(
        "email_update",
        "A new email in an update",
        {
            "applied": "emails can change",
            "ignored": "the row becomes a dead letter, `email_not_updated`",
            "refused": "the row becomes a dead letter",
        },
    ),
    Question(
        "null_update",
        "A null in an update",
        {
            "cleared": "none: a load leaves blanks out",
            "ignored": "none: a load leaves blanks out",
            "refused": "none: a load leaves blanks out",
        },
    ),
    # forms
    Question("phone_international", "Phone with a plus", _FORM),
    Question("phone_national", "Phone in national form", _FORM),
    Question("phone_spaces", "Phone with spaces", _FORM),
    Question("phone_placeholder", "Phone of zeros", _FORM),
    Question("id_digits", "Id of digits", _FORM),
    Question("id_letters", "Id of letters and digits", _FORM),
    Question("id_hyphens", "Id with hyphens", _FORM),
    Question("id_punctuation", "Id with a slash and a comma", _FORM),
    Question("id_spaces", "Id with a space inside", _FORM),
    Question("id_long", "Id of 200 characters", _FORM),
    Question("name_accents", "Name with accents", _FORM),
    Question("name_apostrophe", "Name with an apostrophe", _FORM),
    Question("email_plus", "Email with a plus", _FORM),
    Question("email_capitals", "Email with capitals", _FORM),
    Question("email_malformed", "Email without @", _FORM),
    # sizes
    Question(
        "largest_batch",
        "Largest batch that was accepted",
        {},
        "the first load starts with this size",
    ),
    Question(
        "larger_batch",
        "A larger batch",
        {"not tried": "batches grow up to `max_batch_size`"},
        "batches stay below it",
    ),
    Question("row_time", "Time that a row takes", {}, "`check` estimates with it"),
)

QUESTIONS: Mapping[str, Question] = MappingProxyType(
    {question.name: question for question in (*CREATES, *_OTHERS, *VALUES)}
)
