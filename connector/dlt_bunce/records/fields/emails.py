"""The email field: one canonical spelling per address."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.text.column import Column, any_true
from dlt_bunce.records.text.spreadsheet_traces import Traces
from dlt_bunce.records.text.text import characters, read_text, without_invisible

_LONGEST_LOCAL = 64
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
# no apostrophe or = in front: a spreadsheet may have added it
_FIRST = r"[A-Za-z0-9!#$%&*+/?^_`{|}~-]"
_PLAIN = rf"^{_FIRST}(?:{_ATOM})?(?:\.{_ATOM})*@(?:{_LABEL}\.)+[a-z][a-z]+$"
# an address this short cannot exceed the length limits of its parts
_PLAIN_LENGTH = 64
# Ada <ada@example.com>, or the address alone in brackets
_NAMED = re.compile(r"[^<>]*<([^<>]*)>[.,;]?")
_TOP_LEVEL = re.compile(r"\.[a-z0-9-]*[a-z]$")


def parse_emails(
    array: pa.Array, *, lowercase: bool = True, traces: Traces | None = None
) -> Column:
    """Parse addresses by syntax alone, without DNS; test domains such as example.com are valid.

    The canonical form has a lowercase ASCII domain (internationalized domains become Punycode, in
    whichever form they are given) and a lowercase local part unless `lowercase` is off.
    """
    read = read_text(array)
    column = read.with_values(pc.ascii_lower(read.values)) if lowercase else read
    plain = _is_plain(column.values)
    if traces is not None and any_true(pc.invert(plain)):  # plain addresses have no traces
        column = traces.removed(read)
        if lowercase:
            column = column.with_values(pc.ascii_lower(column.values))
        plain = _is_plain(column.values)
    return column.judge(plain, lambda text: _parse(text.lower() if lowercase else text))


def _is_plain(values: pa.Array) -> pa.Array:
    plain = pc.and_(
        pc.match_substring_regex(values, _PLAIN),
        pc.less_equal(pc.binary_length(values), _PLAIN_LENGTH),
    )
    dashes = pc.match_substring(values, "--")
    return pc.and_not(plain, dashes) if any_true(dashes) else plain


def _bare(text: str) -> str:
    """Strip what people and spreadsheets write around an address."""
    text = without_invisible(text)
    named = _NAMED.fullmatch(text)
    text = named[1].strip() if named else text
    text = re.sub(r"^(?:mailto:\s*|['=])+", "", text, flags=re.IGNORECASE)
    return text.rstrip(".,;'").strip()


def _parse(text: str) -> tuple[str | None, str | None]:
    from email_validator import EmailNotValidError, validate_email

    text = _bare(text)
    if not text:
        return None, None
    refusal = (None, _reason(text))
    try:
        address = validate_email(text, check_deliverability=False, globally_deliverable=False)
    except (EmailNotValidError, ValueError):
        return refusal
    domain = address.ascii_domain.lower()
    if not _TOP_LEVEL.search(domain) or len(address.local_part.encode()) > _LONGEST_LOCAL:
        return refusal
    return f"{address.local_part}@{domain}", None


def _reason(text: str) -> str:
    """Return what is wrong with an address, without any part of it."""
    local, at, domain = text.rpartition("@")
    reasons = {
        "no @": not at,
        "more than one @": "@" in local,
        "nothing before the @": at and not local,
        "nothing after the @": at and not domain,
        "white space within the address": re.search(r"\s", text),
        "two dots in a row": ".." in text,
        "the domain has no dot": "." not in domain.strip("."),
        f"more than {_LONGEST_LOCAL} characters before the @": len(local.encode()) > _LONGEST_LOCAL,
        "the part before the @ begins or ends with a dot": local[:1] == "." or local[-1:] == ".",
        "the domain does not end in letters": not _TOP_LEVEL.search(domain.lower()),
    }
    found = next((reason for reason, applies in reasons.items() if applies), None)
    return found or f"not the syntax of an address: {characters(len(text))}"
