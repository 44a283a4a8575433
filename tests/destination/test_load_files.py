"""Files of a load package are found and read while dlt moves them."""

from __future__ import annotations

import gzip
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlt_bunce.destination.folder.load_files import files_of_table, load_file

NEW, STARTED, DONE, FAILED = (
    Path(f"p/{s}_jobs") for s in ("new", "started", "completed", "failed")
)


def put(folder: Path, name: str, *ids: str) -> Path:
    """A load file with these ids."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.table({"id": ids, "id▶v_text": ids, "note": ids})
    if name.endswith("parquet"):
        pq.write_table(table, folder / name)
    else:
        lines = "".join(f'{{"id": "{number}", "note": "{number}"}}\n' for number in ids)
        opener = gzip.open if name.endswith("gz") else open
        with opener(folder / name, "wt", encoding="utf-8") as file:  # type: ignore[operator]
            file.write(lines)
    return folder / name


def test_all_files_of_a_table_count_wherever_they_are() -> None:
    own = put(STARTED, "people.a1.0.parquet", "1")
    put(NEW, "people.b2.3.jsonl", "2")
    put(DONE, "people.c3.0.jsonl.gz", "3")
    put(FAILED, "people.d4.1.typed-jsonl", "4")
    put(NEW, "orders.e5.0.parquet", "5")
    put(NEW, "people.f6.0.reference", "6")

    found = files_of_table(str(own))

    assert sorted(found) == ["a1", "b2", "c3", "d4"]
    assert {k: s.row_count for k, s in found.items()} == {
        "a1": 1,
        "b2": None,
        "c3": None,
        "d4": None,
    }
    ids = [
        row["id"] for source in found.values() for t in source.chunks(9) for row in t.to_pylist()
    ]
    assert sorted(ids) == ["1", "2", "3", "4"]


@pytest.mark.parametrize("name", ["people.a1.0.parquet", "people.a1.0.jsonl"])
def test_a_file_is_read_to_its_end_while_it_moves_and_is_found_where_it_went(name: str) -> None:
    file = put(NEW, name, *map(str, range(50)))
    source = load_file(str(file))
    tables = source.chunks(20)
    read = [next(tables).num_rows]
    for folder, moved in ((STARTED, name), (NEW, name.replace(".0.", ".1.")), (DONE, name)):
        folder.mkdir(exist_ok=True)
        file = file.rename(folder / moved)
        assert sum(table.num_rows for table in source.chunks(20)) == 50

    assert read + [table.num_rows for table in tables] == [20, 20, 10]


def test_no_file_is_missed_however_they_move() -> None:
    names = [f"people.{n:02d}.0.parquet" for n in range(20)]
    files = [put(NEW, name, "1") for name in names]
    STARTED.mkdir()
    stop = threading.Event()

    def move() -> None:
        while not stop.is_set():
            for before, after in ((NEW, STARTED), (STARTED, NEW)):
                for name in names:
                    (before / name).rename(after / name)
                    # in memory a file would go there and back while a folder is listed once
                    stop.wait(0.001)

    mover = threading.Thread(target=move)
    mover.start()
    try:
        counts = {len(files_of_table(str(files[0]))) for _ in range(200)}
        rows = {load_file(str(files[7])).row_count for _ in range(200)}
    finally:
        stop.set()
        mover.join()

    assert (counts, rows) == ({20}, {1})


def test_only_the_columns_asked_for_are_read() -> None:
    [table] = load_file(str(put(NEW, "people.a1.0.parquet", "1"))).chunks(9, ["id.path"])

    assert table.column_names == ["id", "id▶v_text"]
