"""Access control of the workbench, and the headers of every response."""

from __future__ import annotations

import http.client
import json
import os
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from tests.cli.conftest import PROGRAM

from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.workbench.auth import Auth
from dlt_bunce.workbench.peer import own_users

from .conftest import SECRETS, Loaded, Run, Visit
from .serving import workbench


@pytest.fixture(params=["sqlite"])
def store_url(request: pytest.FixtureRequest) -> str:
    """One kind of store is enough: refused requests never reach it."""
    return "sqlite:///bunce.sqlite"


Answer = tuple[int, dict[str, str], str]


def ask(auth: Auth, method: str, path: str, **options: str) -> Answer:
    """Send a request below the root; `host`, `cookie`, and `body` override the defaults."""
    connection = http.client.HTTPConnection("127.0.0.1", auth.port, timeout=30)
    try:
        connection.putrequest(method, auth.root + path, skip_host=True)
        connection.putheader("Host", options.get("host", f"127.0.0.1:{auth.port}"))
        connection.putheader("Cookie", options.get("cookie", f"{auth.cookie}={auth.session}"))
        body = options.get("body", "").encode()
        if body:
            connection.putheader("Content-Type", "application/x-www-form-urlencoded")
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize(
    "host",
    ["example.com", "127.0.0.1", "127.0.0.1:1", "localhost.example.com", "127.0.0.1.nip.io", ""],
)
def test_an_unknown_host_header_is_refused(auth: Auth, host: str) -> None:
    status, _, body = ask(auth, "GET", "/letters", host=host)

    assert status == 421
    assert "invalid_phone_no" not in body


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
def test_every_loopback_name_is_accepted_as_host(auth: Auth, name: str) -> None:
    assert ask(auth, "GET", "/letters", host=f"{name}:{auth.port}")[0] == 200


@pytest.mark.parametrize("cookie", ["", "x=y", "{cookie}=", "{cookie}=guess", "other={session}"])
def test_requests_without_the_session_cookie_are_refused(auth: Auth, cookie: str) -> None:
    given = cookie.format(cookie=auth.cookie, session=auth.session)

    answers = [ask(auth, "GET", path, cookie=given) for path in ("/", "/letters", "/orders/1")]

    assert [status for status, _, _ in answers] == [403, 403, 403]
    assert not any("invalid_phone_no" in body for _, _, body in answers)


def test_a_cookie_that_another_user_got_hold_of_is_worth_nothing(
    auth: Auth, store_url: str
) -> None:
    # the kernel says whose a connection is: this process's user is another one to this server
    with workbench(store_url, users=frozenset({os.getuid() + 1})) as theirs:
        answers = [ask(theirs, "GET", path) for path in ("/", "/letters", "/start?token=x")]
    sudo = frozenset({os.getuid() + 1, os.getuid()})
    with workbench(store_url, users=sudo) as ours:
        assert ask(ours, "GET", "/letters")[0] == 200

    assert [(status, "Another user" in body) for status, _, body in answers] == [(403, True)] * 3
    assert own_users() == auth.users == frozenset({os.getuid()})


@pytest.mark.parametrize("token", ["", "guess", "ü"])
def test_only_the_sign_in_address_sets_the_cookie(auth: Auth, token: str) -> None:
    refused = ask(auth, "GET", f"/start?{urlencode({'token': token})}", cookie="")
    let_in = ask(auth, "GET", f"/start?token={auth.start}", cookie="")

    assert (refused[0], "set-cookie" in refused[1]) == (403, False)
    assert let_in[0] == 200
    assert auth.start not in let_in[2]
    cookie = let_in[1]["set-cookie"]
    assert cookie.startswith(f"{auth.cookie}={auth.session};")
    assert f"Path={auth.root}/;" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie


@pytest.mark.parametrize("path", ["/confirm", "/act", "/letters/{id}/values"])
@pytest.mark.parametrize("token", [None, "", "guess", "{session}"])
def test_a_form_without_this_process_s_token_is_refused(
    auth: Auth, loaded: Loaded, path: str, token: str | None
) -> None:
    fields = {"do": "discard-all"}
    if token is not None:
        fields["token"] = token.format(session=auth.session)

    status, _, body = ask(
        auth, "POST", path.format(id=loaded.letters()["2"]["id"]), body=urlencode(fields)
    )

    assert status == 403
    assert [secret for secret in SECRETS if secret in body] == []
    assert set(loaded.statuses().values()) == {"open"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/letters", 200),
        ("/style.css", 200),
        ("/nowhere", 404),
        ("/letters/nothing", 400),
        ("/letters/" + "0" * 24, 404),
        ("/letters?status=nothing", 400),
        ("/letters?since=yesterday", 400),
        ("/letters?before=nothing", 400),
        ("/orders/99", 404),
        ("/act", 405),
    ],
)
def test_every_response_carries_the_security_headers(auth: Auth, path: str, status: int) -> None:
    found, headers, body = ask(auth, "GET", path)

    assert status == found
    assert headers["cache-control"] == "no-store"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert "Traceback" not in body
    assert "server" not in headers


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"do": "drop-all"}, 400),
        ({"do": "discard"}, 400),
        ({"do": "discard-checked"}, 409),
        ({"do": "discard-checked", "id": "' OR 1=1 --"}, 400),
        ({"do": "discard-all", "cutoff": "never"}, 400),
        ({"do": "discard-all", "status": "nothing"}, 400),
    ],
)
def test_an_invalid_form_changes_nothing(
    auth: Auth, loaded: Loaded, fields: dict[str, str], status: int
) -> None:
    body = urlencode({"token": auth.form} | fields)

    assert status == ask(auth, "POST", "/confirm", body=body)[0]
    assert status == ask(auth, "POST", "/act", body=body)[0]
    assert set(loaded.statuses().values()) == {"open"}


def test_a_session_or_token_of_another_process_is_refused(auth: Auth, loaded: Loaded) -> None:
    with workbench(loaded.store_url) as second:
        cookie = f"{second.cookie}={auth.session}"

        assert ask(second, "GET", "/", cookie=cookie)[0] == 403
        assert ask(second, "GET", f"/start?token={auth.start}", cookie="")[0] == 403


@pytest.fixture
def served(loaded: Loaded, program_file: Path) -> Iterator[subprocess.Popen[str]]:
    """`dlt-bunce ui` in a process of its own."""
    words = [program_file, "ui", "--port", "0", "--no-browser", "--json"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def test_the_program_serves_until_it_is_interrupted_and_logs_nothing(
    served: subprocess.Popen[str],
) -> None:
    assert served.stdout
    assert served.stderr
    url = json.loads(served.stdout.readline())["url"]
    port = int(url.partition("127.0.0.1:")[2].partition("/")[0])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", url.partition(str(port))[2])
    status = connection.getresponse().status
    connection.close()
    served.send_signal(signal.SIGINT)

    assert served.wait(30) == 0
    assert status == 200
    assert (served.stdout.read(), served.stderr.read()) == ("", "")


def test_an_interrupted_replay_leaves_its_dead_letters_open(
    loaded: Loaded, emulator: Emulator, served: subprocess.Popen[str]
) -> None:
    assert served.stdout
    assert served.stderr
    url = urlsplit(json.loads(served.stdout.readline())["url"])
    auth = Auth(url.port or 0, url.path.removesuffix("/start"))
    sign_in = ask(auth, "GET", f"/start?{url.query}", cookie="")[1]
    cookie = sign_in["set-cookie"].partition(";")[0]
    page = ask(auth, "GET", "/letters?field=email", cookie=cookie)[2]
    token = page.partition('name="token" value="')[2].partition('"')[0]
    emulator.behavior = Behavior(
        rate_limit=0, faults=(Fault("hang_before", on_request=1, seconds=60),)
    )
    before = len(emulator.requests)
    form = urlencode({"token": token, "do": "replay-all", "field": "email"})

    begun = ask(auth, "POST", "/act", cookie=cookie, body=form)[0]
    while not any(request.rows for request in emulator.requests[before:]):
        assert served.poll() is None
    served.send_signal(signal.SIGINT)

    assert begun == 303
    assert served.wait(30) == 1
    assert served.stderr.read().startswith("A replay or discard was interrupted.")
    assert loaded.statuses()["3"] == "open"


def test_the_browser_is_signed_in_without_the_token_in_its_arguments(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, window: Callable[..., Visit]
) -> None:
    browser = Path("browser.sh").absolute()
    browser.write_text('#!/bin/sh\necho "$@" > seen.part && mv seen.part seen.txt\n')
    browser.chmod(0o700)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    words = [PROGRAM, "ui", "--port", "0", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout
            url = json.loads(running.stdout.readline())["url"]
            while not Path("seen.txt").exists():
                assert running.poll() is None
            opened = Path("seen.txt").read_text().strip()
            file = Path(opened.removeprefix("file://"))
            modes = [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent)]
            visit = window()
            visit.page.goto(opened)
            visit.page.wait_for_url("http://127.0.0.1:*/*/")
            heading = visit.page.get_by_role("heading", level=1).inner_text()
        finally:
            running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0

    assert opened.startswith("file://")
    assert url.partition("token=")[2] not in opened
    assert modes == [0o600, 0o700]
    assert heading == "Runs"
    assert not file.exists()


def test_a_port_in_use_is_reported_with_its_remedy(run: Run, auth: Auth) -> None:
    refused = run("ui", "--no-browser", "--port", str(auth.port))

    assert refused.code == 2
    assert f"cannot listen on port {auth.port}" in refused.errors
    assert "--port 0" in refused.errors
