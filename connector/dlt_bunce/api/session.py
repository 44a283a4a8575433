"""Requests to Bunce: paced, bounded in time, counted, and told apart by how far they got."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError

from dlt_bunce.api.outcome import listing
from dlt_bunce.api.pacing import Pace
from dlt_bunce.api.reply import Reply
from dlt_bunce.api.retry import RetryPolicy
from dlt_bunce.errors import CredentialsError, UnavailableError
from dlt_bunce.logs import logger
from dlt_bunce.model import Traffic

LOOKUP_IDS = 100
LOOKUP_CHARACTERS = 4_000
"""Common proxies refuse URLs above 8 KB; percent-encoding may double what is counted here."""
_PAGES = 50
_CONNECT_TIMEOUT_S = 10.0


class Session:
    """One connection pool to one workspace, for all threads of a job."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        pace: Pace,
        timeout_s: float = 60.0,
        concurrency: int = 4,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.base_url = base_url
        self._pace = pace
        self._timeout = (min(_CONNECT_TIMEOUT_S, timeout_s), timeout_s)
        self._retry = retry or RetryPolicy()
        self._http = requests.Session()
        self._http.headers.update(
            {"X-Authorization": api_key, "Accept": "application/json", "User-Agent": "dlt-bunce"}
        )
        # redirects would carry the key elsewhere, .netrc would replace it, and retries are ours
        self._http.trust_env = False
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=concurrency, max_retries=0)
        for scheme in ("https://", "http://"):
            self._http.mount(scheme, adapter)
        self._traffic = Traffic()
        self._lock = threading.Lock()
        self._lookup_works: bool | None = None

    def close(self) -> None:
        """Closes the pool."""
        self._http.close()

    def create(self, payloads: Sequence[str]) -> Reply:
        """POST /customers/bulk with ready JSON objects. One try: what it means is not ours."""
        body = '{"customers":[' + ",".join(payloads) + "]}"
        return self._send("POST", "/customers/bulk", body=body.encode(), kind="bulk_requests")

    def check_key(self) -> None:
        """Preflight by a listing of one customer, as Bunce's own command line does it.

        Raises CredentialsError when the key is refused, UnavailableError when nobody answers.
        """
        reply = self._get({"per_page": "1"})
        if reply.status in (401, 403):
            raise CredentialsError(
                f"Bunce at {self.base_url} refuses the API key (HTTP {reply.status}).",
                remedy="Set DESTINATION__BUNCE__CREDENTIALS__API_KEY to a key of that workspace.",
            )
        if reply.arrival != "answered" or reply.status == 429 or reply.status >= 500:
            raise UnavailableError(
                f"Bunce at {self.base_url} cannot be used: {reply.describe()}.",
                remedy="Check base_url and the network; nothing was sent, run again later.",
            )

    def find(self, customer_ids: Sequence[str]) -> dict[str, dict[str, Any]] | None:
        """The customers that exist among `customer_ids`, by id; None when there is no look-up.

        Raises UnavailableError when it worked before in this session and does not answer now.
        """
        if self._lookup_works is False:
            return None
        found: dict[str, dict[str, Any]] = {}
        for ids in _portions(customer_ids):
            part = self._find(ids)
            if part is None:
                return None
            found |= part
        return found

    def take_traffic(self) -> Traffic:
        """What went over the wire since the last call."""
        with self._lock:
            traffic, self._traffic = self._traffic, Traffic()
        return traffic

    def pause(self, reply: Reply, attempt: int) -> bool:
        """Waits before another try, everybody if the server said so; False: give up."""
        jitter = random.random()  # noqa: S311, it spreads tries and guards nothing
        wait = self._retry.wait(attempt, reply, jitter=jitter, now=time.time())
        if wait is None:
            return False
        logger().info("request.retry", attempt=attempt, wait_s=round(wait, 1), why=reply.describe())
        with self._lock:
            self._traffic.retries += 1
        if reply.status == 429:
            self._pace.pause(wait)
        else:
            time.sleep(wait)
        return True

    def _find(self, ids: Sequence[str]) -> dict[str, dict[str, Any]] | None:
        wanted = set(ids)
        query = {"customer_ids": ",".join(ids), "per_page": str(len(ids))}
        found: dict[str, dict[str, Any]] = {}
        for _ in range(_PAGES):
            reply = self._get(query)
            if (
                reply.arrival != "answered"
                or reply.status in (401, 403, 429)
                or reply.status >= 500
            ):
                raise UnavailableError(f"A look-up was not answered: {reply.describe()}.")
            page = listing(reply)
            customers = {str(c.get("customer_id")): c for c in page[0]} if page else {}
            # customers nobody asked for: the filter is not known there, so absence means nothing
            if page is None or customers.keys() - wanted:
                self._lookup_works = False
                logger().info("lookup.unsupported", status=reply.status)
                return None
            self._lookup_works = True
            found |= customers
            if page[1] is None or len(found) == len(wanted):
                break
            query = query | {"cursor": page[1]}
        return found

    def _get(self, query: Mapping[str, str]) -> Reply:
        attempt = 1
        while True:
            reply = self._send("GET", "/customers", query=query, kind="lookups")
            settled = reply.arrival == "answered" and reply.status != 429 and reply.status < 500
            if settled or not self.pause(reply, attempt):
                return reply
            attempt += 1

    def _send(
        self,
        method: str,
        path: str,
        *,
        kind: str,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Reply:
        waited = self._pace.wait()
        url = self.base_url + path
        if query:
            url += "?" + "&".join(f"{k}={quote(v, safe=',')}" for k, v in query.items())
        started = time.monotonic()
        try:
            response = self._http.request(
                method,
                url,
                data=body,
                headers={"Content-Type": "application/json"} if body is not None else None,
                timeout=self._timeout,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            # the text of these exceptions holds the URL and with it customer ids
            reply = Reply(
                "not_sent" if _never_left(error) else "lost",
                seconds=time.monotonic() - started,
                reason=_reason(error),
            )
        else:
            reply = Reply(
                "answered",
                response.status_code,
                response.content,
                response.headers.get("Retry-After"),
                time.monotonic() - started,
            )
        self._count(kind, len(body or b""), waited, reply)
        logger().debug(
            "request.done", kind=kind, result=reply.describe(), seconds=round(reply.seconds, 3)
        )
        return reply

    def _count(self, kind: str, size: int, waited: float, reply: Reply) -> None:
        with self._lock:
            traffic = self._traffic
            traffic.requests += 1
            setattr(traffic, kind, getattr(traffic, kind) + 1)
            traffic.bytes_sent += size
            traffic.wait_seconds += waited
            traffic.answer_seconds += reply.seconds
            traffic.slowest_answer_seconds = max(traffic.slowest_answer_seconds, reply.seconds)


def _never_left(error: requests.RequestException) -> bool:
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", cause), NewConnectionError)


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if _never_left(error):
        return "no connection (host unknown, or refused)"
    return f"connection broken ({type(error).__name__})"


def _portions(ids: Sequence[str]) -> list[list[str]]:
    """Ids in portions that fit one URL."""
    portions: list[list[str]] = [[]]
    size = 0
    for customer_id in ids:
        size += len(quote(customer_id)) + 1
        if portions[-1] and (len(portions[-1]) >= LOOKUP_IDS or size > LOOKUP_CHARACTERS):
            portions.append([])
            size = len(quote(customer_id)) + 1
        portions[-1].append(customer_id)
    return [portion for portion in portions if portion]
