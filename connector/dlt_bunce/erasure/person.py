"""Matching of rows to the customers to erase: by id, or by email if the row has no id."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.errors import UsageError
from dlt_bunce.records.fields.emails import parse_emails
from dlt_bunce.records.fields.fields import Parser, first_filled
from dlt_bunce.records.fields.identifiers import parse_identifiers
from dlt_bunce.records.fingerprint import email_digests
from dlt_bunce.records.mapping.source_columns import values_of
from dlt_bunce.records.text.column import Column
from dlt_bunce.records.text.spreadsheet_traces import DEFAULT_TRACES, NO_TRACES
from dlt_bunce.records.text.text import flat
from dlt_bunce.records.unreadable import lines_of, text_of

_EMAIL = re.compile(r"[^\s\"'<>,;:()\[\]\\]+@[^\s\"'<>,;:()\[\]\\]+")
_PHONE = re.compile(r"\+?\d[\d\s().\-/]{5,}\d")
_MIN_DIGITS = 7


@dataclass
class Persons:
    """The customers to erase: ids, known email digests, and the digits of known phones."""

    ids: Sequence[str]
    email_key: bytes
    emails: set[str] = field(default_factory=set)
    phones: set[str] = field(default_factory=set)

    def learn(self, email: object, phone: object) -> None:
        """Add the email and the phone of a row of theirs."""
        self.emails |= self._digests_of([email])
        self.phones |= phones_in(str(phone))

    def have(self, email: object) -> bool:
        """Return whether an email is one of theirs."""
        return bool(self.emails & self._digests_of([email]))

    def share(self, texts: Sequence[str]) -> list[bool]:
        """Return for each text whether it contains an email or a phone of theirs."""
        emails = [{email.rstrip(".") for email in _EMAIL.findall(text)} for text in texts]
        # one pass over all emails, since there may be many dead letters
        found = sorted(set().union(*emails))
        digests = self._email_digests(pa.array(found, pa.string()))
        theirs = {
            email for email, digest in zip(found, digests, strict=True) if digest in self.emails
        }
        return [
            bool(theirs & in_text) or bool(self.phones and self.phones & phones_in(text))
            for text, in_text in zip(texts, emails, strict=True)
        ]

    def _digests_of(self, emails: Sequence[object]) -> set[str]:
        texts = [email for email in emails if isinstance(email, str)]
        digests = self._email_digests(pa.array(texts, pa.string()))
        return {digest for digest in digests if digest is not None}

    def are_in(self, table: pa.Table, columns: Mapping[str, Sequence[str]]) -> pa.Array:
        """Return a mask of the rows that are theirs; `columns` maps fields to columns."""
        ids = ids_in(table, columns.get("customer_id", ()))
        theirs = reduce(pc.or_, (pc.is_in(i, pa.array(self.ids, pa.string())) for i in ids))
        if (lines := lines_of(table)) is not None:
            theirs = pc.or_(theirs, pa.array(self.share(text_of(lines).to_pylist())))
        if not self.emails:
            return theirs
        found = _first(table, columns.get("email", ()), parse_emails).values
        digests = pa.array(email_digests(found, self.email_key), pa.string())
        same = pc.is_in(digests, pa.array(sorted(self.emails), pa.string()))
        return pc.or_(theirs, pc.and_(reduce(pc.and_, map(pc.is_null, ids)), same))

    def may_be_in(self, table: pa.Table) -> bool:
        """Return whether any cell of any column is one of their ids or emails."""
        for column in table.columns:
            ids = parse_identifiers(flat(column)).values
            if pc.any(pc.is_in(ids, pa.array(self.ids, pa.string()))).as_py():
                return True
            if self.emails & set(self._email_digests(flat(column))):
                return True
        return False

    def _email_digests(self, emails: pa.Array) -> list[str | None]:
        values = parse_emails(emails).values
        digests: list[str | None] = email_digests(values, self.email_key).to_pylist()
        return digests


def ids_in(table: pa.Table, columns: Sequence[str]) -> list[pa.Array]:
    """Return the ids of the rows, with and without what a load may remove from them."""
    return [
        _first(table, columns, partial(parse_identifiers, traces=traces)).values
        for traces in (DEFAULT_TRACES, NO_TRACES)
    ]


def _first(table: pa.Table, columns: Sequence[str], parse: Parser) -> Column:
    return first_filled([values_of(table, column) for column in columns or (None,)], parse)


def canonical_ids(given: Sequence[str]) -> list[str]:
    """Return the distinct ids as the ledger has them. Raises UsageError for invalid ids or none."""
    values = parse_identifiers(pa.array(given, pa.string())).values
    if not given or values.null_count:
        raise UsageError(
            f"{values.null_count} of {len(given)} values are not valid customer ids."
            if given
            else "No customer ids were given.",
            remedy="Pass ids as Bunce has them, or --from-file FILE.",
        )
    return sorted(set(values.to_pylist()))


def phones_in(text: str) -> set[str]:
    """Return the digits of everything that looks like a phone number."""
    phones = (re.sub(r"\D", "", match).lstrip("0") for match in _PHONE.findall(text))
    return {digits for digits in phones if len(digits) >= _MIN_DIGITS}
