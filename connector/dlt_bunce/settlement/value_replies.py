"""What a reply says about each attribute value, or segment member, that was sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dlt_bunce.api.batch import ValueRows
from dlt_bunce.api.lookup import id_of
from dlt_bunce.api.reply import Reply
from dlt_bunce.model import Verb
from dlt_bunce.settlement.bodies import errors_in, failed_items, is_success, told
from dlt_bunce.settlement.capabilities import is_about_the_account
from dlt_bunce.settlement.error_attribution import RowNames
from dlt_bunce.settlement.messages import Accepted, Match, Misfit, Reason, Rejected
from dlt_bunce.settlement.positions import positions_in
from dlt_bunce.settlement.replies import (
    Reading,
    is_unknown,
    judged,
    not_about_rows,
    of_several,
)

_NO_CONTENT = 204
_SHOWN = Match(email=True, rest=True)
_ABOUT_IT = re.compile(
    r"\b(?:values?|attributes?|attribute_value|timestamps?|numeric|numbers?|dates?|format|invalid|"
    r"customer_id|customer|member)\b",
    re.IGNORECASE,
)
_ATTRIBUTE = re.compile(
    r"\battributes?\b(?!\s{0,2}[.\[]\s{0,2}\d)|\battribute_id\b|\bcustom\s+field", re.IGNORECASE
)
"""What a text is about that speaks of an attribute; `attributes.3` is a place in the request."""
_IDS = ("id", "attribute_id")
_REQUIRED = re.compile(
    r"\b(?<!customer[ -])(id|attribute_id|attribute_value)\b\W{1,3}"
    r"(?:(?:field|property|is|was|must|should|cannot|can|may|not|be)\s+){1,5}"
    r"(?:required|missing|present|empty|blank|null|undefined|an?\s+(?:string|uuid))\b",
    re.IGNORECASE,
)
"""An error about a field that is not there. `value` is none: what is blank to Bunce may be sent."""


def read(reply: Reply, sent: ValueRows, rows: Sequence[int], _verb: Verb) -> Reading:
    """Read a reply to values or members; `rows` are the numbers of those `sent`, in order.

    Every row that is named is at fault itself: there is no other operation to try.
    """
    if reply.arrival == "answered" and reply.status == _NO_CONTENT:
        # a success with nothing to show, which is documented to show nothing
        return Accepted({})
    document = judged(reply)
    if not isinstance(document, dict):
        return document
    failed = failed_items(document)
    if is_success(reply, document) and not failed:
        data = _data(document)
        return Accepted(_shown(data, sent, rows), is_empty=data == [])
    if (names := required_names(reply)) & set(_IDS):
        return Misfit(", ".join(sorted(names)), reply.status)
    texts, everything = told(document)
    places = _places(sent)
    named = _named(texts, sent, places) | _failed(failed, sent, places)
    positions: Mapping[int, str] = {}
    if not named:
        positions = of_several(positions_in(errors_in(document)), len(sent))
    if not named and not positions:
        nobody = is_unknown(everything)
        request = not_about_rows(reply, everything, rows=len(sent), nobody=nobody)
        if request is not None:
            return request
        about_it = nobody or _ABOUT_IT.search(everything) is not None
        if len(sent) == 1 and about_it and not is_about_the_account(everything):
            named = {0: "; ".join(texts)}
    return Rejected(
        {rows[at]: Reason("bad", text, reply.status) for at, text in named.items()},
        positions={at: Reason("bad", text, reply.status) for at, text in positions.items()},
        words="" if named or positions else "; ".join(texts),
        status=reply.status,
    )


def required_names(reply: Reply) -> frozenset[str]:
    """Return the fields of a value that a rejection says are missing: all that are sent have an id.

    Those that are not sent are an API's that knows the fields by other names.
    """
    document = judged(reply)
    if not isinstance(document, dict) or is_success(reply, document):
        return frozenset()
    _, everything = told(document)
    return frozenset(name.casefold() for name in _REQUIRED.findall(everything))


def _data(document: Mapping[str, Any]) -> Any:
    data = document.get("data")
    return data.get("data") if isinstance(data, dict) else data


def _shown(data: Any, sent: ValueRows, rows: Sequence[int]) -> dict[int, Match]:
    """Return the rows that a success shows. Where its list has none of them, it shows something
    else than values, unless it is empty: then its word is all there is.
    """
    if not isinstance(data, list):
        return {}
    shown = set()
    for item in data:
        if isinstance(item, dict):
            customer = str(item.get("customer_id"))
            shown |= {(str(item.get(name)), customer) for name in _IDS}
    return {
        i: _SHOWN
        for i, row in zip(rows, sent, strict=True)
        if (row.target_id, row.customer_id) in shown
    }


def _places(sent: ValueRows) -> dict[str, list[int]]:
    """Return where in a request the values of each customer are."""
    places: dict[str, list[int]] = {}
    for at, row in enumerate(sent):
        places.setdefault(row.customer_id, []).append(at)
    return places


def _failed(
    items: Iterable[tuple[Mapping[str, Any], str]],
    sent: ValueRows,
    places: Mapping[str, Sequence[int]],
) -> dict[int, str]:
    """Return the text for each row that an item is about: of its customer, and its attribute."""
    named: dict[int, str] = {}
    for item, text in items:
        targets = {str(item[name]) for name in _IDS if item.get(name) is not None}
        found = places.get(id_of(item) or "", ())
        if targets:
            found = [at for at in found if sent[at].target_id in targets]
        elif len(found) > 1 and not _is_about_nobody(text):
            continue
        named |= dict.fromkeys(found, text)
    return named


def _named(
    texts: Sequence[str], sent: ValueRows, places: Mapping[str, Sequence[int]]
) -> dict[int, str]:
    """Return the text for each row that one names: by its customer, and by its attribute where the
    request has several values of the customer.
    """
    first = [sent[found[0]] for found in places.values()]
    customers = RowNames(first)
    named: dict[int, list[str]] = {}
    for text in texts:
        number = customers.row_in(text)
        if number is None:
            continue
        found = places[first[number].customer_id]
        nobody = _is_about_nobody(text)
        if len(found) > 1 and not nobody:
            found = [at for at in found if sent[at].target_id in text]
        if len(found) == 1 or nobody:
            for at in found:
                named.setdefault(at, []).append(text)
    return {at: "; ".join(dict.fromkeys(said)) for at, said in named.items()}


def _is_about_nobody(text: str) -> bool:
    """Whether a customer does not exist, and so takes no value; an attribute that does not exist is
    another matter.
    """
    return is_unknown(text) and _ATTRIBUTE.search(text) is None
