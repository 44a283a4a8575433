"""What dlt itself takes: the same source into a destination that looks at nothing."""

from __future__ import annotations

import dlt
from tests.benchmarks.contenders import Task


def feed(task: Task) -> None:
    """Loads the file in one run of a pipeline."""

    @dlt.destination(
        batch_size=0,
        loader_file_format="parquet",
        name="nothing",
        naming_convention="direct",
        skip_dlt_columns_and_tables=True,
    )
    def nothing(items: object, table: object) -> None:
        """Takes the path of a file."""

    from dlt_bunce.sources import from_parquet

    dlt.pipeline("nothing", pipelines_dir=str(task.folder), destination=nothing()).run(
        from_parquet(str(task.file))
    )


if __name__ == "__main__":
    feed(Task.from_arguments())
