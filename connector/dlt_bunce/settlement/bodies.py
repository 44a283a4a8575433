"""What the body of an answer says: whether all went well, and in which words if not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlt_bunce.api.lookup import customers_of
from dlt_bunce.api.reply import Reply
from dlt_bunce.settlement.positions import texts_in

MAX_TEXT = 2_000
"""Characters of an error text that are kept, and searched by expressions that may be slow."""
_MAX_TEXTS = 100_000
"""Characters of all error texts that are searched for the rows that they name."""
_FLAGS = ("success", "status")
_WORDS = ("message", "error", "detail")
_FAILURES = ("errors", "failed", "failures", "rejected")
"""What a list of rows that have failed is called, beside those that have not."""
_OUTCOME = frozenset({*_FLAGS, "error", "errors"})
_FAILED = frozenset({"error", "fail", "failed", "failure", "false"})
"""What stands for false where a flag is a word."""
_FIRST_ERROR = 400


def is_success(reply: Reply, document: Mapping[str, Any]) -> bool:
    """Whether a judged reply says that all of its rows were taken."""
    if not reply.is_well or reply.flag is False:
        return False
    if reply.flag is None and (_is_word_of_failure(document) or document.get("error")):
        return False
    return not errors_in(document)


def errors_in(document: Mapping[str, Any]) -> Any:
    """Return the errors of a body, in whatever form: as `errors`, or as frameworks name them, in
    `message`, `error`, or `detail` if these hold more than words, or as what has failed, in its
    data as well.
    """
    for name in ("errors", *_WORDS):
        found = document.get(name)
        if found and (name == "errors" or isinstance(found, list | dict)):
            return found
    data = document.get("data")
    for holder in (document, data if isinstance(data, dict) else {}):
        for name in _FAILURES:
            found = holder.get(name)
            # an object may as well hold that there are none
            held: Any = found.values() if isinstance(found, dict) else found
            if isinstance(found, list | dict) and any(held):
                return found
    return None


def message_in(document: Mapping[str, Any]) -> str:
    """Return the message of a body, or else its error; empty where it has only others."""
    for name in _WORDS:
        found = document.get(name)
        if found and isinstance(found, str | int | float):
            return clean(str(found))
    return ""


def told(document: Mapping[str, Any]) -> tuple[list[str], str]:
    """Return the error texts of a body, and all that it says in one text."""
    message = message_in(document)
    texts = _bounded(texts_in(errors_in(document)) or [message or _about_customers(document)])
    return texts, " ".join((message, *texts))[:MAX_TEXT]


def _about_customers(document: Mapping[str, Any]) -> str:
    """Return what is said of the request's list itself, under its name, as Django does it."""
    found = document.get("customers")
    listed = found if isinstance(found, list) else [found]
    return "; ".join(text for text in listed if isinstance(text, str))


def failed_items(document: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], str]]:
    """Return what the body's lists show as failed, each with its text: an error for each row, or
    an outcome, as with `207 Multi-Status`.
    """
    listed = errors_in(document)
    found: list[tuple[Mapping[str, Any], str]] = [
        (item, clean("; ".join(texts_in(item)))[:MAX_TEXT])
        for item in (listed if isinstance(listed, list) else ())
        if isinstance(item, dict)
    ]
    for item in customers_of(document):
        if _OUTCOME.isdisjoint(item):  # as nearly always, of thousands of customers
            continue
        errors = item.get("errors") or item.get("error")
        status = item.get("status")
        is_code = isinstance(status, int) and status >= _FIRST_ERROR
        # a customer's own `status` may be false, and is no outcome
        if errors or is_code or item.get("success") is False or _is_word_of_failure(item):
            words = texts_in(errors) or texts_in(item.get("message"))
            found.append((item, clean("; ".join(words))[:MAX_TEXT] or f"status {status}"))
    return found


def clean(text: str) -> str:
    """Text that can be written down: JSON may hold halves of characters."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _is_word_of_failure(item: Mapping[str, Any]) -> bool:
    values = (item.get(name) for name in _FLAGS)
    return any(isinstance(value, str) and value.casefold() in _FAILED for value in values)


def _bounded(texts: list[str]) -> list[str]:
    """Return the texts, as far as all of them are searched."""
    left, kept = _MAX_TEXTS, []
    for text in texts:
        if left <= 0:
            break
        kept.append(clean(text[:left]))
        left -= len(text)
    return kept
