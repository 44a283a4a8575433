"""Forms of ids, names, emails, and phone numbers: which are accepted, and which are changed."""

from __future__ import annotations

from collections.abc import Mapping

from dlt_bunce.probe.customers import DOMAIN, PLACEHOLDER_PHONE
from dlt_bunce.probe.inquiry import Inquiry, Outcome
from dlt_bunce.probe.steps import Asking, Customer

_LONG = 200


def try_forms(inquiry: Inquiry) -> Asking[None]:
    """Send all forms in one batch; if that fails, each form alone."""
    forms = _forms(inquiry)
    rows = list(forms.values())
    if len(rows) <= inquiry.rows:
        outcome = yield from inquiry.send("create", rows)
        if outcome.is_accepted:
            yield from _note_accepted(inquiry, forms, outcome)
            return
        # ids that a failed batch has saved would be repeated
        forms = _forms(inquiry)
    for question, row in forms.items():
        outcome = yield from inquiry.send("create", [row])
        if outcome.is_refused:
            inquiry.note(question, "refused", outcome)
        elif outcome.is_accepted:
            yield from _note_accepted(inquiry, {question: row}, outcome)


def _note_accepted(
    inquiry: Inquiry, forms: Mapping[str, Customer], outcome: Outcome
) -> Asking[None]:
    found = yield from inquiry.find([str(row["customer_id"]) for row in forms.values()])
    told = f"HTTP {outcome.reply.status}"
    for question, row in forms.items():
        field = _FIELDS[question.partition("_")[0]]
        customer_id = str(row["customer_id"])
        content = found.get(customer_id) or outcome.shown.get(customer_id)
        if customer_id in found and content is None:
            # it was accepted, and is there under no such id
            inquiry.note(question, "changed", f"{told}, and not found under this id")
            continue
        same = content is None or content.get(field) in (None, row[field])
        shown = "nowhere" if content is None else "as sent" if same else "in another form"
        inquiry.note(question, "accepted" if same else "changed", f"{told}, shown {shown}")


_FIELDS = {"phone": "phone_no", "id": "customer_id", "name": "last_name", "email": "email"}


def _forms(inquiry: Inquiry) -> dict[str, Customer]:
    """Return a customer for each question about a form."""
    one = inquiry.customers.one
    prefix, number = inquiry.customers.token, inquiry.customers.made
    ids = {
        "id_digits": f"9{int(prefix, 16)}{number:06d}",
        "id_letters": f"{prefix}n{number}",
        "id_hyphens": f"{prefix}-{number}-a",
        "id_punctuation": f"{prefix}/{number},a",
        "id_spaces": f"{prefix} {number} a",
        "id_long": f"{prefix}{number:06d}".ljust(_LONG, "x"),
    }
    address = f"{inquiry.customers.prefix}-{prefix}"
    return {
        "phone_international": one(phone_no="+12025550100"),
        "phone_national": one(phone_no="09000000000"),
        "phone_spaces": one(phone_no="+1 202 555 0101"),
        "phone_placeholder": one(phone_no=PLACEHOLDER_PHONE),
        **{question: one(customer_id=customer_id) for question, customer_id in ids.items()},
        "name_accents": one(last_name="Tẹ́st"),
        "name_apostrophe": one(last_name="T'est"),
        "email_plus": one(email=f"{address}+{number}@{DOMAIN}"),
        "email_capitals": one(email=f"{address.upper()}-{number}A@{DOMAIN}"),
    }
