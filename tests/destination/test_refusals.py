"""What cannot be loaded is refused before anything is sent, with the remedy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dlt
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from dlt_bunce import bunce, bunce_adapter, flush_and_run, run_summary
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.errors import (
    AccountError,
    ConfigurationError,
    CredentialsError,
    DispositionError,
    MappingError,
    UnknownTableError,
    bunce_error,
)

from .conftest import Form, MakePipeline, customer, letters, refused


def test_replace_is_refused_by_the_adapter_before_extraction() -> None:
    resource = dlt.resource([customer(1)], name="customers", write_disposition="replace")

    with pytest.raises(DispositionError, match="Bunce has no API call that deletes"):
        bunce_adapter(resource)


def test_replace_is_refused_before_sending_and_the_next_run_starts_clean(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline = make()

    error = refused(pipeline, [customer(1)], table_name="customers", write_disposition="replace")

    assert isinstance(error, DispositionError)
    assert emulator.customers == {}
    assert "the next run reads them again" in str(error)
    pipeline = make()
    pipeline.run([customer(1)], table_name="customers")
    assert run_summary(pipeline).created == 1


def test_skip_is_refused_and_the_next_run_starts_clean(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline = make()

    error = refused(pipeline, [customer(1)], table_name="customers", write_disposition="skip")

    assert isinstance(error, DispositionError)
    pipeline.run([customer(2)], table_name="customers")
    assert set(emulator.customers) == {"c2"}


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
    assert [r for r in emulator.requests if r.call == "create"] == []


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_dedup_sort_hint_is_refused_until_a_version_is_mapped(
    make: MakePipeline, emulator: Emulator, form: Form, order: str
) -> None:
    given: dict[str, Any]
    rows = form([customer(1, first_name=str(at), at=at) for at in (1, 3, 2)])
    given = {"write_disposition": "merge", "columns": {"at": {"dedup_sort": order}}}

    error = refused(make(), rows, table_name="customers", **given)
    resource = dlt.resource(rows, name="customers", **given)
    flush_and_run(make(), bunce_adapter(resource, version="at"))

    assert isinstance(error, MappingError)
    assert "bunce_adapter(…, version='at')" in str(error)
    assert emulator.customers["c1"]["first_name"] == "3"


def test_another_table_is_refused_by_name(make: MakePipeline, emulator: Emulator) -> None:
    error = refused(make(), [customer(1)], table_name="invoices")

    assert isinstance(error, UnknownTableError)
    assert "'invoices'" in str(error)
    assert emulator.customers == {}


@pytest.mark.parametrize(
    ("row", "mapping", "said"),
    [
        ({"id": 1, "first_name": "a"}, {}, "required fields email, last_name, phone_no"),
        (customer(1), {"email": "mail2"}, "'mail2', which does not exist"),
        (
            {k: v for k, v in customer(1).items() if k != "phone_no"}
            | {"phone": "1", "mobile": "2"},
            {},
            "Several columns match phone_no: 'phone', 'mobile'",
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
    assert emulator.requests == []


def test_a_mapping_that_rejects_everything_stops_before_anything_is_sent(
    make: MakePipeline, emulator: Emulator
) -> None:
    rows = [customer(n, email=f"not an address {n}") for n in range(1_000)]

    error = refused(make(), rows, table_name="customers")

    assert isinstance(error, MappingError)
    assert "column 'email'" in str(error)
    assert [r for r in emulator.requests if r.call == "create"] == []
    assert letters() == []


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
        # neither a look-alike of a Bunce host nor of loopback gets the key
        ("sk_live_x", "https://api.bunce.so./v1"),
        ("sk_live_x", "https://@api.bunce.so/v1"),
        ("sk_live_x", "https://api.bunce.so/#/v1"),
        ("sk_live_x", "https://api.bunce.so/?/v1"),
        ("sk_live_x", "https://api.bunce.so:none/v1"),
        ("sk_live_x", "http://127.999.0.1/v1"),
        ("sk_live_x", "http://2130706433/v1"),
        ("sk_live_x", "https://gateway.example/v1"),
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


def test_a_live_key_goes_to_another_host_only_where_that_is_allowed() -> None:
    def base_url(url: str, allow_host: str | None = None) -> str | None:
        destination = bunce("sk_live_x", url, allow_host=allow_host)
        return destination.configuration(destination.spec()).base_url

    gateway, here = "https://gateway.example/v1", "http://[::1]:8/v1"
    with pytest.raises(ConfigurationError, match='set allow_host = "gateway'):
        base_url(gateway, "other.example")

    assert gateway == base_url(gateway, "gateway.example")
    assert here == base_url(here)


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
    assert list(emulator.customers) == ["c1"]


def test_another_address_with_the_same_key_is_another_workspace(
    make: MakePipeline, emulator: Emulator
) -> None:
    make().run([customer(1)], table_name="customers", write_disposition="merge")
    with Emulator(Behavior(rate_limit=0)) as workspace:
        elsewhere = make("elsewhere", base_url=workspace.base_url)
        error = refused(elsewhere, [customer(1)], table_name="customers", write_disposition="merge")
        named = make("named", base_url=workspace.base_url, account="second")
        named.run([customer(1)], table_name="customers", write_disposition="merge")

        assert isinstance(error, AccountError)
        assert "dlt-bunce account rotate" in str(error)
        assert set(workspace.customers) == {"c1"}


def test_a_refresh_that_would_delete_names_the_one_that_reads_all_again(
    make: MakePipeline, emulator: Emulator
) -> None:
    @dlt.resource(write_disposition="merge")
    def customers(n: Any = dlt.sources.incremental("n", initial_value=0)) -> Iterator[Any]:
        yield [customer(n, n=n) for n in (1, 2)]

    make().run(customers)

    error = refused(make(), customers, refresh="drop_data")
    assert 'refresh="drop_data" is not supported' in str(error)
    assert 'use refresh="drop_resources"' in str(error)
    make().run(customers, refresh="drop_resources")
    assert run_summary(make()).unchanged == 2
    assert emulator.customers.keys() == {"c1", "c2"}
