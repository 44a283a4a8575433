"""Source columns find their fields, or the user is told what to write."""

from __future__ import annotations

import pytest

from dlt_bunce.errors import MappingError
from dlt_bunce.records.mapping.mapping import resolve_mapping
from dlt_bunce.records.mapping.schema import ALIASES, EXPORT_ALIASES, FIELDS, REQUIRED, fold

NAMED = [*FIELDS]


def test_fields_map_by_their_own_names() -> None:
    mapping = resolve_mapping(NAMED)

    expected = {field: field for field in FIELDS}
    assert expected == dict(mapping.columns)
    assert dict.fromkeys(FIELDS, "name") == dict(mapping.how)
    assert mapping.version is None


def test_spelling_of_a_name_does_not_matter() -> None:
    mapping = resolve_mapping(["Customer-ID", "E Mail", "FirstName", "LAST_NAME", "Phone No"])

    assert dict(mapping.columns) == {
        "customer_id": "Customer-ID",
        "email": "E Mail",
        "first_name": "FirstName",
        "last_name": "LAST_NAME",
        "phone_no": "Phone No",
    }


@pytest.mark.parametrize(
    ("field", "alias"),
    [(f, a) for f in FIELDS for a in (*ALIASES[f], *EXPORT_ALIASES.get(f, ()))],
)
def test_every_alias_maps_by_itself(field: str, alias: str) -> None:
    columns = [alias.upper() if name == field else name for name in FIELDS]

    mapping = resolve_mapping(columns)

    assert alias.upper() == mapping.columns[field]
    assert mapping.how[field] == ("name" if fold(alias) == fold(field) else "alias")


def test_no_alias_stands_for_two_fields() -> None:
    names = [
        {fold(name) for name in (field, *ALIASES[field], *EXPORT_ALIASES.get(field, ()))}
        for field in FIELDS
    ]

    assert len(set().union(*names)) == sum(map(len, names))


def test_names_of_exports_give_way_to_plainer_ones() -> None:
    columns = ["id", "email", "first_name", "last_name", "mobile", "Billing Phone", "Record ID"]

    mapping = resolve_mapping(columns)

    assert (mapping.columns["phone_no"], mapping.columns["customer_id"]) == ("mobile", "id")


@pytest.mark.parametrize(
    "columns",
    [
        ["Record ID", "First Name", "Last Name", "Email", "Phone Number"],
        ["Kundennummer", "Vorname", "Nachname", "E-Mail", "Telefon"],
        ["id", "Pr\u00e9nom", "Nom", "Courriel", "T\u00e9l\u00e9phone"],
        ["Contact Id", "First Name", "Last Name", "E-mail 1 - Value", "Phone 1 - Value"],
        ["ID", "Nombre", "Apellidos", "Correo electronico", "Celular"],
    ],
)
def test_headers_of_exports_map_by_themselves(columns: list[str]) -> None:
    assert list(resolve_mapping(columns).columns.values()) == [
        columns[at] for at in (0, 3, 1, 2, 4)
    ]


def test_hints_go_before_config_before_names_before_aliases() -> None:
    columns = [*NAMED, "a", "b", "mobile"]

    mapping = resolve_mapping(
        columns,
        hints={"email": "a"},
        config={"email": "b", "first_name": "b"},
    )

    assert (mapping.columns["email"], mapping.how["email"]) == ("a", "hint")
    assert (mapping.columns["first_name"], mapping.how["first_name"]) == ("b", "config")
    assert (mapping.columns["phone_no"], mapping.how["phone_no"]) == ("phone_no", "name")


def test_version_comes_from_hints_or_config_only() -> None:
    columns = [*NAMED, "version", "updated_at"]

    assert resolve_mapping(columns).version is None
    assert resolve_mapping(columns, config={"version": "version"}).version == "version"
    assert (
        resolve_mapping(
            columns, hints={"version": "updated_at"}, config={"version": "version"}
        ).version
        == "updated_at"
    )


def test_what_was_resolved_resolves_to_itself() -> None:
    columns = ["id", "mail", "fname", "surname", "mobile", "seen"]
    first = resolve_mapping(columns, hints={"version": "seen"})

    again = resolve_mapping(columns, config=first.recorded)

    assert (first.columns, first.version) == (again.columns, again.version)


def test_a_default_stands_in_for_a_column() -> None:
    columns = [name for name in NAMED if name != "phone_no"]

    mapping = resolve_mapping(columns, defaults={"phone_no": "+2348000000000"})

    assert "phone_no" not in mapping.columns
    assert mapping.how["phone_no"] == "default"


def test_devices_may_be_absent() -> None:
    mapping = resolve_mapping(REQUIRED)

    assert "devices" not in mapping.how


def test_one_column_may_be_named_for_two_fields_on_purpose() -> None:
    columns = ["email", "first_name", "last_name", "phone_no"]

    mapping = resolve_mapping(columns, hints={"customer_id": "email"})

    assert (mapping.columns["customer_id"], mapping.columns["email"]) == ("email", "email")


def refusal(columns: list[str], **given: dict[str, str]) -> str:
    with pytest.raises(MappingError) as caught:
        resolve_mapping(columns, **given)
    return str(caught.value)


def test_a_required_field_without_a_column_is_refused_with_what_to_write() -> None:
    message = refusal(["id", "email", "first_name", "last_name", "Main phone (work)", "_dlt_id"])

    assert message == (
        "No column or default for the required field phone_no. "
        "Available columns: id, email, first_name, last_name, Main phone (work). "
        'Use bunce_adapter(data, phone_no="Main phone (work)") in the pipeline, '
        'phone_no = "Main phone (work)" under [destination.bunce.mapping] in the configuration, or '
        "--map 'phone_no=Main phone (work)' on the command line. "
        "To map a value inside a column, use its path, such as properties.email or phones.0."
    )


def test_nothing_is_suggested_that_does_not_exist() -> None:
    message = refusal(["id", "email", "first_name", "last_name", "digits"])

    assert "No column looks like phone_no: name the one that holds it with --map" in message
    assert "--default FIELD=VALUE" in message
    assert "your_column" not in message


@pytest.mark.parametrize(
    "columns",
    [
        ["first_seen_at", "last_login_at", "email_opt_in", "phone_verified"],
        ["First Order Date", "Last Activity Date", "Email Domain", "Phone Type"],
        ["firstVisit", "lastModified", "emailHash", "phoneCountryCode"],
    ],
)
def test_no_column_is_suggested_that_only_tells_about_a_field(columns: list[str]) -> None:
    message = refusal(["id", *columns])

    assert not any(f"={column}" in message or f'="{column}' in message for column in columns)
    assert "No column looks like email or first_name or last_name or phone_no" in message


def test_all_missing_fields_are_named_at_once() -> None:
    assert "required fields last_name, phone_no." in refusal(["id", "email", "first_name"])


def test_an_ambiguous_alias_is_refused_with_both_candidates() -> None:
    message = refusal(["id", "email", "first_name", "last_name", "mobile", "phone"])

    assert "Several columns match phone_no: 'mobile', 'phone'." in message
    assert 'bunce_adapter(data, phone_no=["mobile", "phone"])' in message
    assert 'phone_no = ["mobile", "phone"] under [destination.bunce.mapping]' in message
    assert "--map phone_no=mobile --map phone_no=phone on the command line" in message


def test_an_ambiguous_alias_of_an_optional_field_is_refused_too() -> None:
    assert "match devices" in refusal([*REQUIRED, "device", "device_list"])


@pytest.mark.parametrize(
    "columns", [[*NAMED, "email"], [*REQUIRED[1:], "CustomerId", "CUSTOMER_ID"]]
)
def test_a_name_that_is_there_twice_is_refused(columns: list[str]) -> None:
    assert "Several columns match" in refusal(columns)


@pytest.mark.parametrize("origin", ["hints", "config"])
def test_a_mapped_column_that_does_not_exist_is_refused(origin: str) -> None:
    message = refusal([*REQUIRED, "mobile"], **{origin: {"phone_no": "mobil"}})

    assert "maps phone_no to column 'mobil', which does not exist." in message
    assert 'bunce_adapter(data, phone_no="mobile")' in message


def test_dlt_columns_are_never_mapped() -> None:
    assert "does not exist" in refusal([*NAMED, "_dlt_id"], hints={"customer_id": "_dlt_id"})


@pytest.mark.parametrize("origin", ["hints", "config", "defaults"])
def test_an_unknown_field_is_refused(origin: str) -> None:
    message = refusal(NAMED, **{origin: {"phone": "phone_no"}})

    assert "'phone' does not name a Bunce field" in message
    assert "customer_id, email, first_name, last_name, phone_no, devices" in message


@pytest.mark.parametrize("column", ["mobile", "E-mail Address"])
def test_a_column_that_is_the_id_on_purpose_may_still_be_found_by_its_name(column: str) -> None:
    others = {"mobile": "email", "E-mail Address": "phone_no"}[column]

    mapping = resolve_mapping(
        [others, "first_name", "last_name", column], hints={"customer_id": column}
    )

    field = "phone_no" if column == "mobile" else "email"
    assert mapping.shared == {column: ["customer_id", field]}


def test_one_column_may_be_given_for_two_fields_in_any_order() -> None:
    columns = ["key", "first_name", "last_name", "phone_no"]
    for given in (["customer_id", "email"], ["email", "customer_id"]):
        for origin in ("hints", "config"):
            mapping = resolve_mapping(columns, **{origin: dict.fromkeys(given, "key")})

            assert mapping.shared == {"key": ["customer_id", "email"]}


def test_a_default_for_the_key_is_refused() -> None:
    assert "customer_id" in refusal([*REQUIRED[1:]], defaults={"customer_id": "x"})


PERSON = ["id", "email", "first_name", "last_name", "phone"]


@pytest.mark.parametrize(
    ("columns", "given", "expected"),
    [
        (["device_type", "device_token"], {}, ["device_type", "device_token"]),
        (["deviceType", "deviceToken"], {}, ["deviceType", "deviceToken"]),
        (["os", "push"], {"device_type": "os", "device_token": "push"}, ["os", "push"]),
        (["device_type", "push"], {"device_token": "push"}, ["device_type", "push"]),
        (["device_type"], {}, []),
        (["os"], {}, []),
        (["devices", "device_type", "device_token"], {}, ["devices"]),
        (["device", "os", "push"], {"device_type": "os", "device_token": "push"}, ["os", "push"]),
        (["d"], {"device_type": "d.os", "device_token": "d.push"}, ["d.os", "d.push"]),
    ],
)
def test_two_columns_are_one_device_where_no_column_holds_devices(
    columns: list[str], given: dict[str, str], expected: list[str]
) -> None:
    mapping = resolve_mapping([*PERSON, *columns], hints=given)

    assert expected == list(mapping.columns.values())[5:]
    again = resolve_mapping([*PERSON, *columns], config=mapping.recorded)
    assert mapping.columns == again.columns


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"device_type": "os"}, "device_type is mapped but device_token is not"),
        ({"device_token": "push", "devices": "all"}, "Both devices and device_token are mapped"),
    ],
)
def test_half_a_device_is_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(MappingError, match=message):
        resolve_mapping([*PERSON, "os", "push", "all"], config=given)
