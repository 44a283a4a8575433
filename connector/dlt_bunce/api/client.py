"""Requests to Bunce: paced, bounded in time, counted, and told apart by how far they got."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import requests
from urllib3.exceptions import HTTPError

from dlt_bunce.api.connections import connection_pool, without_ids
from dlt_bunce.api.deadline import deadline
from dlt_bunce.api.email_lookup import EmailLookup
from dlt_bunce.api.faults import LATE, never_left, reason_of
from dlt_bunce.api.lookup import Lookup, Page
from dlt_bunce.api.observer import UNOBSERVED, Observer, RequestInfo
from dlt_bunce.api.rate_limit import RateLimiter
from dlt_bunce.api.reply import REDIRECTS, Reply
from dlt_bunce.api.retry import MAX_WAIT_S, RetryPolicy, asked_wait_s, too_long_a_wait
from dlt_bunce.errors import ConfigurationError, CredentialsError, UnavailableError
from dlt_bunce.logs import logger
from dlt_bunce.model import Traffic, Verb

_BULK = {"create": ("POST", "/customers/bulk"), "update": ("PUT", "/customers/bulk-update")}
_CONNECT_TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 32_000_000
"""Bytes of an answer that are read, decompressed: a full page or batch has less than 2 MB."""
_PIECE_BYTES = 65_536
_SEE_OTHER = 303


class Session:
    """One connection pool to one workspace, for all threads of a job."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        pace: RateLimiter,
        timeout_s: float = 60.0,
        concurrency: int = 4,
        retry: RetryPolicy | None = None,
        observer: Observer = UNOBSERVED,
        lookup_ids: int | None = None,
    ) -> None:
        """`lookup_ids`: how many ids a look-up is known to take, None if nothing is known."""
        self.base_url = base_url
        self._observer = observer
        self._pace = pace
        self._timeout = (min(_CONNECT_TIMEOUT_S, timeout_s), timeout_s)
        self._deadline_s = sum(self._timeout)
        self._retry = retry or RetryPolicy()
        self._http = connection_pool(base_url, api_key, concurrency)
        self._traffic = Traffic()
        self._lock = threading.Lock()
        self._lookup = Lookup(self.get, lookup_ids)
        self._email_lookup = EmailLookup(self._lookup.answer)
        self.stopping = threading.Event()
        for name in ("urllib3.connectionpool", "urllib3.connection"):
            logging.getLogger(name).addFilter(without_ids)

    def close(self) -> None:
        """Close the pool, and what the rate limiter holds."""
        self._http.close()
        self._pace.close()

    def send(
        self,
        verb: Verb,
        body: bytes,
        stopped: Callable[[], bool] = lambda: False,
        *,
        rows: int = 0,
        attempt: int = 1,
    ) -> Reply | None:
        """One bulk request, tried once: what its answer means is not ours. `rows` and `attempt`
        are for the observer.

        None, with nothing sent, where `stopped()` after the wait for its turn.
        """
        method, path = _BULK[verb]
        return self.deliver(RequestInfo(method, path, "bulk", rows, attempt), path, body, stopped)

    def deliver(
        self, question: RequestInfo, path: str, body: bytes, stopped: Callable[[], bool]
    ) -> Reply | None:
        """One request with a body, as `send`: for values and members, whose paths have ids."""
        waited = self._pace.wait(self.stopping)
        if stopped() or self.stopping.is_set():
            return None
        return self._send(question, path, waited, body=body)

    def check_key(self) -> Reply:
        """Preflight by a listing of one customer, as Bunce's own command line does it.

        Raises CredentialsError when the key is refused, UnavailableError when nobody answers.
        """
        reply = self.get("/customers", {"per_page": "1"})
        if reply.status in (401, 403):
            raise CredentialsError(
                f"Bunce at {self.base_url} refuses the API key (HTTP {reply.status}).",
                remedy="Set DESTINATION__BUNCE__CREDENTIALS__API_KEY to a key of that workspace.",
            )
        if reply.is_redirect:
            raise ConfigurationError(
                f"Bunce at {self.base_url} redirects to another address (HTTP {reply.status}).",
                remedy="Set base_url to the address that it redirects to; nothing was sent.",
            )
        if not reply.is_final or reply.status == _SEE_OTHER:
            raise UnavailableError(
                f"Bunce at {self.base_url} cannot be used: {reply.describe()}.",
                remedy="Check base_url and the network; nothing was sent, run again later.",
            )
        self._lookup.note(reply)
        return reply

    def find(self, customer_ids: Sequence[str]) -> dict[str, dict[str, Any]] | None:
        """Return the customers that exist among `customer_ids`, by id; None without look-ups.

        Raises UnavailableError or CredentialsError when a look-up is not answered.
        """
        return self._lookup.find(customer_ids)

    def find_by_email(self, emails: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Return everybody who has each of `emails`; one that cannot be looked up is left out.

        Raises UnavailableError or CredentialsError when a look-up is not answered.
        """
        return self._email_lookup.find(emails, self._lookup.known_email)

    def list_customers(self, cursor: str | None) -> Page:
        """Return a page of all customers; `cursor` is that of the page before, None for the first.

        Raises ListingError when this is no listing, UnavailableError, or CredentialsError.
        """
        return self._lookup.page(cursor)

    def take_traffic(self) -> Traffic:
        """Return what went over the wire since the last call."""
        with self._lock:
            traffic, self._traffic = self._traffic, Traffic()
        return traffic

    def pause(self, reply: Reply, attempt: int) -> bool:
        """Wait before another try, or make everybody wait if the server said so; False: give up.

        Nobody waits once `stopping` is set: the load is to end. Raises UnavailableError when the
        server asks for a longer wait than a run takes part in.
        """
        jitter = random.random()  # noqa: S311, it spreads tries and guards nothing
        now = time.time()
        wait = self._retry.wait(attempt, reply, jitter=jitter, now=now)
        asked = asked_wait_s(reply, now)
        if wait is None and asked > MAX_WAIT_S:
            raise too_long_a_wait(reply, asked, now)
        if wait is None:
            return False
        logger().info("request.retry", attempt=attempt, wait_s=round(wait, 1), why=reply.describe())
        with self._lock:
            self._traffic.retries += 1
        if reply.status == 429:
            self._pace.pause(wait)
        else:
            self.stopping.wait(wait)
            self._observer.waited(wait, "retry")
        return not self.stopping.is_set()

    def get(self, path: str, query: Mapping[str, str]) -> Reply:
        """Return the answer to a GET, which is tried again while there is none for good."""
        attempt = 1
        is_customer = path.startswith("/customers/")
        template = "/customers/{customer_id}" if is_customer else path
        while True:
            waited = self._pace.wait(self.stopping)
            if self.stopping.is_set():
                return Reply("not_sent", reason="asked to stop")
            question = RequestInfo("GET", template, "lookup", attempt=attempt)
            reply = self._send(question, path, waited, query=query)
            is_answer = reply.is_final and not reply.is_cut_off
            if is_answer or not self.pause(reply, attempt):
                return reply
            attempt += 1

    def _send(
        self,
        question: RequestInfo,
        path: str,
        waited: float,
        *,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Reply:
        url = self.base_url + path
        if query:
            url += "?" + "&".join(f"{k}={quote(v, safe=',')}" for k, v in query.items())
        self._observer.waited(waited, "budget")
        with self._observer.request(question) as answered:
            reply = self._ask(question.method, url, body)
            answered(reply)
        self._count(question, len(body or b""), waited, reply)
        logger().debug(
            "request.done",
            kind=question.kind,
            result=reply.describe(),
            seconds=round(reply.seconds, 3),
        )
        return reply

    def _ask(self, method: str, url: str, body: bytes | None) -> Reply:
        started = time.monotonic()
        with deadline(self._deadline_s) as end:
            try:
                response = self._http.request(
                    method,
                    url,
                    data=body,
                    headers={"Content-Type": "application/json"} if body is not None else None,
                    timeout=self._timeout,
                    allow_redirects=False,
                    stream=True,
                )
                content = _content(response)
            except (requests.RequestException, HTTPError, OSError) as error:
                # the text of these exceptions holds the URL and with it customer ids
                return Reply(
                    "not_sent" if never_left(error) else "lost",
                    seconds=time.monotonic() - started,
                    reason=LATE if end.is_past else reason_of(error),
                )
        if content is None:
            reason = f"an answer of more than {MAX_ANSWER_BYTES:,} bytes"
            return Reply("lost", seconds=time.monotonic() - started, reason=reason)
        if end.is_past:
            return Reply("lost", seconds=time.monotonic() - started, reason=LATE)
        if response.status_code in REDIRECTS:
            return Reply(
                "not_sent",
                response.status_code,
                seconds=time.monotonic() - started,
                reason=f"a redirect to another address (HTTP {response.status_code})",
            )
        return Reply(
            "answered",
            response.status_code,
            content,
            response.headers.get("Retry-After"),
            time.monotonic() - started,
            date=response.headers.get("Date"),
        )

    def _count(self, question: RequestInfo, size: int, waited: float, reply: Reply) -> None:
        with self._lock:
            traffic = self._traffic
            traffic.requests += 1
            traffic.bulk_requests += question.kind == "bulk"
            traffic.lookups += question.kind == "lookup"
            traffic.bytes_sent += size
            traffic.wait_seconds += waited
            traffic.answer_seconds += reply.seconds
            traffic.slowest_answer_seconds = max(traffic.slowest_answer_seconds, reply.seconds)


def _content(response: requests.Response) -> bytes | None:
    """Return the body, decompressed; None when it is larger than any answer should be."""
    pieces, size = [], 0
    with response:
        while piece := response.raw.read(_PIECE_BYTES, decode_content=True):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_ANSWER_BYTES:
                return None
    return b"".join(pieces)
