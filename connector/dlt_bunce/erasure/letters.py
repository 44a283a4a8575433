"""Dead letters of the customers to erase: under their ids, or with their email and no id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from dlt_bunce.erasure.person import Persons
from dlt_bunce.errors import MappingError
from dlt_bunce.records.mapping.matching import columns_of
from dlt_bunce.records.mapping.schema import ColumnNames, names_of
from dlt_bunce.records.mapping.source_columns import values_of
from dlt_bunce.records.rows import arrow_table, decode
from dlt_bunce.store import erasure
from dlt_bunce.store.database import Database
from dlt_bunce.store.runs.mappings import mapping_of, reader_of


@dataclass
class Chosen:
    """Ids of dead letters.

    `theirs` have no customer id, but their email. `related` contain their email or phone somewhere
    and belong to another or an unknown customer.
    """

    theirs: list[str] = field(default_factory=list)
    related: list[str] = field(default_factory=list)


@dataclass
class _Letters:
    """The dead letters of an account, each read with the mapping of its run."""

    db: Database
    account: str
    persons: Persons

    def __post_init__(self) -> None:
        # dead letters of the same run are mostly adjacent
        self._mapping = lru_cache(maxsize=1_000)(lambda *run: mapping_of(self.db, *run))

    def learn(self) -> None:
        """Add the emails and phones of the dead letters under the customers' own ids."""
        for letter in erasure.letters_of(self.db, self.account, self.persons.ids).to_pylist():
            self.persons.learn(*self._contact(letter))

    def scan(self) -> Chosen:
        """Search all dead letters that have a row.

        A phone alone does not make a dead letter theirs, since families share phones.
        """
        chosen = Chosen()
        own = set(self.persons.ids)
        for page in erasure.all_letters(self.db, self.account):
            letters = page.to_pylist()
            texts = [f"{letter['source_row']} {letter['payload']}" for letter in letters]
            for letter, shares in zip(letters, self.persons.share(texts), strict=True):
                if not shares or letter["customer_id"] in own:
                    continue
                email, phone = self._contact(letter)
                if letter["customer_id"] is None and self.persons.have(email):
                    chosen.theirs.append(letter["id"])
                    self.persons.learn(email, phone)
                else:
                    chosen.related.append(letter["id"])
        return chosen

    def _contact(self, letter: Mapping[str, Any]) -> tuple[Any, Any]:
        """Return email and phone of the row's own customer, not of others that it mentions."""
        if letter["source_row"] is None:
            return None, None
        row = decode(letter["source_row"])
        mapping = self._mapping(*reader_of(letter), letter["table_name"])
        return _value(row, mapping, "email"), _value(row, mapping, "phone_no")


def choose(db: Database, account: str, persons: Persons) -> Chosen:
    """Return dead letters other than those under the customers' own ids.

    Adds the emails and phones that the customers' dead letters contain to `persons`.
    """
    letters = _Letters(db, account, persons)
    letters.learn()
    before, chosen = 0, Chosen()
    # repeated, since a dead letter that turns out to be theirs may contain more emails and phones
    while (known := len(persons.emails) + len(persons.phones)) > before:
        before = known
        chosen = letters.scan()
    nameless = erasure.nameless_of(db, account, sorted(persons.emails))
    chosen.theirs = sorted({*chosen.theirs, *nameless})
    return chosen


def _value(row: Mapping[str, Any], mapping: Mapping[str, ColumnNames], field_name: str) -> Any:
    try:
        columns = names_of(mapping.get(field_name, ())) or columns_of(field_name, list(row))
    except MappingError:
        return None
    table = arrow_table([dict(row)])
    values = (values_of(table, column)[0].as_py() for column in columns)
    return next((value for value in values if value is not None), None)
