"""An answer is taken as it came; what it means is judged elsewhere."""

from __future__ import annotations

import gc

import pytest

from dlt_bunce.api.reply import Reply


@pytest.mark.parametrize(
    ("body", "flag"),
    [
        (b'{"success": true}', True),
        (b'{"status": false}', False),
        (b'{"status": "error", "success": false}', False),
        (b'{"success": "yes", "status": true}', True),
        (b'{"message": "no flag"}', None),
        (b'{"success": 1}', None),
        (b"", None),
        (b"<html>", None),
        (b"[true]", None),
    ],
)
def test_the_flag_is_whichever_name_holds_a_boolean(body: bytes, flag: bool | None) -> None:
    assert flag is Reply("answered", 200, body).flag


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b'{"cut": ', b"<html></html>", b"\xff\xfe", b"[" * 100_000],
)
def test_what_is_no_json_object_is_no_document(body: bytes) -> None:
    assert None is Reply("answered", 200, body).document


@pytest.mark.parametrize("is_enabled", [True, False])
@pytest.mark.parametrize("end", [b"]}", b"]"])
def test_no_garbage_is_collected_while_a_body_is_parsed(is_enabled: bool, end: bytes) -> None:
    started = list[str]()
    body = b'{"customers": [' + b",".join([b'{"devices": []}'] * 5_000) + end

    def note(phase: str, _: object) -> None:
        started.append(phase)

    thresholds = gc.get_threshold()
    gc.collect()
    gc.set_threshold(500)
    (gc.enable if is_enabled else gc.disable)()
    gc.callbacks.append(note)
    try:
        document = Reply("answered", 200, body).document
        is_still = gc.isenabled()
    finally:
        gc.callbacks.remove(note)
        gc.enable()
        gc.set_threshold(*thresholds)

    assert (document is None) is (end == b"]")
    assert is_still is is_enabled
    # that of what was parsed, once it is
    assert started.count("start") <= 1


@pytest.mark.parametrize(
    ("reply", "final"),
    [
        (Reply("answered", 200), True),
        (Reply("answered", 404), True),
        (Reply("answered", 501), True),
        (Reply("answered", 429), False),
        (Reply("answered", 503), False),
        (Reply("lost"), False),
        (Reply("not_sent"), False),
    ],
)
def test_final_is_what_asking_again_would_not_change(reply: Reply, final: bool) -> None:
    assert final is reply.is_final


def test_a_reply_tells_its_status_or_fault_and_never_its_body() -> None:
    answered = Reply("answered", 422, b'{"message": "marked-mail@example.com"}')
    lost = Reply("lost", reason="no answer in time")

    assert (answered.describe(), lost.describe()) == ("HTTP 422", "no answer in time")
    assert "marked" not in repr(answered)
