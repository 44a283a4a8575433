"""Dead letters of persons: under their ids, and such as hold no id but their email."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from dlt_bunce.erasure.person import Persons
from dlt_bunce.store import erasure
from dlt_bunce.store.database import Database


@dataclass
class Chosen:
    """Ids of letters: `theirs` hold no customer's id, but their email; `related` share an email or
    a phone, and are of another customer or without an email.
    """

    theirs: list[str] = field(default_factory=list)
    related: list[str] = field(default_factory=list)


def choose(db: Database, account: str, persons: Persons) -> Chosen:
    """Letters beside those under the persons' own ids, from which emails and phones are learned.

    A phone alone proves nothing: families and offices share one.
    """
    persons.learn(_texts(erasure.letters_of(db, account, persons.ids)))
    chosen = Chosen()
    if not persons.emails and not persons.phones:
        return chosen
    own = set(persons.ids)
    for page in erasure.all_letters(db, account):
        owners = page.column("customer_id").to_pylist()
        ids = page.column("id").to_pylist()
        for letter, owner, text in zip(ids, owners, _texts(page), strict=True):
            if owner in own:
                continue
            email, phone = persons.share(text)
            if email and owner is None:
                chosen.theirs.append(letter)
            elif email or phone:
                chosen.related.append(letter)
    return chosen


def _texts(letters: pa.Table) -> list[str]:
    columns = (letters.column(name).to_pylist() for name in ("row", "payload"))
    return [" ".join(one or "" for one in both) for both in zip(*columns, strict=True)]
