"""Sharding of a source, for several processes or machines that load at the same time.

The bounds of the shards are stored once per plan, so no row can fall between two shards, whenever
each of them starts, is repeated, or moves to another machine, and even if the source grows
meanwhile. The shards of a table are ranges of its key; the first and the last are open. For files,
every row group (or a file of another format as a whole)
belongs to one shard by the file's number in the plan.
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
from dlt_bunce.destination.mapping.whole_reads import read_in_part
from dlt_bunce.errors import SourceError
from dlt_bunce.sources import files
from dlt_bunce.sources.databases import from_database
from dlt_bunce.sources.locations import holds_files, refuse_query, resolved
from dlt_bunce.sources.outages import raised_when_read
from dlt_bunce.sources.ranges import Query, Range
from dlt_bunce.sources.resources import TABLE, digest
from dlt_bunce.sources.shard_keys import key_bounds
from dlt_bunce.store import shard_plans
from dlt_bunce.store.database import Database


@dataclass(frozen=True)
class Shard:
    """One part of a source: part `number`, counted from 1, `of` a total."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Parse 2/8, the second of eight. Raises SourceError."""
        number, separator, total = text.partition("/")
        if (
            separator
            and number.isdecimal()
            and total.isdecimal()
            and 1 <= int(number) <= int(total)
        ):
            return cls(int(number), int(total))
        raise SourceError(
            f"{text!r} is not a shard.",
            remedy="Write 2/8 for the second of eight; the first is 1/8.",
        )

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def pipeline_name(self, name: str) -> str:
        """Return the name of this shard's own dlt pipeline: shards must not share a folder."""
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
    """Store the plan for a source and return the names of its shards: 1/8 to 8/8.

    Optional, since `shard_source` does the same; but calling it first spares shards that start at
    the same time from each querying the database for the bounds. Arguments and errors are those of
    `shard_source`.
    """
    split = _Split.of_source(location, of, table=table, query=query, key=key)
    _planned(pipeline, split, plan)
    return [str(Shard(number, of)) for number in range(1, of + 1)]


@raised_when_read
def shard_source(
    pipeline: dlt.Pipeline,
    location: str,
    shard: Shard | str,
    *,
    table: str | None = None,
    query: str | None = None,
    key: str | None = None,
    plan: str = "default",
    reading: files.Reading = files.Reading(),  # noqa: B008, immutable
) -> DltResource:
    """Read the rows of one shard, such as 2/8, of a location that `open_source` supports.

    A database needs a `key`: an indexed column to divide the rows by, usually the id; some of its
    values are kept in the store. The plan is kept in the store of `pipeline` for as long as the
    store exists, under the name `plan` and the source. Shards of one load must use the same plan
    name; use a new name to divide a table that has grown a lot evenly again. Raises SourceError,
    StoreError.
    """
    shard = Shard.parse(shard) if isinstance(shard, str) else shard
    split = _Split.of_source(location, shard.of, table=table, query=query, key=key)
    planned = _planned(pipeline, split, plan)
    if split.key is None:
        groups = _row_groups(shard, planned)
        rows = files.from_files(split.location, row_groups=groups, reading=reading)
    elif shard.number > len(planned) + 1:
        rows = dlt.resource([], name=TABLE)
    else:
        low, high = [None, *planned, None][shard.number - 1 : shard.number + 1]
        part = Range(split.key, low, high, nulls=shard.number == 1)
        rows = from_database(split.location, table=table, query=query, ranges=[part])
    return read_in_part(rows, f"only shard {shard} is read")


@dataclass(frozen=True)
class _Split:
    """A source to divide into `of` parts, by a key of its table or, without one, by its files."""

    location: str
    of: int
    table: str | None
    query: str | None
    key: str | None

    @classmethod
    def of_source(
        cls, location: str, of: int, *, table: str | None, query: str | None, key: str | None
    ) -> _Split:
        if of < 1:
            raise SourceError(
                f"A source cannot be divided into {of} shards.", remedy="Pass a number from 1."
            )
        location = resolved(location)
        if holds_files(location):
            refuse_query(table, query, key)
        elif key is None:
            raise SourceError(
                "Sharding a database requires a column to divide its rows by.",
                remedy="Pass an indexed column, such as --shard-key customer_id.",
            )
        return cls(location, of, table, query, key)

    @property
    def name(self) -> str:
        # without the database user, which may differ between machines
        location = re.sub(r"://[^/@]*@", "://", self.location)
        return digest(location, self.table, self.query, self.key, str(self.of))


def _planned(pipeline: dlt.Pipeline, split: _Split, plan: str) -> list[Any]:
    """Return the planned bounds of a key's ranges, or the files in the order of their numbers."""
    with _store(pipeline) as (db, account):
        if split.key is None:
            found = files.paths(split.location)

            def extend(known: str | None) -> str:
                listed = _from_json(known or "[]")
                known_paths = set(listed)
                return _to_json(listed + [path for path in found if path not in known_paths])

            return _from_json(
                shard_plans.extended(db, account, plan, split.name, extend) if db else extend(None)
            )
        key = split.key

        def bounds() -> str:
            query = Query(split.table, split.query)
            return _to_json(key_bounds(split.location, split.of, key, query))

        return _from_json(
            shard_plans.first(db, account, plan, split.name, bounds) if db else bounds()
        )


def _row_groups(shard: Shard, planned: list[str]) -> files.RowGroups:
    numbers = {path: number for number, path in enumerate(planned)}

    def row_groups(path: str, count: int) -> Sequence[int]:
        first = numbers.get(path)
        if first is None:  # added after planning; the next run reads it
            return []
        return range((shard.number - 1 - first) % shard.of, count, shard.of)

    return row_groups


def _to_json(values: list[Any]) -> str:
    # dlt's typed JSON keeps every type that a key can have, except UUID
    return json.typed_dumps([{"uuid": str(v)} if isinstance(v, UUID) else v for v in values])


def _from_json(text: str) -> list[Any]:
    values = json.typed_loads(text)
    return [UUID(value["uuid"]) if isinstance(value, dict) else value for value in values]


@contextmanager
def _store(pipeline: dlt.Pipeline) -> Iterator[tuple[Database | None, str]]:
    """Open the store that keeps a pipeline's plans, with the account; a dry run keeps none."""
    client = client_of(pipeline)
    if client.config.dry_run:
        yield None, client.config.account
    else:
        with client.database() as db:
            yield db, client.config.account
