"""Load new and changed customers from a Postgres table or query into Bunce.

Settings: [pipelines.postgres] and [destination.bunce] in config.toml. The connection string comes
from dlt's secrets or the environment: SOURCES__SQL_DATABASE__CREDENTIALS=postgresql://…
"""

from __future__ import annotations

import click
import dlt

from dlt_bunce import RunSummary, bunce, bunce_adapter, flush_and_run
from dlt_bunce.scripts import print_summary, reported, required_setting, settings_of, use_config
from dlt_bunce.sources import from_sql


def load(table: str | None = None, query: str | None = None) -> RunSummary:
    """Load the rows left over from a failed run, then the rows that are new since the last run.

    `table` may include a schema. Without either argument, the configured table or query is read.
    """
    use_config(__file__)
    configured = settings_of("postgres", "table", "query", "incremental")
    if table is None and query is None:
        table, query = configured["table"], configured["query"]
    rows = from_sql(
        required_setting("sources.sql_database.credentials"),
        table=table,
        query=query,
        incremental=configured["incremental"],
    )
    pipeline = dlt.pipeline("postgres_to_bunce", destination=bunce())
    return flush_and_run(pipeline, bunce_adapter(rows))


@click.command(help=__doc__)
@click.option("--table", help="Table or view to read, with its schema if needed.")
@click.option("--query", help="Query to read instead of a table.")
def main(table: str | None, query: str | None) -> None:
    """Load the table or query and print the row counts by fate."""
    with reported():
        print_summary(load(table, query), "Loaded from Postgres")


if __name__ == "__main__":
    main()
