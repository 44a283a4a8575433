"""Questions about creates: their answers, failed batches, and what is repeated."""

from __future__ import annotations

from dlt_bunce.probe.question import ASKS_ITSELF, Question

_FLAG = {"success": ASKS_ITSELF, "status": ASKS_ITSELF, "none": "the status and `errors` decide"}

CREATES = (
    # creating
    Question("create_status", "Status of a create", {}, ASKS_ITSELF),
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
        {"as sent": ASKS_ITSELF, "other": "none: rows are matched by id"},
    ),
    Question(
        "extra_fields",
        "Undocumented fields in answers",
        {"none": ASKS_ITSELF, "some": "none: they are ignored"},
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
    Question("failure_status", "Status of a failed batch", {}, ASKS_ITSELF),
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
            "texts": ASKS_ITSELF,
            "object": ASKS_ITSELF,
            "objects": ASKS_ITSELF,
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
        {"created": "none: they are not relied on", "none": ASKS_ITSELF},
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
)
