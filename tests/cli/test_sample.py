"""The sample that the demo loads."""

from __future__ import annotations

from dlt_bunce.cli.sample import corrected, sample
from dlt_bunce.records.fields.rules import Rules
from dlt_bunce.records.mapping.mapping import resolve_mapping
from dlt_bunce.records.prepare import prepare


def test_the_same_arguments_give_the_same_customers() -> None:
    assert sample(2_000)[0].equals(sample(2_000)[0])


def test_about_three_percent_are_defective() -> None:
    table, expected = sample(10_000)

    prepared = prepare(table, resolve_mapping(table.column_names), Rules(strict_devices=True))

    found = prepared.rejected.column("code").value_counts().to_pylist()
    counts = {entry["values"]: entry["counts"] for entry in found}
    assert sum(expected.values()) == 300
    assert {c: n for c, n in expected.items() if c != "email_taken"} == counts


def test_corrected_rows_are_good() -> None:
    table, _ = sample(10_000)
    mapping = resolve_mapping(table.column_names)
    before = prepare(table, mapping, Rules(strict_devices=True)).rejected.num_rows

    repaired, count = corrected(table)

    after = prepare(repaired, mapping, Rules(strict_devices=True)).rejected.num_rows
    assert table.num_rows == repaired.num_rows
    assert 100 < count < 200
    assert before - count <= after < before
