"""A customer is compared with what Bunce shows of it, in whichever form that is."""

from __future__ import annotations

from typing import Any

import pytest

from dlt_bunce.settlement.comparison import compare

DEVICES = [
    {"device_type": "ios", "device_token": "token-1"},
    {"device_type": "android", "device_token": "token-2"},
]
ROW = {
    "customer_id": "7",
    "email": "ada@example.com",
    "first_name": "Ada",
    "last_name": "O'Brien",
    "phone_no": "+2348031234567",
    "devices": DEVICES,
}
SDK_DEVICES = [
    {"device_id": "018c", "device_type": d["device_type"], "token": d["device_token"]}
    for d in DEVICES
]
SAME: dict[str, dict[str, Any]] = {
    "as sent": {},
    "tokens named as the SDK names them": {"devices": SDK_DEVICES},
    "tokens under both names": {"devices": [{**d, "device_token": None} for d in SDK_DEVICES]},
    "devices in another order": {"devices": SDK_DEVICES[::-1]},
    "more devices": {"devices": [*SDK_DEVICES, {"device_type": "web", "token": "x"}]},
    "types in capitals": {"devices": [{**d, "device_type": "IOS"} for d in DEVICES[:1]] + DEVICES},
    "no devices": {"devices": []},
    "null devices": {"devices": None},
    "devices without tokens": {"devices": [{"device_type": "ios"}, {"device_type": "android"}]},
    "masked tokens": {"devices": [{**d, "token": "****-1"} for d in SDK_DEVICES]},
    "devices as text": {"devices": "2 devices"},
    "an id as a number": {"customer_id": 7},
    "an id of Bunce's own beside it": {"id": "018c-aaaa"},
    "fields that nobody documents": {"providers": [], "updated_at": None, "last_interaction": None},
    "null names": {"first_name": None, "last_name": None},
    "empty names": {"first_name": "", "last_name": ""},
    "a null phone": {"phone_no": None},
    "a national phone": {"phone_no": "08031234567"},
    "a bare phone": {"phone_no": "2348031234567"},
    "a phone as a number": {"phone_no": 2348031234567},
    "a phone with spaces": {"phone_no": "+234 803 123 4567"},
    "a masked phone": {"phone_no": "+234803***4567"},
    "a masked email": {"email": "a**@example.com"},
    "an email in capitals": {"email": "Ada@Example.com"},
    "an email with spaces": {"email": " ada@example.com "},
    "names in capitals": {"first_name": "ADA", "last_name": "O'BRIEN"},
    "trimmed and tidied names": {"first_name": " Ada ", "last_name": "O\u2019Brien"},
    "a name of another kind": {"first_name": ["Ada"]},
}
OTHER: dict[str, dict[str, Any]] = {
    "another first name": {"first_name": "Eve"},
    "another last name": {"last_name": "Obi"},
    "another phone": {"phone_no": "+2348031234568"},
    "another device": {"devices": [{"device_type": "ios", "token": "token-9"}]},
    "one device less": {"devices": SDK_DEVICES[:1]},
}


@pytest.mark.parametrize("shown", SAME.values(), ids=SAME)
def test_a_form_that_says_the_same_or_nothing_differs_in_nothing(shown: dict[str, Any]) -> None:
    assert compare(ROW, {**ROW, **shown})[:2] == (True, True)


@pytest.mark.parametrize("shown", OTHER.values(), ids=OTHER)
def test_other_content_differs(shown: dict[str, Any]) -> None:
    assert compare(ROW, {**ROW, **shown})[:2] == (True, False)


def test_another_email_differs_in_that_alone() -> None:
    assert compare(ROW, {**ROW, "email": "eve@example.com"})[:2] == (False, True)


@pytest.mark.parametrize("missing", sorted(ROW))
def test_what_is_not_shown_differs_in_nothing(missing: str) -> None:
    shown = {name: value for name, value in ROW.items() if name != missing}

    assert compare(ROW, shown)[:2] == (True, True)


def test_a_customer_without_any_device_is_told_apart() -> None:
    assert not compare(ROW, {**ROW, "devices": []}).devices
    assert compare(ROW, {**ROW, "devices": None}).devices
    assert compare({**ROW, "devices": []}, {**ROW, "devices": []}).devices
