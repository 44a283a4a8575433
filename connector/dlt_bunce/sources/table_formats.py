"""Delta and Iceberg tables: folders whose Parquet files also contain rows that were deleted."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from dlt_bunce.errors import SourceError
from dlt_bunce.load.parquet import INT96_UNIT
from dlt_bunce.sources.formats import NAMES, Kind
from dlt_bunce.sources.opening import named_errors


def table_in(location: str, found: Sequence[Any]) -> Any:
    """Return the one file of a listing that stands for a Delta or Iceberg table, with its `kind`;
    None if the location is no such table. Raises SourceError if the tables are in folders of it.
    """
    marks = [(file, kind) for file in found if (kind := _kind(str(file["relative_path"])))]
    if not marks:
        return None
    for file, kind in marks:
        path = str(file["relative_path"])
        if path.count("/") > 1:
            table = path.rsplit("/", 2)[0]
            raise SourceError(
                f"{location} contains {NAMES[kind]} in {table}: its Parquet files also contain "
                "rows that were deleted.",
                remedy="Load each table by its own folder.",
            )
    newest, kind = max(marks, key=lambda mark: _version(str(mark[0]["file_name"])))
    newest["kind"] = kind
    return newest


def refuse_part_of_table(location: str, files: Sequence[Any]) -> None:
    """Raise SourceError if Parquet files belong to a Delta or Iceberg table."""
    parquet = [file for file in files if file["kind"] == "parquet"]
    found = (_remote_tables if "://" in location else _local_tables)(parquet)
    for folder, kind in sorted(found):
        raise SourceError(
            f"{location} is a part of {NAMES[kind]}: its Parquet files also contain rows that "
            "were deleted.",
            remedy=f"Load the whole table: {folder}.",
        )


def _local_tables(files: Sequence[Any]) -> Iterator[tuple[str, Kind]]:
    """Yield the tables to which files belong, each with its folder."""
    own = {Path(file.local_file_path).parent for file in files}
    for folder in {parent for path in own for parent in (path, *path.parents)}:
        if (folder / "_delta_log").is_dir():
            yield str(folder), "delta"
        if any((folder / "metadata").glob("*.metadata.json")):
            yield str(folder), "iceberg"


def _remote_tables(files: Sequence[Any]) -> Iterator[tuple[str, Kind]]:
    """Yield tables as `_local_tables`: by a request for each folder above all files, and by one
    more listing for those below.
    """
    if not files:
        return
    fs = files[0].fsspec
    own = {PurePosixPath(fs._strip_protocol(file["file_url"])).parent for file in files}  # noqa: SLF001, fsspec has no public call for it
    root = PurePosixPath(posixpath.commonpath(own))
    marks = [path for folder in (root, *root.parents) for path in _marks(fs, folder)]
    if own != {root}:
        marks += fs.find(str(root))
    for path in marks:
        kind, table = _kind(path), PurePosixPath(path).parent.parent
        if kind is not None and any(folder.is_relative_to(table) for folder in own):
            yield fs.unstrip_protocol(str(table)), kind


def _marks(fs: Any, folder: PurePosixPath) -> list[str]:
    """Return the files that make a folder a table; none where they may not be listed."""
    try:
        return [
            path
            for pattern in ("_delta_log/*.json", "metadata/*.metadata.json")
            if str(folder) != "."  # above the bucket
            for path in fs.glob(str(folder / pattern))
        ]
    except PermissionError:
        return []


def schema(file: Any, location: str) -> pa.Schema:
    """Return the schema of a table. Raises SourceError, also if its library is not installed."""
    with named_errors(location, file["kind"]):
        if file["kind"] == "delta":
            return _delta(file, location).schema
        return pa.schema(_iceberg(file).schema().as_arrow())


def batches(file: Any, location: str, rows: int) -> Iterator[Any]:
    """Yield record batches of at most `rows` rows that are in the table now. Raises as `schema`."""
    with named_errors(location, file["kind"]):
        found = (
            _delta(file, location, rows)
            if file["kind"] == "delta"
            else _iceberg(file).scan().to_arrow_batch_reader()
        )
        for batch in found:
            for start in range(0, batch.num_rows, rows):
                yield batch.slice(start, rows)


def _delta(file: Any, location: str, rows: int = 1) -> pa.RecordBatchReader:
    import deltalake
    from deltalake.exceptions import DeltaProtocolError
    from deltalake.table import SUPPORTED_READER_FEATURES
    from pyarrow.dataset import ParquetReadOptions

    options = None
    if "://" in location:
        options = _credentials(file).to_object_store_rs_credentials()
    try:
        table = deltalake.DeltaTable(location, storage_options=options)
        features = set(table.protocol().reader_features or ()) - SUPPORTED_READER_FEATURES
        if features == {"deletionVectors"}:
            # only queries know them
            query = deltalake.QueryBuilder().register("customers", table)
            return pa.RecordBatchReader.from_stream(query.execute("SELECT * FROM customers"))
        read = ParquetReadOptions(coerce_int96_timestamp_unit=INT96_UNIT)
        dataset = table.to_pyarrow_dataset(parquet_read_options=read)
        return dataset.scanner(batch_size=rows).to_reader()
    except DeltaProtocolError as error:
        raise SourceError(
            f"{location} is a Delta table that deltalake cannot read: "
            f"{str(error).splitlines()[0].rstrip('.')}.",
            remedy="Upgrade deltalake; or write the table anew without that feature, or as Parquet "
            "files elsewhere.",
        ) from None


def _iceberg(file: Any) -> Any:
    from pyiceberg.table import StaticTable

    if "file" in file.fsspec.protocol:
        return StaticTable.from_metadata(file.local_file_path)
    properties = _credentials(file).to_pyiceberg_fileio_config()
    given = {name: value for name, value in properties.items() if value is not None}
    return StaticTable.from_metadata(file["file_url"], given)


def _credentials(file: Any) -> Any:
    """Return the credentials for a remote file, from where dlt's filesystem source has them."""
    from dlt.common.configuration.resolve import resolve_configuration
    from dlt.sources.filesystem.helpers import FilesystemConfigurationResource

    wanted = FilesystemConfigurationResource(bucket_url=file["file_url"])
    return resolve_configuration(wanted, sections=("sources", "filesystem")).credentials


def _kind(path: str) -> Kind | None:
    folder = path.split("/")[:-1]
    if folder and folder[-1] == "_delta_log" and re.search(r"\.(json|parquet)$", path):
        return "delta"
    if folder and folder[-1] == "metadata" and path.endswith(".metadata.json"):
        return "iceberg"
    return None


def _version(name: str) -> int:
    found = re.search(r"[0-9]+", name)
    return int(found[0]) if found else 0
