"""A source that cannot be reached is told as such, without its URL: that may hold a token."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import dlt
import pytest
import requests

from dlt_bunce.emulator import Emulator
from dlt_bunce.failures import failure_of

QUERY = "?token=a-secret"


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}/{QUERY}"


def by_requests(url: str) -> None:
    requests.get(url, timeout=5).raise_for_status()


def by_urllib(url: str) -> None:
    try:
        urllib.request.urlopen(url, timeout=5).close()  # noqa: S310, on loopback
    except urllib.error.HTTPError as error:
        error.close()
        raise


def read(ask: Callable[[str], None], url: str) -> str:
    """Return what is told of a resource that fails with what a client of HTTP raises."""

    @dlt.resource
    def people() -> Iterator[dict[str, int]]:
        yield {"id": 1}
        ask(url)

    with pytest.raises(Exception, match="people") as caught:
        dlt.pipeline("crm", destination="dlt.destinations.dummy").run(people)
    return str(failure_of(caught.value))


@pytest.mark.parametrize("ask", [by_requests, by_urllib])
def test_a_server_that_is_away_is_no_missing_file(ask: Callable[[str], None]) -> None:
    assert read(ask, closed_port()) == (
        "Reading people: A connection failed: Connection refused. Check the location, the network, "
        "and the proxy, then run the same command again."
    )


@pytest.mark.parametrize("ask", [by_requests, by_urllib])
def test_a_refused_request_is_told_by_its_status(
    emulator: Emulator, ask: Callable[[str], None]
) -> None:
    assert read(ask, f"{emulator.base_url}/customers{QUERY}") == (
        "Reading people: A request of the source was answered with HTTP 401. Check the credentials "
        "of the source, then run the same command again."
    )


def test_a_time_limit_is_told() -> None:
    def wait(_url: str) -> None:
        raise TimeoutError

    assert read(wait, "").startswith("Reading people: A connection failed: TimeoutError.")
