"""The questions of a probe, the answers that it can give, and what each means for loads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

UNKNOWN = "unknown"
"""The answer where nothing that came back decides."""
_ASKS_ITSELF = "none: a load reads either"


@dataclass(frozen=True)
class Question:
    """What is asked; `meanings` has what each answer means for loads, and `otherwise` that of
    answers that are figures.
    """

    name: str
    title: str
    meanings: Mapping[str, str]
    otherwise: str = ""

    def meaning(self, answer: str) -> str:
        """Return what an answer means for loads. Raises KeyError for one that cannot be given."""
        if answer == UNKNOWN:
            return "loads find out by themselves"
        return (
            self.meanings[answer]
            if answer in self.meanings or not self.otherwise
            else (self.otherwise)
        )


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


_FLAG = {"success": _ASKS_ITSELF, "status": _ASKS_ITSELF, "none": "the status and `errors` decide"}
_REFUSED_FORM = "such rows become dead letters"
_FORM = {
    "accepted": "such rows arrive",
    "refused": _REFUSED_FORM,
    "changed": "such rows arrive, and Bunce shows them in another form",
}

_ALL = (
    # creating
    Question("create_status", "Status of a create", {}, _ASKS_ITSELF),
    Question("success_flag", "Flag of a success", _FLAG),
    Question(
        "create_shows",
        "Customers that a create shows",
        {
            "all": "a success settles its rows",
            "some": "rows that are not shown are looked up",
            "none": "rows are looked up after the first create, then a success is believed",
        },
    ),
    Question(
        "create_order",
        "Order in which they are shown",
        {"as sent": _ASKS_ITSELF, "other": "none: rows are matched by id"},
    ),
    Question(
        "extra_fields",
        "Undocumented fields in answers",
        {"none": _ASKS_ITSELF, "some": "none: they are ignored"},
    ),
    Question(
        "empty_batch",
        "A batch without customers",
        {
            "refused": "none: it serves to see whether requests get through",
            "accepted": "none: it serves to see whether requests get through",
        },
    ),
    # failures
    Question("failure_status", "Status of a failed batch", {}, _ASKS_ITSELF),
    Question("failure_flag", "Flag of a failure", _FLAG),
    Question(
        "failure_saves",
        "Good rows of a failed batch",
        {
            "created": "only failed rows are left over",
            "not created": "good rows are sent again, without a look-up first",
            "some created": "rows that are not named are looked up",
        },
    ),
    Question(
        "errors_list",
        "Failed rows that `errors` lists",
        {
            "all": "one request names all failed rows",
            "several times": "one request names all failed rows",
            "first": "each failed row takes a request of its own",
            "some": "the rest is sent again until all are named",
            "one text": "batches are halved until a failed row is alone",
            "none": "batches are halved until a failed row is alone",
        },
    ),
    Question(
        "errors_name",
        "How `errors` name a row",
        {
            "email": "failed rows are told apart",
            "id": "failed rows are told apart",
            "position from 0": "failed rows are told apart, after two requests in each run",
            "position from 1": "failed rows are told apart, after two requests in each run",
            "nothing": "batches are halved until a failed row is alone",
        },
    ),
    Question(
        "errors_form",
        "Form of `errors`",
        {
            "texts": _ASKS_ITSELF,
            "object": _ASKS_ITSELF,
            "objects": _ASKS_ITSELF,
            "none": "the message decides",
        },
    ),
    Question(
        "failure_count",
        "Count of failures in the message",
        {
            "right": "it can save look-ups",
            "wrong": "it is not believed",
            "none": "rows that are not named are looked up",
        },
    ),
    Question(
        "counts",
        "Whether that count can be believed",
        {
            "verified": "believed once a load has a proof of its own",
            "contradicted": "never believed",
        },
    ),
    Question(
        "failure_shows",
        "Customers that a failure shows",
        {"created": "none: they are not relied on", "none": _ASKS_ITSELF},
    ),
    Question(
        "missing_field",
        "A row without a required field",
        {
            "fails its row": "only such a row fails; loads reject it beforehand",
            "fails the request": "the batch is halved; loads reject such rows beforehand",
            "accepted": "none: loads reject such rows beforehand",
        },
    ),
    # repeats
    Question(
        "repeated_id",
        "An id that is created again",
        {
            "refused": "`append` leaves existing customers alone",
            "overwritten": "`append` overwrites existing customers: run `dlt-bunce adopt` first",
            "ignored": "`append` leaves existing customers alone",
        },
    ),
    Question(
        "repeated_email",
        "An email that another customer has",
        {
            "refused": "the row becomes a dead letter, `email_taken`",
            "shared": "both customers exist",
        },
    ),
    Question(
        "repeated_id_in_batch",
        "An id twice in one batch",
        {
            "refused": "none: a load sends an id once",
            "second refused": "none: a load sends an id once",
            "first wins": "none: a load sends an id once",
            "last wins": "none: a load sends an id once",
        },
    ),
    Question(
        "repeated_email_in_batch",
        "An email twice in one batch",
        {
            "refused": "none: a load sends them in batches of their own",
            "second refused": "the second row becomes a dead letter",
            "shared": "both customers exist",
        },
    ),
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
            "works": "none: customers are looked up by id",
            "filter ignored": "none: customers are looked up by id",
            "absent": "none: customers are looked up by id",
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
        {"beside data": _ASKS_ITSELF, "inside data": _ASKS_ITSELF, "none": _ASKS_ITSELF},
    ),
    Question(
        "lookup_lag",
        "When a look-up sees a create",
        {
            "at once": "a look-up is believed",
            "later": "a customer who is not seen is looked up again later",
            "never seen": "look-ups are not relied on",
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
    Question("default_page", "Customers on a page, if not said", {}, _ASKS_ITSELF),
    Question("largest_page", "Customers on a page, at most", {}, _ASKS_ITSELF),
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

QUESTIONS: Mapping[str, Question] = MappingProxyType({each.name: each for each in _ALL})
