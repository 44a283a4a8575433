"""The destination as a dlt user meets it: real pipelines against the emulated API."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pyarrow as pa
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from dlt_bunce import bunce, bunce_adapter, run_summary
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.errors import (
    AccountError,
    ConfigurationError,
    CredentialsError,
    DispositionError,
    MappingError,
    RejectThresholdError,
    UnknownTableError,
)
from dlt_bunce.running import bunce_error
from dlt_bunce.store.database import Database

STORE = "sqlite:///bunce.sqlite"
MakePipeline = Callable[..., dlt.Pipeline]


def customer(number: int, **changes: Any) -> dict[str, Any]:
    """A good row, with changes."""
    return {
        "customer_id": f"c{number}",
        "email": f"c{number}@example.com",
        "first_name": "Ada",
        "last_name": "Obi",
        "phone_no": f"+23481{number:08d}",
    } | changes


@pytest.fixture
def make(emulator: Emulator) -> MakePipeline:
    """Makes a pipeline into the emulator."""

    def make(name: str = "crm", **settings: Any) -> dlt.Pipeline:
        settings = {"credentials": "sk_test_marked", "base_url": emulator.base_url} | settings
        return dlt.pipeline(name, destination=bunce(requests_per_minute=0, **settings))

    return make


def letters(columns: str = "customer_id, code, status") -> list[tuple[Any, ...]]:
    """Dead letters in the store, ordered by customer."""
    with Database(STORE) as db:
        rows = db.rows(f"SELECT {columns} FROM bunce_dead_letters ORDER BY customer_id, code")
    return [tuple(row.values()) for row in rows]


def refused(pipeline: dlt.Pipeline, data: Any, **options: Any) -> Exception:
    """The error of ours behind a run that must fail."""
    with pytest.raises(PipelineStepFailed) as failure:
        pipeline.run(data, **options)
    error = bunce_error(failure.value)
    assert error is not None
    return error


@pytest.mark.parametrize("disposition", ["append", "merge"])
def test_new_customers_are_created_once_and_never_sent_again(
    make: MakePipeline, emulator: Emulator, disposition: Any
) -> None:
    pipeline = make()
    rows = [customer(n) for n in range(250)]

    pipeline.run(rows, table_name="customers", write_disposition=disposition)
    first = run_summary(pipeline)
    pipeline.run(rows, table_name="customers", write_disposition=disposition)
    second = run_summary(pipeline)

    assert (250, 250) == (first.read, first.created)
    assert (250, 250, 0) == (second.read, second.unchanged, second.bulk_requests)
    assert {f"c{n}": 1 for n in range(250)} == emulator.times_sent


@pytest.mark.parametrize("reference", ["bunce", "dlt_bunce.bunce", "dlt_bunce.destinations.bunce"])
def test_the_destination_is_found_by_its_name(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    monkeypatch.setenv("DESTINATION__BUNCE__BASE_URL", emulator.base_url)
    monkeypatch.setenv("DESTINATION__BUNCE__CREDENTIALS__API_KEY", "sk_test_marked")

    pipeline = dlt.pipeline("crm", destination=reference)
    pipeline.run([customer(1)], table_name="customers")

    assert ["c1"] == list(emulator.customers)


def test_what_dlt_adds_never_reaches_bunce(make: MakePipeline, emulator: Emulator) -> None:
    make().run(
        [customer(1, devices=[{"device_type": "iOS", "device_token": "t"}])], table_name="customers"
    )

    stored = emulator.customers["c1"]
    assert not [name for name in stored if name.startswith("_dlt")]
    assert [{"device_type": "ios", "device_token": "t"}] == [
        {k: d[k] for k in ("device_type", "device_token")} for d in stored["devices"]
    ]
    assert {"customers"} == {name for (name,) in letters_tables()}


def letters_tables() -> list[tuple[str]]:
    """Which tables the runs have loaded."""
    with Database(STORE) as db:
        return [(row["table_name"],) for row in db.rows("SELECT table_name FROM bunce_runs")]


@pytest.mark.parametrize("file_format", ["parquet", "typed-jsonl", "jsonl"])
@pytest.mark.parametrize("arrow", [True, False])
def test_every_file_format_gives_the_same_customers(
    make: MakePipeline, emulator: Emulator, file_format: Any, arrow: bool
) -> None:
    rows = [customer(n, first_name=f"Zoë {n}") for n in range(3)]
    data = pa.Table.from_pylist(rows) if arrow else rows
    pipeline = make()

    pipeline.run(
        dlt.resource([data] if arrow else data, name="customers"), loader_file_format=file_format
    )

    assert 3 == run_summary(pipeline).created
    assert "Zoë 2" == emulator.customers["c2"]["first_name"]
    pipeline.run(rows, table_name="customers")
    assert 3 == run_summary(pipeline).unchanged


def test_replace_is_refused_by_the_adapter_before_extraction() -> None:
    resource = dlt.resource([customer(1)], name="customers", write_disposition="replace")

    with pytest.raises(DispositionError, match="Bunce has no call that deletes"):
        bunce_adapter(resource)


def test_replace_is_refused_before_sending_and_names_the_command_that_cures_it(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline = make()

    error = refused(pipeline, [customer(1)], table_name="customers", write_disposition="replace")

    assert isinstance(error, DispositionError)
    assert {} == emulator.customers
    command = str(error).rsplit(": ", 1)[1]
    assert "dlt pipeline crm drop-pending-packages" == command
    subprocess.run(
        [Path(sys.executable).with_name("dlt"), "--yes", *command.split()[1:]],
        check=True,
        capture_output=True,
        env={
            **os.environ,
            "DESTINATION__BUNCE__CREDENTIALS__API_KEY": "sk_test_marked",
            "DESTINATION__BUNCE__BASE_URL": emulator.base_url,
        },
    )
    pipeline = make()
    pipeline.run([customer(1)], table_name="customers")
    assert 1 == run_summary(pipeline).created


def test_hard_delete_hints_are_refused(make: MakePipeline, emulator: Emulator) -> None:
    error = refused(
        make(),
        [customer(1, gone=True)],
        table_name="customers",
        write_disposition="merge",
        columns={"gone": {"hard_delete": True}},
    )

    assert isinstance(error, DispositionError)
    assert "gone" in str(error)
    assert [] == [r for r in emulator.requests if r.call == "create"]


def test_another_table_is_refused_by_name(make: MakePipeline, emulator: Emulator) -> None:
    error = refused(make(), [customer(1)], table_name="invoices")

    assert isinstance(error, UnknownTableError)
    assert "'invoices'" in str(error)
    assert {} == emulator.customers


def test_the_table_of_customers_can_be_configured(make: MakePipeline, emulator: Emulator) -> None:
    make(customers_table="people, users").run([customer(1)], table_name="users")

    assert ["c1"] == list(emulator.customers)


def test_hints_map_columns(make: MakePipeline, emulator: Emulator) -> None:
    row = {"no": 7, "m": "a@example.com", "fn": "A", "ln": "B", "tel1": "+2348100000000"}
    resource = dlt.resource([row], name="people")

    make().run(
        bunce_adapter(
            resource, customer_id="no", email="m", first_name="fn", last_name="ln", phone_no="tel1"
        )
    )

    assert "a@example.com" == emulator.customers["7"]["email"]


def test_configuration_maps_columns_and_aliases_map_themselves(
    make: MakePipeline, emulator: Emulator
) -> None:
    row = {"ID": 7, "m": "a@example.com", "firstname": "A", "surname": "B", "msisdn": "+2348100000"}

    make(mapping={"email": "m"}).run([row], table_name="customers")

    assert "a@example.com" == emulator.customers["7"]["email"]


@pytest.mark.parametrize(
    ("row", "mapping", "said"),
    [
        ({"id": 1, "first_name": "a"}, {}, "required fields email, last_name, phone_no"),
        (customer(1), {"email": "mail2"}, "'mail2', which does not exist"),
        (
            {k: v for k, v in customer(1).items() if k != "phone_no"}
            | {"phone": "1", "mobile": "2"},
            {},
            "Several columns could be phone_no: 'phone', 'mobile'",
        ),
    ],
)
def test_a_wrong_mapping_is_refused_before_the_first_request(
    make: MakePipeline, emulator: Emulator, row: Any, mapping: Any, said: str
) -> None:
    error = refused(make(mapping=mapping), [row], table_name="customers")

    assert isinstance(error, MappingError)
    assert said in str(error)
    assert set(row) == set(error.columns)
    assert "[destination.bunce.mapping]" in str(error)
    assert [] == emulator.requests


def test_a_mapping_that_rejects_everything_stops_before_anything_is_sent(
    make: MakePipeline, emulator: Emulator
) -> None:
    rows = [customer(n, email=f"not an address {n}") for n in range(1_000)]

    error = refused(make(), rows, table_name="customers")

    assert isinstance(error, MappingError)
    assert "column 'email'" in str(error)
    assert [] == [r for r in emulator.requests if r.call == "create"]
    assert [] == letters()


def test_a_refused_key_stops_the_run_before_loading(make: MakePipeline, emulator: Emulator) -> None:
    emulator.behavior = Behavior(rate_limit=0, api_keys=("sk_test_other",))

    error = refused(make(), [customer(1)], table_name="customers")

    assert isinstance(error, CredentialsError)
    assert "sk_test_marked" not in str(error)


@pytest.mark.parametrize(
    ("key", "base_url"),
    [
        ("sk_test_x", "https://api.bunce.so/v1"),
        ("sk_live_x", "https://sandbox.api.bunce.so/v1"),
        ("x", None),
        ("sk_test_x", "http://bunce.example/v1"),
        ("sk_test_x", "https://sandbox.api.bunce.so"),
    ],
)
def test_a_key_that_contradicts_its_host_is_refused(
    make: MakePipeline, key: str, base_url: str | None
) -> None:
    with pytest.raises(PipelineStepFailed) as failure:
        make(credentials=key, base_url=base_url).run([customer(1)], table_name="customers")

    assert isinstance(bunce_error(failure.value), ConfigurationError)


@pytest.mark.parametrize(
    ("key", "host"), [("sk_test_x", "sandbox.api.bunce.so"), ("sk_live_x", "api.bunce.so")]
)
def test_the_host_follows_from_the_key(key: str, host: str) -> None:
    config = bunce(credentials=key).configuration(bunce.spec())

    assert f"https://{host}/v1" == config.base_url


def test_the_key_is_never_shown(make: MakePipeline) -> None:
    pipeline = make()

    shown = repr(pipeline.destination) + repr(pipeline.destination.configuration(bunce.spec()))

    assert "sk_test_marked" not in shown


def test_a_ledger_is_not_used_with_another_workspace(
    make: MakePipeline, emulator: Emulator
) -> None:
    make().run([customer(1)], table_name="customers")

    error = refused(make("other", credentials="sk_test_two"), [customer(2)], table_name="customers")

    assert isinstance(error, AccountError)
    assert "dlt-bunce account rotate" in str(error)
    assert ["c1"] == list(emulator.customers)


def test_a_bad_row_is_a_dead_letter_and_the_others_arrive(
    make: MakePipeline, emulator: Emulator
) -> None:
    rows = [customer(n) for n in range(10)]
    rows[3]["email"] = "bad@@example.com"
    rows[7]["email"] = "c2@example.com"
    pipeline = make()

    pipeline.run(rows, table_name="customers")
    summary = run_summary(pipeline)

    assert (10, 8, 2) == (summary.read, summary.created, summary.rejected)
    assert {"email_taken": 1, "invalid_email": 1} == summary.reject_codes
    assert [("c3", "invalid_email", "open"), ("c7", "email_taken", "open")] == letters()
    assert {f"c{n}" for n in range(10)} - {"c3", "c7"} == set(emulator.customers)
    with pytest.raises(RejectThresholdError, match="2 of 10 rows"):
        summary.raise_if_rejected(share=0.1)
    summary.raise_if_rejected(share=0.2)


def test_a_rejected_row_is_held_until_it_changes_and_then_its_letter_is_resolved(
    make: MakePipeline, emulator: Emulator
) -> None:
    rows = [customer(n) for n in range(4)]
    rows[1]["phone_no"] = "letters"
    rows[2]["email"] = "c0@example.com"
    pipeline = make()
    pipeline.run(rows, table_name="customers")

    pipeline.run(rows, table_name="customers")
    held = run_summary(pipeline)
    rows[1]["phone_no"] = "+2348111111111"
    rows[2]["email"] = "new@example.com"
    pipeline.run(rows, table_name="customers")
    corrected = run_summary(pipeline)

    assert (2, 2, 0) == (held.unchanged, held.held, held.bulk_requests)
    assert (2, 2) == (corrected.unchanged, corrected.created)
    assert [("c1", "invalid_phone_no", "resolved"), ("c2", "email_taken", "resolved")] == letters()
    assert "new@example.com" == emulator.customers["c2"]["email"]


def test_a_row_that_changes_from_bad_to_bad_keeps_one_open_letter(make: MakePipeline) -> None:
    pipeline = make()
    for phone in ("letters", "123"):
        pipeline.run([customer(1), customer(2, phone_no=phone)], table_name="customers")

    assert ["open", "superseded"] == sorted(status for (status,) in letters("status"))


def test_a_changed_customer_is_counted_as_skipped(make: MakePipeline, emulator: Emulator) -> None:
    pipeline = make()
    pipeline.run([customer(1)], table_name="customers", write_disposition="merge")

    pipeline.run([customer(1, first_name="New")], table_name="customers", write_disposition="merge")

    summary = run_summary(pipeline)
    assert (1, 1, 0) == (summary.read, summary.skipped, summary.bulk_requests)
    assert "Ada" == emulator.customers["c1"]["first_name"]


def test_the_newest_version_of_a_key_wins(make: MakePipeline, emulator: Emulator) -> None:
    rows = [customer(1, first_name="New", v=2), customer(1, first_name="Old", v=1)]
    pipeline = make()

    pipeline.run(bunce_adapter(dlt.resource(rows, name="customers"), version="v"))

    summary = run_summary(pipeline)
    assert (2, 1, 1) == (summary.read, summary.created, summary.superseded)
    assert "New" == emulator.customers["c1"]["first_name"]


def test_customers_that_bunce_has_already_are_adopted(
    make: MakePipeline, emulator: Emulator
) -> None:
    make().run([customer(1), customer(2)], table_name="customers")
    pipeline = make("again", store_url="sqlite:///new.sqlite")

    pipeline.run([customer(1), customer(2), customer(3)], table_name="customers")

    summary = run_summary(pipeline)
    assert (2, 1, 0) == (summary.adopted, summary.created, summary.rejected)


def test_an_incremental_cursor_survives_the_loss_of_the_working_folder(
    make: MakePipeline,
) -> None:
    @dlt.resource(name="customers")
    def changed(cursor: Any = dlt.sources.incremental("v", initial_value=0)) -> Any:
        read.append(cursor.last_value)
        yield [customer(n, v=n) for n in range(5)]

    read: list[int] = []
    pipeline = make()
    pipeline.run(changed())
    pipeline.drop()
    pipeline = make()

    pipeline.run(changed())

    assert [0, 4] == read
    assert 0 == run_summary(pipeline).read


def test_a_run_with_nothing_new_reports_nothing(make: MakePipeline) -> None:
    pipeline = make()
    pipeline.run([customer(1)], table_name="customers")

    pipeline.run(
        pa.table({name: pa.array([], pa.string()) for name in customer(1)}), table_name="customers"
    )

    assert (0, 0) == (run_summary(pipeline).read, run_summary(pipeline).created)


def test_a_dry_run_counts_and_sends_and_writes_nothing(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline = make(dry_run=True)

    pipeline.run([customer(1), customer(2, email="bad")], table_name="customers")

    summary = run_summary(pipeline)
    assert ("dry_run", 2, 1, 1) == (summary.state, summary.read, summary.created, summary.rejected)
    assert [] == emulator.requests
    assert not Path("bunce.sqlite").exists()


def test_dead_letters_load_into_a_warehouse(make: MakePipeline) -> None:
    from dlt_bunce import dead_letters

    make().run([customer(1), customer(2, email="bad")], table_name="customers")
    warehouse = dlt.pipeline(
        "letters", destination=dlt.destinations.duckdb("w.duckdb"), dataset_name="bunce"
    )

    warehouse.run(dead_letters(store_url=STORE))

    with duckdb.connect("w.duckdb") as db:
        rows = db.sql("SELECT customer_id, code FROM bunce.dead_letters").fetchall()
    assert [("c2", "invalid_email")] == rows
