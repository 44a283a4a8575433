"""Errors of dlt, SQLAlchemy, and drivers by the name of their class, each in words of ours."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

BAD_URL = "The source URL cannot be parsed. Use driver://user@host:port/database."


def _missing(error: Any) -> str:
    if error.spec_name.startswith("Bunce"):
        return (
            "No API key is set. Set DESTINATION__BUNCE__CREDENTIALS__API_KEY, or api_key under "
            "[destination.bunce.credentials] in .dlt/secrets.toml."
        )
    if error.spec_name.startswith("Filesystem"):
        return (
            "No credentials for the source. Set SOURCES__FILESYSTEM__CREDENTIALS__… (for S3, "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), or the same names under "
            "[sources.filesystem.credentials] in .dlt/secrets.toml."
        )
    return f"Missing required settings: {', '.join(error.fields)}."


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
        f"{needed} Install the source's driver, or one of dlt-bunce's extras: duckdb, emulator, "
        "mysql, postgres, report, s3, sql, ui."
    )


EXPLAINED: dict[str, Any] = {
    "ConfigFieldMissingException": _missing,
    "ConfigValueCannotBeCoercedException": lambda error: (
        f"The setting {error.field_name} is not a valid "
        f"{getattr(error.hint, '__name__', error.hint)}."
    ),
    "ArgumentError": lambda _: BAD_URL,
    "InvalidConnectionString": lambda _: BAD_URL,
    "MissingDependencyException": lambda error: (
        f"The source needs packages that are not installed: {', '.join(error.dependencies)}."
    ),
    "ModuleNotFoundError": _no_module,
    "NoSuchModuleError": _no_driver,
    "NoSuchTableError": lambda error: f"Table or view {error} does not exist.",
}
