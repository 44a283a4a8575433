"""dlt resources that read customers from files and databases as Arrow tables.

Every function returns a resource whose table is named `customers`, ready for `bunce_adapter`.

Incremental state is kept per source: a pipeline pointed at another table, query, or folder reads
it from the beginning. Rows at the newest value of a cursor are read again, and so are rows without
a value: the ledger knows which of them have changed, so none is lost and none is sent twice.
"""

from __future__ import annotations

from dlt_bunce.sources.databases import from_database
from dlt_bunce.sources.duckdb_files import from_duckdb
from dlt_bunce.sources.files import Reading, from_csv, from_files, from_parquet
from dlt_bunce.sources.locations import file_columns, limited, open_source
from dlt_bunce.sources.ranges import Range
from dlt_bunce.sources.shards import Shard, plan_shards, shard_source
from dlt_bunce.sources.sql import from_sql

__all__ = [
    "Range",
    "Reading",
    "Shard",
    "file_columns",
    "from_csv",
    "from_database",
    "from_duckdb",
    "from_files",
    "from_parquet",
    "from_sql",
    "limited",
    "open_source",
    "plan_shards",
    "shard_source",
]
