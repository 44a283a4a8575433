"""Where a command's customers come from: the source as its arguments name it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dlt_bunce.cli.failures import BAD_URL
from dlt_bunce.errors import MappingError, SourceError

if TYPE_CHECKING:
    import dlt
    from dlt.extract import DltResource

    from dlt_bunce.sources import Shard


@dataclass(frozen=True)
class Origin:
    """A source with its mapping: what `load` and `check` are told alike."""

    source: str
    table: str | None = None
    query: str | None = None
    maps: tuple[str, ...] = ()
    disposition: Literal["append", "merge"] = "merge"
    version_column: str | None = None
    date_format: str | None = None
    limit: int | None = None
    name: str | None = None

    @property
    def hints(self) -> Mapping[str, str]:
        """Field (or "version") to column. Raises MappingError."""
        hints = parse_maps(self.maps)
        return hints | ({"version": self.version_column} if self.version_column else {})

    @cached_property
    def columns(self) -> list[str]:
        """Those of a file on this machine, in their order; else none. Raises SourceError."""
        from dlt_bunce.sources import file_columns

        return file_columns(self.source)

    def pipeline_name(self, store_url: str, account: str) -> str:
        """The same command in the same folder gets the same pipeline, and so takes up what it left
        behind; another store or folder never gets those rows. dlt remembers columns and hints of a
        pipeline, so another mapping, or a file with other columns, needs another pipeline too: the
        names differ in what follows `family` then.
        """
        if self.name is not None:
            return self.name
        columns = "\x1f".join(self.columns)
        family = self.family(store_url, account)
        return f"{family}_{_digest(columns, 3)}" if columns else family

    def family(self, store_url: str, account: str) -> str:
        """How the names begin of all pipelines that this command gets while columns change."""
        parts = (str(Path.cwd()), self.source, self.table, self.query, store_url, account)
        mapping = (f"{field}={column}" for field, column in sorted(self.hints.items()))
        key = "\x1f".join(part or "" for part in (*parts, *mapping))
        return f"bunce_load_{_digest(key, 5)}"

    def resource(self) -> DltResource:
        """All of the source. Raises SourceError."""
        from dlt_bunce.sources import limited, open_source

        try:
            resource = open_source(self.source, table=self.table, query=self.query)
        except ValueError:  # its text may hold a part of the URL, and so of a password
            raise SourceError(BAD_URL) from None
        return resource if self.limit is None else limited(resource, self.limit)

    def shard(
        self, pipeline: dlt.Pipeline, shard: Shard, *, key: str | None, plan: str
    ) -> DltResource:
        """One part of the source, as agreed on in the pipeline's store. Raises SourceError."""
        from dlt_bunce.sources import limited, shard_source

        try:
            resource = shard_source(
                pipeline, self.source, shard, table=self.table, query=self.query, key=key, plan=plan
            )
        except ValueError:
            raise SourceError(BAD_URL) from None
        return resource if self.limit is None else limited(resource, self.limit)


def _digest(text: str, size: int) -> str:
    return blake2b(text.encode(), digest_size=size).hexdigest()


def parse_maps(maps: tuple[str, ...]) -> dict[str, str]:
    """Field to column, out of repeated FIELD=COLUMN. Raises MappingError."""
    from dlt_bunce.records.schema import FIELDS, PARTS

    parsed: dict[str, str] = {}
    for text in maps:
        field, separator, column = text.partition("=")
        if not separator or not column or field not in (*FIELDS, *PARTS):
            raise MappingError(
                f"--map {text!r} is not FIELD=COLUMN.",
                remedy=f"The fields are: {', '.join((*FIELDS, *PARTS))}.",
            )
        parsed[field] = column
    return parsed
