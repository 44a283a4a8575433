"""A source in parts, for several processes or machines that load at the same time.

What lies in which part is agreed on in the store, once for every plan: so that no row can fall
between two parts, whenever each of them starts, is repeated, or moves to another machine, and
although the source grows meanwhile. The parts of a table are ranges of its key, the first and the
last of them open; of files, every row group, or a CSV file as a whole, belongs to one part by the
file's number in the plan.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import dlt
from dlt.common.json import json
from dlt.extract import DltResource

from dlt_bunce.destination.access import client_of
from dlt_bunce.errors import SourceError
from dlt_bunce.sources import files
from dlt_bunce.sources.databases import from_database
from dlt_bunce.sources.locations import holds_files, refuse_query, resolved
from dlt_bunce.sources.ranges import Range
from dlt_bunce.sources.resources import TABLE, digest
from dlt_bunce.sources.shard_keys import key_bounds
from dlt_bunce.store import shard_plans
from dlt_bunce.store.database import Database


@dataclass(frozen=True)
class Shard:
    """One part of a source: the `number`th, from 1, `of` so many."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """From 2/8, the second of eight. Raises SourceError."""
        number, separator, of = text.partition("/")
        if separator and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of):
            return cls(int(number), int(of))
        raise SourceError(
            f"{text!r} is not a shard.", remedy="Write 2/8 for the second of eight, from 1/8 on."
        )

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def pipeline_name(self, name: str) -> str:
        """The name of this shard's own dlt pipeline: no two may share a working folder."""
        return f"{name}_{self.number}_of_{self.of}"


def plan_shards(
    pipeline: dlt.Pipeline,
    location: str,
    of: int,
    *,
    table: str | None = None,
    query: str | None = None,
    key: str | None = None,
    plan: str = "default",
) -> list[str]:
    """Agrees on the parts of a source and returns their names: 1/8 to 8/8.

    Not needed before `shard_source`, which does the same; but shards that start at the same time
    then need not each ask the database for the bounds. Arguments and errors are those of
    `shard_source`.
    """
    split = _Split.of_source(location, of, table=table, query=query, key=key)
    _agreed(pipeline, split, plan)
    return [str(Shard(number, of)) for number in range(1, of + 1)]


def shard_source(
    pipeline: dlt.Pipeline,
    location: str,
    shard: Shard | str,
    *,
    table: str | None = None,
    query: str | None = None,
    key: str | None = None,
    plan: str = "default",
) -> DltResource:
    """The rows of one shard, such as 2/8, of a location as `open_source` knows it.

    A database needs the name of a `key`: a column with an index by which rows are divided, the id
    for most; the store keeps some of its values. `pipeline` names the store in which the plan is
    kept, under the name `plan` and the source, as long as the store is; shards of one load share a
    name, and a table that has grown a lot is divided evenly again under another. Raises
    SourceError, StoreError.
    """
    one = Shard.parse(shard) if isinstance(shard, str) else shard
    split = _Split.of_source(location, one.of, table=table, query=query, key=key)
    agreed = _agreed(pipeline, split, plan)
    if split.key is None:
        return files.from_files(split.location, row_groups=_row_groups(one, agreed))
    if one.number > len(agreed) + 1:
        return dlt.resource([], name=TABLE)
    edges = [None, *agreed, None]
    part = Range(split.key, edges[one.number - 1], edges[one.number], nulls=one.number == 1)
    return from_database(split.location, table=table, query=query, ranges=[part])


@dataclass(frozen=True)
class _Split:
    """A source to be divided `of` ways, by a key of its table or, without one, by its files."""

    location: str
    of: int
    table: str | None
    query: str | None
    key: str | None

    @classmethod
    def of_source(
        cls, location: str, of: int, *, table: str | None, query: str | None, key: str | None
    ) -> _Split:
        location = resolved(location)
        if holds_files(location):
            refuse_query(table, query, key)
        elif key is None:
            raise SourceError(
                "The shards of a database need a column to divide its rows by.",
                remedy="Name one that has an index, such as --shard-key customer_id.",
            )
        return cls(location, of, table, query, key)

    @property
    def name(self) -> str:
        # the user of a database may differ from one machine to another
        where = re.sub(r"://[^/@]*@", "://", self.location)
        return digest(where, self.table, self.query, self.key, str(self.of))


def _agreed(pipeline: dlt.Pipeline, split: _Split, plan: str) -> list[Any]:
    """The bounds of a key's ranges, or the files in the order of their numbers."""
    with _store(pipeline) as (db, account):
        if split.key is None:
            found = files.paths(split.location)

            def extend(known: str | None) -> str:
                listed = _values(known or "[]")
                there = set(listed)
                return _written(listed + [path for path in found if path not in there])

            return _values(
                shard_plans.extended(db, account, plan, split.name, extend) if db else extend(None)
            )
        key = split.key

        def bounds() -> str:
            found = key_bounds(split.location, split.of, key, table=split.table, query=split.query)
            return _written(found)

        return _values(shard_plans.first(db, account, plan, split.name, bounds) if db else bounds())


def _row_groups(shard: Shard, agreed: list[str]) -> files.RowGroups:
    numbers = {path: number for number, path in enumerate(agreed)}

    def row_groups(path: str, count: int) -> Sequence[int]:
        first = numbers.get(path)
        if first is None:  # it has come since, and is left to the next run
            return []
        return range((shard.number - 1 - first) % shard.of, count, shard.of)

    return row_groups


def _written(values: list[Any]) -> str:
    # dlt's typed JSON keeps every type of a key but this
    return json.typed_dumps([{"uuid": str(v)} if isinstance(v, UUID) else v for v in values])


def _values(written: str) -> list[Any]:
    found = json.typed_loads(written)
    return [UUID(value["uuid"]) if isinstance(value, dict) else value for value in found]


@contextmanager
def _store(pipeline: dlt.Pipeline) -> Iterator[tuple[Database | None, str]]:
    """Where a pipeline's plans are kept, and under which account; a dry run keeps none."""
    client = client_of(pipeline)
    if client.config.dry_run:
        yield None, client.config.account
    else:
        with client.database() as db:
            yield db, client.config.account
