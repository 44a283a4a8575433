"""Ask Bunce the questions that its documentation leaves open, and remember the answers."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from dlt_bunce.api.client import Session
from dlt_bunce.api.observer import RequestInfo
from dlt_bunce.api.reply import Reply
from dlt_bunce.api.targets import list_all
from dlt_bunce.destination.client import BunceClient
from dlt_bunce.errors import (
    AccountRefusedError,
    CredentialsError,
    UnavailableError,
    UsageError,
)
from dlt_bunce.logs import logger
from dlt_bunce.probe.creating import NoCustomerError
from dlt_bunce.probe.customers import MarkedCustomers
from dlt_bunce.probe.inquiry import Inquiry, RefusedAccountError
from dlt_bunce.probe.plan import ask_everything, max_requests
from dlt_bunce.probe.report import ProbeReport, all_questions
from dlt_bunce.probe.steps import Bulk, Get, Step, Wait, Write
from dlt_bunce.records.values.targets import Kind
from dlt_bunce.store.database import utc_now
from dlt_bunce.store.probes import put_probe

_NOT_SENT = Reply("not_sent")
_SILENT = 3
"""Requests in a row without an answer, after which the probe is given up."""
_TRIES = 5
"""Most requests that a look-up takes with its retries."""


def probe(
    client: BunceClient,
    *,
    prefix: str,
    max_batch: int,
    attribute: str | None = None,
    segment: str | None = None,
    sleep: Callable[[float], object] = time.sleep,
    progress: Callable[[int], None] = lambda _requests: None,
) -> ProbeReport:
    """Ask all questions with test customers, whose ids and emails begin with `prefix`.

    At most `max_requests(max_batch)` requests are sent, within the request budget; the report is
    kept in the store for the account. `attribute` and `segment` are names in Bunce, of a text
    attribute and a manual segment that test customers may have values of and be members of.

    Raises CredentialsError, UnavailableError, UsageError where one of these names does not exist
    or is of another type, and what a preflight raises.
    """
    client.take_preflight_traffic()  # discard that of an earlier call in this process
    account = client.preflight()
    config = client.config
    customers = MarkedCustomers(prefix, secrets.token_hex(4))
    inquiry = Inquiry(customers, max_batch)
    with client.database() as db, closing(client.session()) as session:
        values = attribute is not None or segment is not None
        attribute_id = _id_of(session, "attributes", attribute, "data_type", "text")
        segment_id = _id_of(session, "segments", segment, "type", "manual")
        asking = _Asking(session, max_requests(max_batch, values=values), sleep, progress)
        asking.used = sum(traffic.requests for traffic in client.take_preflight_traffic())
        try:
            asking.carry_out(ask_everything(inquiry, attribute_id, segment_id))
        except RefusedAccountError as error:
            raise AccountRefusedError(
                "Bunce rejects every test customer, for a reason that concerns none of them: "
                f"{inquiry.shapes.of(error.reply)}.",
                remedy="Settle this with Bunce, then probe again.",
            ) from None
        except NoCustomerError as error:
            raise UnavailableError(
                "Bunce accepted no test customer in any form: "
                f"{inquiry.shapes.of(error.outcome.reply)}.",
                remedy="Without one, nothing can be found out. Loads need no probe.",
            ) from None
        report = ProbeReport(
            host=config.host,
            mode=config.mode,
            probed_at=utc_now(),
            version=version("dlt-bunce"),
            requests=asking.used,
            customers=customers.made,
            findings=all_questions(inquiry.findings, values=values),
            figures=inquiry.figures,
        )
        put_probe(db, account.name, report.as_json())
    logger().info("probe.finished", requests=report.requests, customers=report.customers)
    return report


def import_report(client: BunceClient, report: Mapping[str, Any]) -> None:
    """Keep the report of a probe of Bunce's sandbox, or of the same host, for the account.

    Raises UsageError for a report of another host, or with a time to come.
    """
    config = client.config
    if report["host"] not in {config.host, f"sandbox.{config.host}"}:
        raise UsageError(
            f"The report is of {report['host']}, and this account is at {config.host}.",
            remedy="Import a report of the same host or of its sandbox.",
        )
    if datetime.fromisoformat(report["probed_at"]) > datetime.now(timezone.utc):
        raise UsageError(
            f"The report is of {report['probed_at']}, which is still to come.",
            remedy="Correct the clock of this machine, or probe again.",
        )
    with client.database() as db:
        put_probe(db, config.account, {**report, "host": config.host})


def _id_of(
    session: Session, kind: Kind, name: str | None, member: str, expected: str
) -> str | None:
    """Return the id of what is called so in Bunce; None without a name."""
    if name is None:
        return None
    there = list_all(session.get, f"/{kind}")
    found = [item for item in there if item["name"] == name]
    noun = kind.removesuffix("s")
    if len(found) == 1 and str(found[0].get(member, expected)).casefold() == expected:
        return str(found[0]["id"])
    if not found:
        names = ", ".join(sorted({str(item["name"]) for item in there})) or "none"
        problem = f"does not exist in Bunce. {kind.capitalize()} there: {names}."
    elif len(found) > 1:
        problem = "exists more than once."
    else:
        problem = f"is of type {found[0][member]}."
    raise UsageError(
        f"The {noun} {name!r} {problem}",
        remedy=f"Create {'an' if noun == 'attribute' else 'a'} {noun} of type {expected} for the "
        "probe in Bunce's dashboard, and name it.",
    )


class _Asking:
    """Carries out the steps of a plan, within its bound on requests; `used` counts them."""

    def __init__(
        self,
        session: Session,
        limit: int,
        sleep: Callable[[float], object],
        progress: Callable[[int], None],
    ) -> None:
        self._session = session
        self._limit = limit
        self._sleep = sleep
        self._progress = progress
        self._silent = 0
        self.used = 0

    def carry_out(self, steps: Any) -> None:
        """Carry out steps until there are no more, or no more requests are left for them."""
        try:
            step = next(steps)
            while isinstance(step, Wait) or self.used + _TRIES <= self._limit:
                step = steps.send(self._answer(step))
        except StopIteration:
            return
        logger().warning("probe.cut_short", requests=self.used)

    def _answer(self, step: Step) -> Reply:
        match step:
            case Wait():
                self._sleep(step.seconds)
                return _NOT_SENT
            case Bulk():
                reply = self._send(step)
            case Write():
                reply = self._send(step)
            case Get(customer_id=None):
                reply = self._session.get("/customers", step.query)
            case Get():
                path = "/customers/" + quote(str(step.customer_id), safe="")
                reply = self._session.get(path, step.query)
        self._count()
        if reply.status == 401:
            raise CredentialsError(
                "Bunce did not accept the API key (HTTP 401).",
                remedy="Set a valid key and probe again.",
            )
        # a key that may not write values is an answer, too
        blocked = reply.status == 403 and not isinstance(step, Write)
        answered = reply.arrival == "answered" and reply.status < 500 and not blocked
        self._silent = 0 if answered else self._silent + 1
        if self._silent == _SILENT:
            raise UnavailableError(
                f"Bunce does not answer: {reply.describe()}, {_SILENT} times in a row.",
                remedy="Probe again later. Test customers may have been created.",
            )
        return reply

    def _send(self, step: Bulk | Write) -> Reply:
        """Send a request with rows; only one that was not carried out is sent again."""
        attempt = 1
        while True:
            reply = self._once(step, attempt)
            if reply is None:
                return _NOT_SENT
            carried_out = reply.arrival != "not_sent" and reply.status != 429
            left = self.used + attempt + 1 < self._limit
            if carried_out or not left or not self._session.pause(reply, attempt):
                return reply
            attempt += 1

    def _once(self, step: Bulk | Write, attempt: int) -> Reply | None:
        if isinstance(step, Bulk):
            rows = len(step.customers)
            return self._session.send(step.verb, step.body, rows=rows, attempt=attempt)
        question = RequestInfo(step.method, step.path, "values", len(step.rows), attempt)
        return self._session.deliver(question, step.path, step.body, lambda: False)

    def _count(self) -> None:
        requests = self._session.take_traffic().requests
        self.used += requests
        self._progress(requests)
