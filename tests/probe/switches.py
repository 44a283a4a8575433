"""What a probe must answer for each switch of the emulator that it can tell apart."""

from __future__ import annotations

from typing import Any

Switches = dict[str, Any]
Answers = dict[str, str]

DOCUMENTED: Answers = {
    "create_status": "200",
    "success_flag": "success",
    "create_shows": "all",
    "create_order": "as sent",
    "extra_fields": "none",
    "empty_batch": "refused",
    "failure_status": "422",
    "failure_flag": "status",
    "failure_saves": "created",
    "errors_list": "all",
    "errors_name": "email",
    "errors_form": "texts",
    "failure_count": "right",
    "counts": "verified",
    "failure_shows": "none",
    "missing_field": "fails its row",
    "repeated_id": "refused",
    "repeated_email": "refused",
    "repeated_id_in_batch": "second refused",
    "repeated_email_in_batch": "second refused",
    "lookup_by_id": "works",
    "lookup_by_email": "works",
    "lookup_by_path": "works",
    "lookup_form": "beside data",
    "lookup_lag": "at once",
    "lookup_ids": "all asked",
    "lookup_overflow": "not met",
    "default_page": "20",
    "largest_page": "100",
    "shown_devices": "as token",
    "partial_update": "updates",
    "update_shows": "all",
    "unknown_update": "refused",
    "email_update": "ignored",
    "null_update": "cleared",
    "phone_international": "accepted",
    "phone_national": "accepted",
    "phone_spaces": "accepted",
    "phone_placeholder": "accepted",
    "id_digits": "accepted",
    "id_letters": "accepted",
    "id_hyphens": "accepted",
    "id_punctuation": "accepted",
    "id_spaces": "accepted",
    "id_long": "accepted",
    "name_accents": "accepted",
    "name_apostrophe": "accepted",
    "email_plus": "accepted",
    "email_capitals": "accepted",
    "email_malformed": "refused",
    "largest_batch": "100",
    "larger_batch": "not tried",
}
"""The answers, without the time that a row takes, of an emulator that does as documented."""

UNKNOWN = "unknown"
_NO_LISTS = dict.fromkeys(["counts", "lookup_lag", "lookup_ids", "lookup_overflow"], UNKNOWN)
_ABSENT = dict.fromkeys(["lookup_by_id", "lookup_by_email", "lookup_by_path"], "absent")
_NO_PAGES = dict.fromkeys(["default_page", "largest_page"], UNKNOWN)

SINGLE: list[tuple[Switches, Answers]] = [
    ({"flag": "success"}, {"failure_flag": "success"}),
    ({"flag": "status"}, {"success_flag": "status"}),
    ({"flag": "absent"}, {"success_flag": "none", "failure_flag": "none"}),
    ({"created_status": 201}, {"create_status": "201"}),
    ({"unknown_fields": True}, {"extra_fields": "some"}),
    ({"reorder_echo": True}, {"create_order": "other"}),
    ({"drop_echo_every": 3}, {"create_shows": "some"}),
    (
        {"drop_echo_every": 1},
        {"create_shows": "none", "create_order": UNKNOWN, "update_shows": "none"},
    ),
    ({"failure": "atomic"}, {"failure_saves": "not created", "counts": "contradicted"}),
    ({"failure_status": 200}, {"failure_status": "200"}),
    ({"failure_status": 207}, {"failure_status": "207"}),
    ({"failure_status": 400}, {"failure_status": "400"}),
    ({"failure_status": 409}, {"failure_status": "409"}),
    ({"errors": "first"}, {"errors_list": "first", "counts": UNKNOWN}),
    ({"errors": "twice"}, {"errors_list": "several times"}),
    ({"errors": "anonymous"}, {"errors_name": "nothing", "counts": UNKNOWN}),
    ({"error_form": "dotted"}, {"errors_form": "object", "errors_name": "position from 0"}),
    ({"error_form": "bracketed"}, {"errors_name": "position from 0"}),
    ({"error_form": "index"}, {"errors_form": "objects", "errors_name": "position from 0"}),
    ({"error_form": "row"}, {"errors_name": "position from 1"}),
    (
        {"error_words": "Something is wrong"},
        {"errors_list": "one text", "errors_name": "nothing", "counts": UNKNOWN},
    ),
    ({"failure_count": False}, {"failure_count": "none", "counts": UNKNOWN}),
    ({"count_offset": 1}, {"failure_count": "wrong", "counts": UNKNOWN}),
    ({"count_offset": -1}, {"failure_count": "wrong", "counts": "contradicted"}),
    ({"data_on_failure": True}, {"failure_shows": "created"}),
    ({"shape_errors": "request"}, {"missing_field": "fails the request"}),
    (
        {"emails": "shared"},
        {"repeated_email": "shared", "repeated_email_in_batch": "shared"},
    ),
    ({"check_emails": False}, {"email_malformed": "accepted"}),
    ({"lowercase_emails": True}, {"email_capitals": "changed"}),
    (
        {"id_pattern": r"[A-Za-z0-9]+"},
        dict.fromkeys(["id_hyphens", "id_punctuation", "id_spaces"], "refused"),
    ),
    (
        {"id_pattern": r"\d+"},
        dict.fromkeys(
            ["id_letters", "id_hyphens", "id_punctuation", "id_spaces", "id_long"], "refused"
        ),
    ),
    ({"id_pattern": r".{1,64}"}, {"id_long": "refused"}),
    (
        {"phone_pattern": r"\+\d{11,15}"},
        {"phone_national": "refused", "phone_spaces": "refused"},
    ),
    (
        {"phone_pattern": r"\+234\d+"},
        dict.fromkeys(["phone_international", "phone_national", "phone_spaces"], "refused"),
    ),
    (
        {"repeated_id": "overwritten"},
        {"repeated_id": "overwritten", "repeated_id_in_batch": "last wins"},
    ),
    (
        {"repeated_id": "ignored"},
        {"repeated_id": "ignored", "repeated_id_in_batch": "first wins"},
    ),
    ({"twice_in_batch": "refused"}, {"repeated_id_in_batch": "refused"}),
    ({"max_batch": 7}, {"largest_batch": "6", "larger_batch": "HTTP 413 at 12"}),
    ({"max_batch": 60}, {"largest_batch": "50", "larger_batch": "HTTP 413 at 100"}),
    (
        {"max_batch": 60, "too_large_status": 422},
        {"largest_batch": "50", "larger_batch": "HTTP 422 at 100"},
    ),
    ({"max_body_bytes": 12_000}, {"largest_batch": "24", "larger_batch": "HTTP 413 at 50"}),
    ({"unknown_update": "created"}, {"unknown_update": "created"}),
    ({"unknown_update": "ignored"}, {"unknown_update": "ignored"}),
    ({"email_update": "refused"}, {"email_update": "refused"}),
    ({"email_update": "always"}, {"email_update": "applied"}),
    ({"null_on_update": "ignored"}, {"null_update": "ignored"}),
    ({"null_on_update": "refused"}, {"null_update": "refused"}),
    ({"lookup": "nested"}, {"lookup_form": "inside data"}),
    (
        {"lookup": "unfiltered"},
        _NO_LISTS | {"lookup_by_id": "filter ignored", "lookup_by_email": "filter ignored"},
    ),
    ({"lookup": "absent"}, _NO_LISTS | _ABSENT | _NO_PAGES | {"lookup_form": "none"}),
    ({"email_filter": "ignored"}, {"lookup_by_email": "filter ignored"}),
    ({"email_filter": "refused"}, {"lookup_by_email": "absent"}),
    ({"lookup_max_ids": 10}, {"lookup_ids": "6", "lookup_overflow": "refused"}),
    (
        {"lookup_max_ids": 10, "lookup_overflow": "ignored"},
        {"lookup_ids": "10", "lookup_overflow": "cut"},
    ),
    ({"lookup_max_ids": 60}, {"lookup_ids": "34", "lookup_overflow": "refused"}),
    (
        {"lookup_max_ids": 1},
        {"lookup_ids": "1", "lookup_overflow": "refused", "counts": UNKNOWN},
    ),
    ({"shown_devices": "sent"}, {"shown_devices": "as device_token"}),
    ({"shown_devices": "empty"}, {"shown_devices": "empty"}),
    ({"shown_devices": "missing"}, {"shown_devices": "missing"}),
    ({"shown_devices": "masked"}, {"shown_devices": "masked"}),
    ({"lookup_lag": 2}, {"lookup_lag": "later"}),
    ({"lookup_lag_seconds": 0.1}, {"lookup_lag": "later"}),
    ({"default_per_page": 7}, {"default_page": "7"}),
    ({"max_per_page": 9}, {"default_page": "9", "largest_page": "9"}),
    ({"max_per_page": 1}, {"default_page": "1", "largest_page": "1", "counts": UNKNOWN}),
    ({"row_latency_ms": 1.0}, {}),
]
"""Switches, and the answers in which they differ from DOCUMENTED."""

VALUES: Answers = {
    "value_write": "accepted",
    "value_shows": "the value",
    "value_unknown_customer": "refused",
    "value_errors_name": "customer",
    "largest_values": "100",
    "larger_values": "not tried",
    "segment_add": "accepted",
    "segment_remove": "accepted",
}
"""The answers about an attribute and a segment."""

OF_VALUES: list[tuple[Switches, Answers]] = [
    ({"value_echo": "absent"}, {"value_shows": "nothing"}),
    ({"value_echo": "empty"}, {"value_shows": "an empty list"}),
    ({"unknown_value_customer": "created"}, {"value_unknown_customer": "created"}),
    (
        {"unknown_value_customer": "ignored"},
        {"value_unknown_customer": "ignored"},
    ),
    ({"value_errors": "positions"}, {"value_errors_name": "position"}),
    ({"value_errors": "anonymous"}, {"value_errors_name": "nothing"}),
    ({"max_values": 60}, {"largest_values": "50", "larger_values": "HTTP 422 at 100"}),
    (
        {"lookup": "absent", "unknown_value_customer": "created"},
        {"value_unknown_customer": UNKNOWN},
    ),
]
"""Switches, and the answers in which they differ from VALUES."""

NOT_TOLD = {
    "account_message",
    "account_status",
    "api_keys",
    "block_seconds",
    "faults",
    "gone_attribute",
    "latency_ms",
    "made_ids",
    "max_customers",
    "member_echo",
    "poison",
    "poison_text",
    "rate_limit",
    "rate_window_seconds",
    "refused_email_domain",
    "refused_member",
    "refused_value",
    "retry_after",
    "seed",
    "suspended",
    "unknown_member",
    "value_failure",
    "value_names",
    "value_quota",
}
"""Switches that a probe does not ask about, or that end it."""

_FEWER = {"lookup_ids": {"all asked", "3", "17", "37", "38", "43"}, "lookup_overflow": {"not met"}}
_SMALLER = {
    "largest_batch": {"24", "50"},
    "larger_batch": {"HTTP 413 at 50", "HTTP 413 at 100", "HTTP 422 at 50"},
}

HIDES: dict[tuple[str, ...], dict[str, set[str]]] = {
    # one text for all errors is written in no other form; forms with positions list a row once
    ("error_words", "error_form"): {"errors_form": {"texts"}},
    ("errors", "error_form"): {"errors_list": {"all"}},
    # with fewer customers or smaller pages, look-ups are tried with other numbers of ids
    ("max_batch", "lookup_max_ids"): _FEWER,
    ("max_body_bytes", "lookup_max_ids"): _FEWER,
    ("max_per_page", "lookup_max_ids"): _FEWER,
    ("id_pattern", "lookup_max_ids"): _FEWER,
    # a limit in bytes is another number of customers when ids are shorter
    ("max_body_bytes",): _SMALLER,
}
"""Switches that change what can be seen of others, and the answers that are right then as well."""
