"""Load customers from Parquet files into Bunce.

Settings: [pipelines.parquet] and [destination.bunce] in config.toml. S3 credentials come from
dlt's [sources.filesystem.credentials], the API key from [destination.bunce.credentials].
"""

from __future__ import annotations

import click
import dlt

from dlt_bunce import RunSummary, bunce, bunce_adapter, flush_and_run
from dlt_bunce.scripts import print_summary, reported, required_setting, settings_of, use_config
from dlt_bunce.sources import from_parquet


def load(location: str | None = None) -> RunSummary:
    """Load the rows left over from a failed run, then the files that changed since the last run.

    `location` is a file, a folder, a glob, or s3://…; the default is the configured one.
    """
    use_config(__file__)
    settings_of("parquet", "location")
    files = from_parquet(
        location or required_setting("pipelines.parquet.location"), changed_files_only=True
    )
    pipeline = dlt.pipeline("parquet_to_bunce", destination=bunce())
    return flush_and_run(pipeline, bunce_adapter(files))


@click.command(help=__doc__)
@click.option("--location", help="File, folder, glob, or s3://… (default: as configured).")
def main(location: str | None) -> None:
    """Load the files and print the row counts by fate."""
    with reported():
        print_summary(load(location), "Loaded from Parquet")


if __name__ == "__main__":
    main()
