"""Fields that a source nests, by their paths, in every kind of map."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from dlt_bunce import bunce_adapter, flush_and_run
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import MappingError

from .conftest import MakePipeline, customer, letters, replayed

PATHS = {
    "customer_id": "id",
    "email": "properties.email",
    "first_name": "properties.firstname",
    "last_name": "properties.lastname",
    "phone_no": "phones.0.number",
    "version": "properties.changed",
}


def contact(number: int, **properties: Any) -> dict[str, Any]:
    """As an API of contacts gives it."""
    whole = {"email": f"c{number}@example.com", "firstname": "Ada", "lastname": "Obi", "changed": 7}
    return {
        "id": f"00{number}",
        "properties": whole | properties,
        "phones": [{"number": f"+23481{number:08d}"}, {"number": "+2348031234567"}],
    }


ROWS = [contact(1), contact(2, email=None), contact(3, firstname="Eve"), contact(3, changed=6)]
FORMS = {
    "dicts": lambda: ROWS,
    "one by one": lambda: iter(ROWS),
    "structs": lambda: pa.Table.from_pylist(ROWS),
    "texts": lambda: [
        {n: v if n == "id" else json.dumps(v) for n, v in row.items()} for row in ROWS
    ],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["adapter", "config"])
def test_paths_lead_to_the_values(
    make: MakePipeline, emulator: Emulator, form: str, kind: str
) -> None:
    if kind == "adapter":
        pipeline, data = make(), bunce_adapter(FORMS[form](), **PATHS)
    else:
        pipeline, data = make(mapping=PATHS), FORMS[form]()

    summary = flush_and_run(pipeline, data, table_name="customers")

    assert (summary.created, summary.rejected, summary.superseded) == (2, 1, 1)
    assert summary.reject_codes == {"missing_email": 1}
    assert {key: row["first_name"] for key, row in emulator.customers.items()} == {
        "001": "Ada",
        "003": "Eve",
    }
    assert emulator.customers["001"]["phone_no"] == "+2348100000001"
    assert emulator.customers["001"]["email"] == "c1@example.com"


@pytest.mark.parametrize("form", FORMS)
def test_a_letter_of_a_nested_row_is_replayed(
    make: MakePipeline, emulator: Emulator, form: str
) -> None:
    flush_and_run(make(), bunce_adapter(FORMS[form](), **PATHS), table_name="customers")

    done = replayed(emulator, settings={"defaults": {"email": "nobody@example.com"}}).summary

    assert (done.read, done.created) == (1, 1)
    assert emulator.customers["002"]["email"] == "nobody@example.com"
    assert letters() == [("002", "missing_email", "resolved")]


def test_a_path_that_starts_nowhere_is_refused_with_the_columns(make: MakePipeline) -> None:
    data = bunce_adapter(ROWS, **PATHS | {"email": "attributes.email"})

    with pytest.raises(MappingError, match=r"attributes\.email.*Available columns: id, properties"):
        flush_and_run(make(), data, table_name="customers")


@pytest.mark.parametrize("kind", ["dicts", "arrow"])
@pytest.mark.parametrize("names", [("device_type", "device_token"), ("os", "push.token")])
def test_two_columns_are_one_device(
    make: MakePipeline, emulator: Emulator, kind: str, names: tuple[str, str]
) -> None:
    pairs = [("IOS", "t1"), (None, None), ("android", None), ("web", "t4")]
    rows = [
        customer(n)
        | {names[0]: os, names[1].partition(".")[0]: {"token": t} if "." in names[1] else t}
        for n, (os, t) in enumerate(pairs)
    ]
    data = rows if kind == "dicts" else pa.Table.from_pylist(rows)
    given = dict(zip(("device_type", "device_token"), names, strict=True))

    found = flush_and_run(make(), bunce_adapter(data, **given), table_name="customers")

    assert found.created == 4
    assert found.warnings == {"devices_left_out": 1}
    tokens = [sent.get("devices") or [] for sent in emulator.customers.values()]
    kinds = [[(d["device_type"], d["device_token"]) for d in devices] for devices in tokens]
    assert kinds == [[("ios", "t1")], [], [], [("web", "t4")]]
