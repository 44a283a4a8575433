"""Delta and Iceberg tables: read as they are now, and never as the Parquet files within them."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from tests.conftest import Bucket

from dlt_bunce.errors import SourceError, bunce_error
from dlt_bunce.sources import from_files

_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def people(*numbers: int) -> pa.Table:
    return pa.table({"id": list(numbers), "day": [n % 2 for n in numbers]})


def partitioned(path: str) -> None:
    """A table of rows 1 to 4, of which 2 is deleted, in two folders."""
    deltalake.write_deltalake(path, people(1, 2, 3, 4), partition_by=["day"])
    deltalake.DeltaTable(path).delete("id = 2")


def with_features(path: str, *features: str, deleted: int | None = None) -> None:
    """A table that needs a reader with such features; the first row may be deleted by a vector."""
    deltalake.write_deltalake(path, people(1, 2, 3))
    [log] = Path(path, "_delta_log").glob("*.json")
    actions: list[dict[str, Any]] = [json.loads(line) for line in log.read_text().splitlines()]
    for action in actions:
        if "protocol" in action:
            versions = {"minReaderVersion": 3, "minWriterVersion": 7}
            named = {"readerFeatures": features, "writerFeatures": features}
            action["protocol"] = {**versions, **named}
        if "add" in action and deleted is not None:
            action["add"]["deletionVector"] = vector(deleted)
    log.write_text("".join(f"{json.dumps(action)}\n" for action in actions))


def vector(row: int) -> dict[str, Any]:
    """A deletion vector of one row, as Spark writes small ones into the log."""
    bitmap = struct.pack("<IIHHIH", 12_346, 1, 0, 0, 16, row)
    data = struct.pack("<IQI", 1_681_511_377, 1, 0) + bitmap
    padded = data + bytes(-len(data) % 4)
    text = "".join("".join(digits(padded[at : at + 4])) for at in range(0, len(padded), 4))
    return {"storageType": "i", "pathOrInlineDv": text, "sizeInBytes": len(data), "cardinality": 1}


def digits(data: bytes) -> Iterator[str]:
    number = int.from_bytes(data, "big")
    return (_Z85[number // 85**place % 85] for place in reversed(range(5)))


def ids(location: str) -> list[int]:
    return sorted(n for table in from_files(location) for n in table.column("id").to_pylist())


def refusal(location: str) -> str:
    with pytest.raises(Exception, match="table") as refused:
        list(from_files(location))
    error = bunce_error(refused.value)
    assert isinstance(error, SourceError)
    return str(error)


def test_rows_in_a_deletion_vector_are_not_read() -> None:
    with_features("lake", "deletionVectors", deleted=1)

    assert ids("lake") == [1, 3]


def test_a_feature_that_the_library_does_not_know_is_told_in_one_line() -> None:
    with_features("lake", "deletionVectors", "columnMapping")

    said = refusal("lake")

    assert said.startswith("lake is a Delta table that deltalake cannot read: The table has set")
    assert "columnMapping" in said
    assert "\n" not in said


def test_old_timestamps_keep_their_year() -> None:
    """Spark writes INT96, whose nanoseconds Arrow wraps: the year 9999 was 1816."""
    last, first = (
        datetime(9999, 12, 31, tzinfo=timezone.utc),
        datetime(1, 1, 1, tzinfo=timezone.utc),
    )
    rows = pa.table({"id": [1, 2], "until": pa.array([last, first], pa.timestamp("us", "UTC"))})
    deltalake.write_deltalake("lake", rows)
    [data] = Path("lake").glob("*.parquet")
    pq.write_table(rows, data, use_deprecated_int96_timestamps=True)
    [log] = Path("lake", "_delta_log").glob("*.json")
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    for action in actions:
        if "add" in action:
            action["add"] |= {"size": data.stat().st_size, "stats": None}
    log.write_text("".join(f"{json.dumps(action)}\n" for action in actions))

    shutil.copy(data, "old.parquet")

    for location in ("lake", "old.parquet"):
        [table] = from_files(location)
        years = pc.year(table.column("until")).to_pylist()
        assert years == [9999, 1]


@pytest.mark.parametrize(
    "location",
    [
        "lake/people/**/*.parquet",
        "lake/people/day=1/*.parquet",
        "lake/people/day=0",
        "lake/*/*/*.parquet",
        "lake/p*",
        "FILE",
    ],
)
def test_remote_files_of_a_table_are_never_read_on_their_own(s3: Bucket, location: str) -> None:
    partitioned("people")
    files = [path for path in Path("people").rglob("*") if path.is_file()]
    for path in files:
        s3.put(path, f"lake/{path}")
    s3.put(next(path for path in files if path.suffix == ".parquet"), "plain/a.parquet")
    one = next(path for path in files if path.suffix == ".parquet")
    url = f"s3://{s3.name}/{f'lake/{one}' if location == 'FILE' else location}"

    said = refusal(url)

    assert "a Delta table" in said
    assert "rows that were deleted" in said
    assert ids(f"s3://{s3.name}/lake/people") == ids(f"s3://{s3.name}/lake/people/") == [1, 3, 4]
    assert ids(f"s3://{s3.name}/plain/*.parquet") != []


def test_a_remote_iceberg_table_is_read_whole_or_not_at_all(s3: Bucket) -> None:
    from pyiceberg.catalog.sql import SqlCatalog

    location = f"s3://{s3.name}/lake/people"
    settings = {
        "uri": "sqlite:///catalog.db",
        "s3.endpoint": s3.endpoint_url,
        "s3.region": "us-east-1",
        "s3.access-key-id": "testing",
        "s3.secret-access-key": "testing",
    }
    catalog = SqlCatalog("crm", **settings)
    catalog.create_namespace("crm")
    table = catalog.create_table("crm.people", people(1).schema, location=location)
    table.append(people(1, 2, 3))
    table.delete("id = 2")
    catalog.engine.dispose()

    said = refusal(f"{location}/data/*.parquet")

    assert "a part of an Iceberg table" in said
    assert f"Load the whole table: {location}." in said
    assert ids(location) == [1, 3]
