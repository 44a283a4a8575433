"""Files that a resource has dlt import, with `dlt.mark.with_file_import`, are loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlt_bunce import bunce_adapter
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import SourceError

from .conftest import MakePipeline, customer
from .test_mappings import DOORS, load

ROWS = [customer(1), customer(2, customer_id="007"), customer(3, customer_id=7)]


def importing(file: Path) -> Any:
    """A resource with the rows of a file."""

    def data() -> Any:
        yield dlt.mark.with_file_import(str(file.absolute()), file.suffix[1:], len(ROWS))  # type: ignore[arg-type]

    return dlt.resource(data, name="customers")


@pytest.mark.parametrize("how", DOORS)
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_its_rows_arrive_as_they_were_written(
    make: MakePipeline, emulator: Emulator, tmp_path: Path, how: str, suffix: str
) -> None:
    file = tmp_path / f"export.{suffix}"
    if suffix == "jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    else:
        rows = [row | {"customer_id": str(row["customer_id"])} for row in ROWS]
        pq.write_table(pa.Table.from_pylist(rows), file)

    done = load(make(), how, "files", importing(file), email="email")

    assert (done.read, done.created) == (3, 3)
    assert set(emulator.customers) == {"c1", "007", "7"}


def test_a_file_that_is_no_json_is_refused_with_the_line(
    make: MakePipeline, emulator: Emulator, tmp_path: Path
) -> None:
    file = tmp_path / "export.jsonl"
    file.write_text(json.dumps(ROWS[0]) + "\n{\n")
    pipeline = make()

    with pytest.raises(SourceError, match="Line 2 of a file that was imported into table 'cust"):
        pipeline.run(bunce_adapter(importing(file)))

    # and the next run is not held up
    pipeline.run([customer(1)], table_name="customers")
    assert set(emulator.customers) == {"c1"}
