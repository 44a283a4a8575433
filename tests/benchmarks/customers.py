"""Customers by the million, as a warehouse would hold them, made by Arrow's kernels alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from dlt.common.json import json
from tests.benchmarks.contenders import bare
from tests.benchmarks.plan import REFUSED

BLOCK = 100_000
"""Rows made at a time, and rows of a row group."""
_FIRST_NAMES = ["Adaeze", "Chidi", "Ngozi", "Ọlá", "Kwame", "Akosua", "Efua", "Wanjiru", "João"]
_FIRST_NAMES += ["Conceição", "Chloé", "François", "Jürgen", "Sören", "Priya", "Anne-Marie"]
_LAST_NAMES = ["Okafor", "Adéyẹmí", "Balogun", "Musa", "Mensah", "Boateng", "Mwangi", "Silva"]
_LAST_NAMES += ["Gonçalves", "Lefèvre", "Müller", "Weiß", "Iyer", "Singh", "D'Souza", "Satō"]
_HOSTS = ["example.com", "example.org", "example.net", "mail.example.com", "crm.example.com"]
_PREFIXES = ["+23480", "+2332", "+2547", "+55119", "+336", "+49151", "+9198", "+8190"]
"""With eight digits behind them, mobile numbers of their countries' lengths."""
_DEVICES = pa.list_(pa.struct([("device_type", pa.string()), ("device_token", pa.string())]))


def customers(first: int, rows: int) -> pa.Table:
    """Customers number `first` and following: id, email, names, mobile, devices, updated_at.

    The same arguments give the same table. A third of them have a device.
    """
    numbers = pa.array(range(first, first + rows), pa.int64())
    # ids that are spread over the key space: neighbors in the file are none in an index
    scattered = pc.bit_wise_xor(pc.multiply(numbers, 2_654_435_761), 0x5BD1E995)
    ids = pc.bit_wise_and(scattered, (1 << 52) - 1).cast(pa.string())
    suffix = numbers.cast(pa.string())
    given, family = _some(_FIRST_NAMES, numbers, 1), _some(_LAST_NAMES, numbers, 2)
    email = pc.binary_join_element_wise("c", suffix, ".", ids, "@", _some(_HOSTS, numbers, 3), "")
    digits = pc.utf8_slice_codeunits(pc.utf8_lpad(suffix, 8, "0"), -8)
    mobile = pc.binary_join_element_wise(_some(_PREFIXES, numbers, 4), digits, "")
    with_device = pc.equal(chance(numbers, 5, 3), 0)
    tokens = pc.binary_join_element_wise("token-", ids, "").filter(with_device)
    kinds = pc.if_else(pc.equal(pc.bit_wise_and(numbers, 1), 0), "ios", "android")
    devices = pa.StructArray.from_arrays(
        [kinds.filter(with_device), tokens], ["device_type", "device_token"]
    )
    counts = with_device.cast(pa.int32())
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(counts)])
    lists = pa.ListArray.from_arrays(offsets, devices, mask=pc.invert(with_device), type=_DEVICES)
    day = pa.scalar(1_790_000_000_000_000)
    updated_at = pc.add(day, pc.multiply(numbers, 1_000)).cast(pa.timestamp("us", "UTC"))
    return pa.table(
        {
            "id": ids,
            "email": email,
            "first_name": given,
            "last_name": family,
            "mobile": mobile,
            "devices": lists,
            "updated_at": updated_at,
        }
    )


def bodies(file: Path, batch: int) -> Path:
    """The customers of a file as bodies of requests, a line each, in a file beside it."""
    written = file.with_suffix(f".{batch}.bodies")
    with written.open("wb") as lines:
        for rows in _batches(file, batch):
            lines.write(json.dumpb({"customers": [bare.customer(row) for row in rows]}) + b"\n")
    return written


def messages(file: Path) -> Path:
    """The customers of a file as a Singer tap would write them, in a file beside it."""
    written = file.with_suffix(".messages")
    names = ("customer_id", "email", "first_name", "last_name", "phone_no")
    properties: dict[str, object] = {name: {"type": "string"} for name in names}
    properties["devices"] = {"type": ["null", "array"], "items": {"type": "object"}}
    schema = {"type": "object", "properties": properties}
    head = {"type": "SCHEMA", "stream": "customers", "schema": schema}
    with written.open("wb") as lines:
        lines.write(json.dumpb({**head, "key_properties": ["customer_id"]}) + b"\n")
        for rows in _batches(file, 1_000):
            for row in rows:
                record = {"type": "RECORD", "stream": "customers", "record": bare.customer(row)}
                lines.write(json.dumpb(record) + b"\n")
    return written


def _batches(file: Path, rows: int) -> Iterator[list[dict[str, Any]]]:
    with pq.ParquetFile(file) as opened:
        for batch in opened.iter_batches(batch_size=rows):
            yield batch.to_pylist()


def write(
    path: Path,
    rows: int,
    *,
    first: int = 0,
    changed_share: float = 0.0,
    refused_share: float = 0.0,
) -> None:
    """A Parquet file of customers number `first` and following.

    Such shares of them have another name, or an email that the server is told to refuse.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, customers(0, 0).schema) as writer:
        for start in range(first, first + rows, BLOCK):
            table = customers(start, min(BLOCK, first + rows - start))
            if changed_share:
                names = pc.binary_join_element_wise(table["last_name"], "Changed", "-")
                table = _where(table, changed_share, "last_name", names)
            if refused_share:
                emails = pc.replace_substring_regex(table["email"], "@.*", f"@{REFUSED}")
                table = _where(table, refused_share, "email", emails)
            writer.write_table(table)


def _some(values: list[str], numbers: pa.Array, salt: int) -> pa.Array:
    return pa.array(values).take(chance(numbers, salt, len(values)))


def chance(numbers: pa.Array, salt: int, most: int) -> pa.Array:
    """A whole number below `most` for each customer, always the same one."""
    mixed = pc.multiply(pc.add(numbers, salt * 1_000_003), 6_364_136_223_846_793_005)
    high = pc.bit_wise_and(pc.shift_right(mixed, 33), 0x3FFFFFFF)
    return pc.subtract(high, pc.multiply(pc.divide(high, most), most))


def _where(table: pa.Table, share: float, column: str, values: pa.Array) -> pa.Table:
    """The table with other values of a column in such a share of its rows, the same ones always."""
    numbers = table["updated_at"].cast(pa.int64())
    chosen = pc.less(chance(numbers.combine_chunks(), 6, 1_000), round(share * 1_000))
    mixed = pc.if_else(chosen, values, table[column])
    return table.set_column(table.column_names.index(column), column, mixed)
