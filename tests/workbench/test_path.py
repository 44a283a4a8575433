"""The path that only the printed address names: browsers send the cookie nowhere else."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Callable, Iterator
from html import unescape
from http.cookiejar import CookieJar
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from dlt_bunce.workbench.auth import Auth

from .conftest import Loaded, Visit, at, signed_in


@pytest.fixture(params=["sqlite"])
def store_url(request: pytest.FixtureRequest) -> str:
    """One kind of store is enough: paths do not depend on it."""
    return "sqlite:///bunce.sqlite"


Cookies = dict[str, str | None]


@pytest.fixture
def other_server() -> Iterator[tuple[int, Cookies]]:
    """A server on another port of 127.0.0.1, and the Cookie header of each path it was asked."""
    received: Cookies = {}

    class Recorder(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            received[self.path] = self.headers.get("Cookie")
            self.send_response(200)
            self.send_header("Content-Length", "0")
            if self.path.startswith("/set?"):
                self.send_header("Set-Cookie", self.path.removeprefix("/set?"))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, received
        server.shutdown()


def test_a_browser_sends_the_cookie_to_another_port_only_below_the_secret_path(
    auth: Auth, window: Callable[..., Visit], other_server: tuple[int, Cookies]
) -> None:
    port, received = other_server
    visit = signed_in(auth, window())
    paths = ("/", "/start", "/letters", auth.root, f"{auth.root}x/", f"{auth.root}/")
    for path in paths:
        visit.page.goto(f"http://127.0.0.1:{port}{path}")

    # the last path shows that nothing but the path keeps the cookie back
    cookie = f"{auth.cookie}={auth.session}"
    assert [received[path] for path in paths] == [None] * 5 + [cookie]


def test_a_cookie_of_the_same_name_from_another_server_locks_nobody_out(
    auth: Auth, window: Callable[..., Visit], other_server: tuple[int, Cookies]
) -> None:
    visit = signed_in(auth, window())
    visit.page.goto(f"http://127.0.0.1:{other_server[0]}/set?{auth.cookie}=x;Path=/")
    visit.page.goto(at(auth, "/letters"))
    with_both = visit.page.get_by_role("heading", level=1).inner_text()
    visit.page.context.clear_cookies(path=f"{auth.root}/")
    visit.page.goto(at(auth, "/letters"))

    assert with_both == "Dead letters"
    assert visit.page.get_by_role("heading", level=1).inner_text() == "Not signed in"


def test_outside_of_its_path_the_server_says_nothing(auth: Auth, loaded: Loaded) -> None:
    outside = ("/", "/letters", "/style.css", "/start", auth.root, f"{auth.root}x/", "//", "/%2f")
    answers = {path: _raw(auth, path) for path in outside}
    answers["token"] = _raw(auth, f"/start?token={auth.start}")
    answers["host"] = _raw(auth, "/letters", host="example.com")
    answers["absolute"] = _raw(auth, f"http://127.0.0.1:{auth.port}{auth.root}/")

    assert answers == dict.fromkeys(answers, (404, "", None))


def _raw(auth: Auth, target: str, host: str | None = None) -> tuple[int, str, str | None]:
    """Send the session's cookie to a path as given; return status, body, and Set-Cookie."""
    connection = http.client.HTTPConnection("127.0.0.1", auth.port, timeout=30)
    try:
        connection.putrequest("GET", target, skip_host=True)
        connection.putheader("Host", host or f"127.0.0.1:{auth.port}")
        connection.putheader("Cookie", f"{auth.cookie}={auth.session}")
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers.get("Set-Cookie")
    finally:
        connection.close()


def test_every_link_and_form_of_every_page_leads_below_the_secret_path(
    auth: Auth, loaded: Loaded
) -> None:
    browser = build_opener(HTTPCookieProcessor(CookieJar()))
    todo, seen, outside = [auth.address], set[str](), set[str]()
    while todo:
        address = todo.pop()
        seen.add(address)
        with browser.open(address) as answer:  # raises for any status but 200
            page = unescape(answer.read().decode())
        links = re.findall(r'(?:href|action|content="0; url)="?([^"#]+)"(?! method="post")', page)
        posted = re.findall(r'action="([^"]+)" method="post"', page)
        outside |= {path for path in (*links, *posted) if not path.startswith(f"{auth.root}/")}
        found = {f"http://127.0.0.1:{auth.port}{path}" for path in links if path.startswith("/")}
        todo += found - seen - set(todo)

    letter = loaded.letters()["2"]
    pages = ("/", "/letters", "/links", "/style.css", f"/letters/{letter['id']}")
    assert outside == {"data:,"}
    assert {at(auth, path) for path in pages} <= seen
