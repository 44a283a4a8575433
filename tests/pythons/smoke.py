"""One load and its rerun on this interpreter: the command, `flush_and_run`, three kinds of rows.

Started by `make test-pythons` in an environment that has the runtime dependencies alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROWS = [
    {
        "id": n,
        "email": f"c{n}@example.com",
        "first_name": "Zoë",
        "last_name": "Obi",
        "mobile": f"+23481{n:08d}",
        "updated_at": 10,
    }
    for n in range(1, 41)
]
PROGRAM = Path(sys.executable).with_name("dlt-bunce")


def command(*words: str) -> str:
    """What the real command prints; its failure ends the program."""
    return subprocess.run(
        [PROGRAM, *words], check=True, text=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    ).stdout


def expect(expected: dict[str, int], summary: dict[str, Any]) -> None:
    """Ends the program when a figure differs."""
    found = {name: summary[name] for name in expected}
    if found != expected:
        sys.exit(f"expected {expected}, found {found}")


def main() -> None:
    """Loads in a throwaway folder."""
    import dlt
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    from dlt_bunce import bunce, bunce_adapter, flush_and_run
    from dlt_bunce.emulator import Behavior, Emulator

    assert version("dlt-bunce") in command("--version")
    table = pa.Table.from_pylist(ROWS)
    pq.write_table(table.slice(0, 10), "a.parquet")
    pa.csv.write_csv(table.slice(10, 10), "b.csv")
    with Emulator(Behavior(rate_limit=0)) as emulator:
        os.environ["DESTINATION__BUNCE__BASE_URL"] = emulator.base_url
        os.environ["DESTINATION__BUNCE__CREDENTIALS__API_KEY"] = "sk_test_smoke"
        for file in ("a.parquet", "b.csv"):
            for fate in ("created", "unchanged"):
                expect({"read": 10, fate: 10}, json.loads(command("load", file, "--json")))
        for name, rows in (("dicts", ROWS[20:30]), ("arrow", table.slice(30, 10))):
            for fate in ("created", "unchanged"):
                pipeline = dlt.pipeline(name, destination=bunce())
                summary = flush_and_run(pipeline, bunce_adapter([rows], version="updated_at"))
                expect({"read": 10, fate: 10}, summary.as_dict())
        expect({"customers": 40}, {"customers": len(emulator.customers)})
    print(f"Python {sys.version.split()[0]}: 40 customers, and none twice")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="dlt-bunce-") as folder:
        os.chdir(folder)
        os.environ["DLT_DATA_DIR"] = str(Path(folder, "dlt"))
        os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
        os.environ["RUNTIME__LOG_LEVEL"] = "CRITICAL"
        main()
