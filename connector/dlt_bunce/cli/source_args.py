"""The source of a command's customers, as named by its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dlt_bunce.cli.printable import echo
from dlt_bunce.cli.source_key import source_key
from dlt_bunce.errors import ConfigurationError, MappingError, SourceError
from dlt_bunce.failures.known import BAD_URL
from dlt_bunce.records.cells import LETTER_ID
from dlt_bunce.records.mapping.mapping import VERSION
from dlt_bunce.records.mapping.schema import FIELDS, MAPPABLE, ColumnNames, listed, names_of

if TYPE_CHECKING:
    import dlt
    from dlt.extract import DltResource

    from dlt_bunce.destination.runs.run_context import CommandSource
    from dlt_bunce.sources import Reading, Shard


_LONGEST_NAME = 200
"""Bytes in the name of a pipeline: locks and notes beside its folder have longer names."""


@dataclass(frozen=True)
class Origin:
    """A source with its mapping: the arguments that `load` and `check` share."""

    source: str
    table: str | None = None
    query: str | None = None
    maps: tuple[str, ...] = ()
    disposition: Literal["append", "merge"] = "merge"
    version_column: str | None = None
    date_format: str | None = None
    defaults: tuple[str, ...] = ()
    default_region: str | None = None
    limit: int | None = None
    name: str | None = None
    encoding: str | None = None
    sheet: str | None = None

    attribute: tuple[str, ...] = ()
    segment: tuple[str, ...] = ()
    segments_whole: bool | None = None
    segments_min_share: float | None = None
    values_only: bool = False

    @property
    def attributes(self) -> dict[str, str] | Literal["*"] | None:
        """Column to attribute's name, or "*"; None for what is configured. Raises MappingError."""
        if set(self.attribute) == {"*"}:
            return "*"
        if "*" in self.attribute:
            raise MappingError(
                "--attribute names a column beside '*', which is all columns under their own "
                "names.",
                remedy="Name each column, or use --attribute '*' alone.",
            )
        return _parse_targets("--attribute", self.attribute)

    @property
    def segments(self) -> dict[str, str] | None:
        """Column to segment's name; None for what is configured. Raises MappingError."""
        return _parse_targets("--segment", self.segment)

    @property
    def is_whole(self) -> bool | None:
        """Whether the source holds all members of its segments; None for what is configured. Of a
        few rows the setting says nothing.
        """
        few = self.limit is not None or LETTER_ID in self.columns
        return False if few and self.segments_whole is None else self.segments_whole

    @property
    def other_columns(self) -> list[str] | None:
        """Columns of attributes and segments, as far as they are given; None for all."""
        attributes = self.attributes
        return None if attributes == "*" else [*(attributes or {}), *(self.segments or {})]

    @cached_property
    def location(self) -> str:
        """The source itself. Raises SourceError if it is empty or contains a password."""
        from dlt_bunce.sources.formats import kind_of
        from dlt_bunce.sources.locations import has_password

        if not self.source.strip():
            raise SourceError(
                "SOURCE is empty.",
                remedy="Pass a file, folder, glob, or URL; for the files of this folder: .",
            )
        if self.sheet is not None and kind_of(self.source) not in (None, "excel"):
            raise SourceError(
                f"{self.label} is not an Excel workbook, so it has no sheets.",
                remedy="Remove --sheet.",
            )
        if has_password(self.source):
            raise SourceError(
                "The source URL contains a password, and command-line arguments are visible in the "
                "process list.",
                remedy="Put the URL in an environment variable and pass env:NAME instead.",
            )
        return self.source

    @property
    def hints(self) -> Mapping[str, Any]:
        """Field (or "version") to columns. Raises MappingError."""
        hints = parse_maps(self.maps)
        return hints | ({"version": self.version_column} if self.version_column else {})

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings of the destination that the arguments give. Raises ConfigurationError."""
        given = {
            "version_format": self.date_format,
            "default_region": self.default_region,
            "defaults": parse_defaults(self.defaults),
            "segments_min_share": self.segments_min_share,
        }
        return {name: value for name, value in given.items() if value or value == 0}

    @property
    def label(self) -> str:
        """What people call the source: the name of its table, or of its file or folder."""
        if self.table or self.query:
            return self.table or "query"
        *folders, last = self.source.rstrip("/").split("/")
        return "/".join([*folders[-1:], last]) if "*" in last else last

    @cached_property
    def columns(self) -> list[str]:
        """The columns of a local file, in order; empty for other sources. Raises SourceError."""
        from dlt_bunce.sources import file_columns

        return file_columns(self.location, self._reading)

    @property
    def _reading(self) -> Reading:
        from dlt_bunce.sources import Reading

        return Reading(self.encoding, self.sheet, note=partial(echo, err=True))

    @property
    def command_source(self) -> CommandSource:
        """What identifies the source in later runs: columns and mapping are compared by it."""
        from dlt_bunce.destination.runs.run_context import CommandSource

        kind = "values only" if self.values_only else None
        key = self.name or source_key(self.source, self.table, self.query, self.sheet, kind)
        return CommandSource(
            key, is_named=self.name is not None, is_unversioned=self.version_column == ""
        )

    def pipeline_name(self, store_url: str, account: str) -> str:
        """Return the name of the dlt pipeline.

        The same command in the same folder uses the same pipeline, and so loads the rows that it
        left over; another store or folder never gets them. dlt remembers a pipeline's columns and
        hints, so another mapping, or a file with other columns, uses another pipeline as well. For
        other columns, the names differ only after `family`.
        """
        if self.name is not None:
            return _checked_name(self.name)
        columns = "\x1f".join(self.columns)
        family = self.family(store_url, account)
        return f"{family}_{_digest(columns, 3)}" if columns else family

    def family(self, store_url: str, account: str) -> str:
        """Return the name prefix of all pipelines of this command, whatever the columns."""
        parts = (str(Path.cwd()), self.source, self.table, self.query, store_url, account)
        kind = ("values only",) if self.values_only else ()
        mapping = (
            f"{field}={column}"
            for field, columns in sorted(self.hints.items())
            for column in names_of(columns)
        )
        key = "\x1f".join(part or "" for part in (*parts, *kind, *mapping))
        return f"bunce_load_{_digest(key, 5)}"

    def resource(self) -> DltResource:
        """Return the source as a dlt resource. Raises SourceError."""
        from dlt_bunce.sources import limited, open_source

        try:
            resource = open_source(
                self.location, table=self.table, query=self.query, reading=self._reading
            )
        except ValueError:  # its text may hold part of the URL, and so of a password
            raise SourceError(BAD_URL) from None
        return resource if self.limit is None else limited(resource, self.limit)

    def shard(
        self, pipeline: dlt.Pipeline, shard: Shard, *, key: str | None, plan: str
    ) -> DltResource:
        """Return one shard of the source, by the plan in the store. Raises SourceError."""
        from dlt_bunce.sources import limited, shard_source

        try:
            resource = shard_source(
                pipeline,
                self.location,
                shard,
                table=self.table,
                query=self.query,
                key=key,
                plan=plan,
                reading=self._reading,
            )
        except ValueError:
            raise SourceError(BAD_URL) from None
        return resource if self.limit is None else limited(resource, self.limit)


def _checked_name(name: str) -> str:
    """Return the name if it can be that of a folder. Raises ConfigurationError."""
    from dlt.common.storages.file_storage import FileStorage

    try:
        FileStorage.validate_file_name_component(name)
        is_valid = name.strip() == name and len(name.encode()) <= _LONGEST_NAME
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ConfigurationError(
            f"--pipeline-name {name!r} cannot name a folder, which each pipeline has.",
            remedy=f"Use up to {_LONGEST_NAME} letters, digits, and underscores, for example: "
            "--pipeline-name crm",
        )
    return name


def _digest(text: str, size: int) -> str:
    return blake2b(text.encode(), digest_size=size).hexdigest()


def _parse_targets(option: str, given: tuple[str, ...]) -> dict[str, str] | None:
    """Parse repeated COLUMN=NAME into column to name."""
    parsed: dict[str, str] = {}
    for text in given:
        column, separator, name = text.partition("=")
        if not separator or not column or not name:
            raise MappingError(
                f"{option} {text!r} must be COLUMN=NAME, where NAME is the name in Bunce.",
                remedy=f"For example: {option} plan=Plan",
            )
        if parsed.setdefault(column, name) != name:
            raise MappingError(
                f"Column {column!r} is given for {parsed[column]!r} and for {name!r}.",
                remedy=f"Use one {option} for each column.",
            )
    return parsed or None


def parse_maps(maps: tuple[str, ...]) -> dict[str, ColumnNames]:
    """Parse repeated FIELD=COLUMN into field to column, or to columns in the given order.

    Raises MappingError.
    """
    parsed: dict[str, list[str]] = {}
    known = [name for name in MAPPABLE if name != VERSION]
    for text in maps:
        field, separator, column = text.partition("=")
        if not separator or not column or field not in known:
            raise MappingError(
                f"--map {text!r} must be FIELD=COLUMN, where FIELD is a Bunce field.",
                remedy=f"The fields are: {', '.join(known)}.",
            )
        parsed.setdefault(field, []).append(column)
    return {field: listed(columns) for field, columns in parsed.items()}


def parse_defaults(defaults: tuple[str, ...]) -> dict[str, str]:
    """Parse repeated FIELD=VALUE, added to the configured defaults. Raises ConfigurationError."""
    from dlt_bunce.destination.settings.config_file import configured

    parsed: dict[str, str] = {}
    known = FIELDS[1:]
    for text in defaults:
        field, separator, value = text.partition("=")
        if not separator or not value or field not in known:
            # the value may be a person's
            raise ConfigurationError(
                f"--default {field}=… must be FIELD=VALUE, where FIELD is one of: "
                f"{', '.join(known)}."
            )
        if parsed.setdefault(field, value) != value:
            raise ConfigurationError(
                f"--default {field}=… is given twice, with different values.",
                remedy=f"Use one --default for {field}.",
            )
    return configured("defaults") | parsed if parsed else {}
