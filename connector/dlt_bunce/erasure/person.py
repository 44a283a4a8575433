"""Whose rows they are: by the customer's id, and without one by the email."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.errors import UsageError
from dlt_bunce.records.emails import parse_emails
from dlt_bunce.records.fingerprint import email_digests
from dlt_bunce.records.identifiers import parse_identifiers
from dlt_bunce.records.source_columns import values_of
from dlt_bunce.records.text import flat

_EMAIL = re.compile(r"[^\s\"'<>,;:()\[\]\\]+@[^\s\"'<>,;:()\[\]\\]+")
_PHONE = re.compile(r"\+?\d[\d\s().\-/]{5,}\d")
_MIN_DIGITS = 7


@dataclass
class Persons:
    """Ids, with what else is known of these persons: digests of emails, and digits of phones."""

    ids: Sequence[str]
    email_key: bytes
    emails: set[str] = field(default_factory=set)
    phones: set[str] = field(default_factory=set)

    def learn(self, email: object, phone: object) -> None:
        """Take the email and the phone of a row of theirs."""
        self.emails |= self._digests_of([email])
        self.phones |= phones_in(str(phone))

    def have(self, email: object) -> bool:
        """Whether an email is one of theirs."""
        return bool(self.emails & self._digests_of([email]))

    def share(self, texts: Sequence[str]) -> list[bool]:
        """Which texts have an email or a phone of theirs anywhere."""
        emails = [{e.rstrip(".") for e in _EMAIL.findall(text)} for text in texts]
        # all at once: letters may be many
        found = sorted(set().union(*emails))
        digests = self._digests(pa.array(found, pa.string()))
        theirs = {one for one, digest in zip(found, digests, strict=True) if digest in self.emails}
        return [
            bool(theirs & of_text) or bool(self.phones and self.phones & phones_in(text))
            for text, of_text in zip(texts, emails, strict=True)
        ]

    def _digests_of(self, emails: Sequence[object]) -> set[str]:
        texts = [one for one in emails if isinstance(one, str)]
        digests = self._digests(pa.array(texts, pa.string()))
        return {digest for digest in digests if digest is not None}

    def are_in(self, table: pa.Table, columns: Mapping[str, str]) -> pa.Array:
        """Which rows are theirs; `columns` goes from field to column."""
        ids = parse_identifiers(values_of(table, columns.get("customer_id"))).values
        theirs = pc.is_in(ids, pa.array(self.ids, pa.string()))
        if not self.emails:
            return theirs
        digests = pa.array(self._digests(values_of(table, columns.get("email"))), pa.string())
        same = pc.is_in(digests, pa.array(sorted(self.emails), pa.string()))
        return pc.or_(theirs, pc.and_(pc.is_null(ids), same))

    def may_be_in(self, table: pa.Table) -> bool:
        """Whether any cell of any column says one of their ids, or an email of theirs."""
        for column in table.columns:
            ids = parse_identifiers(flat(column)).values
            if pc.any(pc.is_in(ids, pa.array(self.ids, pa.string()))).as_py():
                return True
            if self.emails & set(self._digests(flat(column))):
                return True
        return False

    def _digests(self, emails: pa.Array) -> list[str | None]:
        values = parse_emails(emails).values
        digests: list[str | None] = email_digests(values, self.email_key).to_pylist()
        return digests


def canonical_ids(given: Sequence[str]) -> list[str]:
    """The ids as the ledger has them, each once. Raises UsageError for what can be none."""
    values = parse_identifiers(pa.array(given, pa.string())).values
    if not given or values.null_count:
        told = f"{values.null_count} of {len(given)} are no customer ids." if given else ""
        raise UsageError(
            told or "Nobody is named.", remedy="Give ids as Bunce has them, or --from-file FILE."
        )
    return sorted(set(values.to_pylist()))


def phones_in(text: str) -> set[str]:
    """The digits of what looks like a phone number."""
    digits = (re.sub(r"\D", "", one).lstrip("0") for one in _PHONE.findall(text))
    return {one for one in digits if len(one) >= _MIN_DIGITS}
