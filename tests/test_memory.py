"""What is held in memory does not grow with the size of a row group."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.benchmarks.customers import customers

ROWS = 1_200_000
# the peak of this program alone: what its parent held before it was started does not count
PEAK = """
import re, sys
import dlt
from dlt_bunce import bunce
from dlt_bunce.sources import from_parquet

pipeline = dlt.pipeline("crm", pipelines_dir=sys.argv[2], destination=bunce("sk_test_x"))
pipeline.extract(from_parquet(sys.argv[1]))
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""


READ = """
import re, sys
from dlt_bunce.sources import from_files

assert sum(table.num_rows for table in from_files(sys.argv[1]))
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""


def peak(file: Path, program: str = PEAK) -> int:
    """Bytes that extracting a file has taken at most."""
    command = [sys.executable, "-c", program, str(file), str(file.with_suffix(""))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout) * 1024


def test_a_large_row_group_is_not_held(tmp_path: Path) -> None:
    table = pa.concat_tables(customers(n, 100_000) for n in range(0, ROWS, 100_000))
    small, large = tmp_path / "small.parquet", tmp_path / "large.parquet"
    pq.write_table(table, small, row_group_size=20_000, compression="none", use_dictionary=False)
    pq.write_table(table, large, row_group_size=ROWS, compression="none", use_dictionary=False)
    group = pq.ParquetFile(large).metadata.row_group(0).total_byte_size

    assert group > 100_000_000
    assert peak(large) - peak(small) < group / 4


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_text_file_is_read_a_part_at_a_time(tmp_path: Path, ending: str) -> None:
    header = "id,email,name\n" if ending == "csv" else ""
    note = "x" * 1_000
    lines = {"csv": f"1,a@example.com,{note}\n", "jsonl": f'{{"id": 1, "note": "{note}"}}\n'}
    small, large = tmp_path / f"small.{ending}", tmp_path / f"large.{ending}"
    small.write_text(header + lines[ending] * 40_000)
    large.write_text(header + lines[ending] * 240_000)

    assert peak(large, READ) - peak(small, READ) < 100_000_000
