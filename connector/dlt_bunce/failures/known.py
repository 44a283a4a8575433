"""Errors of dlt, SQLAlchemy, and drivers by the name of their class, each in words of ours."""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from dlt_bunce.model import Failure

BAD_URL = "The source URL cannot be parsed. Use driver://user@host:port/database."
SETTINGS_FILE = "TomlProviderReadException"
SAVE_AS_UTF_8 = "Save it as UTF-8: what > writes in Windows PowerShell is not."
_NO_MARK = " If it looks right, save it as UTF-8 without a byte order mark."


def _missing(error: Any) -> Failure:
    found = f"Missing required settings: {', '.join(error.fields)}."
    remedy = "Set them in config.toml, .dlt/secrets.toml, or the environment."
    if error.spec_name.startswith("Azure"):
        names = (f"SOURCES__FILESYSTEM__CREDENTIALS__{name.upper()}" for name in error.fields)
        remedy = f"Set {' and '.join(names)}, or the same names in .dlt/secrets.toml."
    if error.spec_name.startswith("Filesystem"):
        found = "No credentials for the source."
        remedy = (
            "Set SOURCES__FILESYSTEM__CREDENTIALS__… (for S3, AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY), or the same names under [sources.filesystem.credentials] in "
            ".dlt/secrets.toml."
        )
    return Failure(type(error).__name__, found, remedy, is_usage=True)


def _no_driver(error: Any) -> str:
    # SQLAlchemy's text ends in the driver's name, with a dot where the URL has a plus
    scheme = str(error).rpartition(":")[2].replace(".", "+")
    return (
        f"No driver for {scheme}:// is installed. Check the start of the URL, or install the "
        "driver that SQLAlchemy lists for that database, such as snowflake-sqlalchemy."
    )


_DRIVERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "MySQLdb": ("dlt-bunce[mysql]", "mysql://"),
        "cx_Oracle": ("oracledb", "oracle+oracledb://"),
        "duckdb": ("dlt-bunce[duckdb]", "duckdb:///"),
        "oracledb": ("oracledb", "oracle+oracledb://"),
        "psycopg": ("dlt-bunce[postgres]", "postgresql://"),
        "psycopg2": ("dlt-bunce[postgres]", "postgresql://"),
        "pymysql": ("dlt-bunce[mysql]", "mysql://"),
        "pyodbc": ("pyodbc", "mssql+pyodbc://"),
        "snowflake": ("snowflake-sqlalchemy", "snowflake://"),
        "sqlalchemy": ("dlt-bunce[sql]", "the same URL"),
    }
)
"""Module to the package to install, and the start of the URL that selects it."""


def _no_module(error: Any) -> str:
    module = str(error.name).split(".", maxsplit=1)[0]
    needed = f"The Python module {error.name} is required but not installed."
    if module in _DRIVERS:
        package, url = _DRIVERS[module]
        return f"{needed} Install it with pip install '{package}', and use {url}."
    return (
        f"{needed} Install the source's driver, or one of dlt-bunce's extras: avro, delta, duckdb, "
        "emulator, excel, iceberg, mysql, postgres, report, s3, sql, ui."
    )


def _naming(error: Any) -> Failure:
    return Failure(
        type(error).__name__,
        "This pipeline name was used with another destination before, whose schema names columns "
        "differently.",
        "Use another name in dlt.pipeline(…), such as one that ends in _to_bunce.",
        is_usage=True,
    )


def _toml(error: Any) -> Failure:
    return Failure(
        type(error).__name__,
        f"config.toml or secrets.toml in .dlt is not valid TOML ({_line(error)}).",
        'Fix the syntax: text is quoted, as in api_key = "…".'
        f"{_NO_MARK if getattr(error, 'line', 0) == 1 else ''}",
        is_usage=True,
    )


def encoded_otherwise(error: Any) -> Failure | None:
    """Return that a settings file of dlt's is not UTF-8, if that is why it cannot be read."""
    if not isinstance(error.__context__, UnicodeDecodeError):
        return None
    found = f"{error.file_name} in .dlt is not UTF-8 text."
    return Failure(type(error).__name__, found, SAVE_AS_UTF_8, is_usage=True)


def _secret(error: Any) -> Failure:
    return Failure(
        type(error).__name__,
        f"{error.provider_name} has a secret, which is read from no such file.",
        "Move [destination.bunce.credentials], or whatever it is, to .dlt/secrets.toml, and keep "
        "that file out of Git.",
        is_usage=True,
    )


def _line(error: Any) -> str:
    if not hasattr(error, "line"):
        return "a key appears twice"
    return f"line {error.line}, column {error.col}"


def _contract(error: Any) -> Failure:
    # its text has the values of keys
    if isinstance(error.table_schema, type):
        return _model(error)
    column = f"column {error.column_name!r} of " if error.column_name else ""
    return Failure(
        type(error).__name__,
        f"The schema contract ({error.schema_entity}: {error.contract_mode}) does not allow "
        f"{column}table {error.table_name!r}. Nothing was sent.",
        "Leave it out at the source, or load once with "
        f'schema_contract={{"{error.schema_entity}": "evolve"}}.',
        is_usage=True,
    )


def _model(error: Any) -> Failure:
    # of a list of rows, dlt gives the place of the row as well: ('items', 3, 'email')
    place = literal_eval(error.column_name)
    name = ".".join(map(str, place[2:] if place[0] == "items" and len(place) > 2 else place))
    return Failure(
        type(error).__name__,
        f"A row of table {error.table_name!r} does not fit its model, by {name!r}. Nothing was "
        "sent.",
        "Correct it at the source, or load with "
        f'schema_contract={{"{error.schema_entity}": "evolve"}}: then a row that Bunce cannot take '
        "is rejected by itself.",
        is_usage=True,
    )


def _told(tell: Callable[[Any], str]) -> Callable[[Any], Failure]:
    return lambda error: Failure(type(error).__name__, tell(error), is_usage=True)


def _packages(error: Any) -> Failure:
    names = [re.sub("^s3fs.*", "dlt-bunce[s3]", name) for name in error.dependencies]
    quoted = " ".join(f"'{name}'" for name in names)
    return Failure(
        type(error).__name__,
        f"The source needs packages that are not installed: {', '.join(error.dependencies)}.",
        f"Install them with: pip install {quoted}",
        is_usage=True,
    )


def _unavailable(error: Any) -> Failure:
    return Failure(
        type(error).__name__,
        f"The source cannot be reached: {str(error).strip().splitlines()[0]}",
        "Check the location, its endpoint, and the network, then run the same command again.",
    )


def _file_format(error: Any) -> Failure:
    supported = ", ".join(sorted(error.supported_formats))
    return Failure(
        type(error).__name__,
        f"loader_file_format is {error.file_format!r}, which Bunce's rows are not loaded from.",
        f"Leave it out, or use one of: {supported}.",
        is_usage=True,
    )


def _no_table(error: Any) -> Failure:
    return Failure(
        type(error).__name__,
        "The rows are of no resource and no table.",
        'Name the table that they go to: table_name="customers".',
        is_usage=True,
    )


def _package_gone(error: Any) -> Failure:
    return Failure(
        type(error).__name__,
        "The rows that this run was loading are gone from its working folder: another run has "
        "dropped the pipeline, or somebody has deleted the files.",
        "Run again: settled rows are not sent again. Give runs that overlap folders of their own, "
        "with pipelines_dir or DLT_DATA_DIR.",
    )


def _out_of_time(error: Any) -> Failure:
    return Failure(
        type(error).__name__,
        "The run was stopped by the timeout of its task, before everything was loaded.",
        "Raise execution_timeout of the task if loads take that long, or load less per run. The "
        "next run loads the rest; settled rows are not sent again.",
    )


EXPLAINED: dict[str, Callable[[Any], Failure]] = {
    "ConfigFieldMissingException": _missing,
    "ConfigValueCannotBeCoercedException": _told(
        lambda error: (
            f"The setting {error.field_name} is not a valid "
            f"{getattr(error.hint, '__name__', error.hint)}."
        )
    ),
    "AirflowTaskTimeout": _out_of_time,
    "ArgumentError": _told(lambda _: BAD_URL),
    "InvalidConnectionString": _told(lambda _: BAD_URL),
    "DataValidationError": _contract,
    "DestinationIncompatibleLoaderFileFormatException": _file_format,
    "LoadPackageNotFound": _package_gone,
    "MissingDependencyException": _packages,
    "ModuleNotFoundError": _told(_no_module),
    "ResourceNameMissing": _no_table,
    "NoSuchModuleError": _told(_no_driver),
    "NoSuchTableError": _told(lambda error: f"Table or view {error} does not exist."),
    "NoCredentialsError": _unavailable,
    "EndpointConnectionError": _unavailable,
    "SchemaIdentifierNormalizationCollision": _naming,
    "TableIdentifiersFrozen": _naming,
    "ValueNotSecretException": _secret,
    "ParseError": _toml,
    "KeyAlreadyPresent": _toml,
}
"""What to say, by the name of an exception class or of a base of it."""
