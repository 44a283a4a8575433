"""The ASGI application: the API under /v1, and /_emulator to control and inspect it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from dlt_bunce.emulator import attributes, calls, replies
from dlt_bunce.emulator import members as member_calls
from dlt_bunce.emulator.admin import admin_routes
from dlt_bunce.emulator.behavior import Behavior, Call, Fault
from dlt_bunce.emulator.emulation import Emulation
from dlt_bunce.emulator.replies import Reply
from dlt_bunce.emulator.traffic import RequestRecord
from dlt_bunce.emulator.workspace import Workspace

ABORT = "dlt_bunce.abort"
"""ASGI extension with which the app closes the connection."""

_METHODS = ["DELETE", "GET", "PATCH", "POST", "PUT"]

Endpoint = Callable[[Request], Awaitable[Response]]
Work = Callable[[Workspace, Behavior, Request, Any], Reply]


class _Dropped(Response):
    """A response that closes the connection instead of answering."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"][ABORT]()
        # wait until the server notices, or it would send a 500 itself
        while (await receive())["type"] != "http.disconnect":
            pass


class _CutShort(Response):
    """A response with half of the announced body, after which the connection closes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        await send(start)
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})


def create_app(behavior: Behavior | None = None) -> Starlette:
    """Build the application; its state is at `app.state.emulation`.

    Faults that drop the connection need a server with the `dlt_bunce.abort` extension, which
    `Emulator` and `serve` provide.
    """
    customer = "/customers/{customer_id:path}"
    api = [
        Route("/customers/bulk", _endpoint("create", _create), methods=["POST"]),
        Route("/customers/bulk-update", _endpoint("update", _update), methods=["PUT"]),
        Route("/customers", _endpoint("lookup", _read_page), methods=["GET"]),
        Route(customer, _endpoint("lookup", _read_one), methods=["GET"]),
        Route(customer, _endpoint("single", _update_one), methods=["PUT"]),
        *_attribute_routes(),
        Route("/{rest:path}", _endpoint("other", _no_such_call), methods=_METHODS),
    ]
    app = Starlette(
        routes=[Mount("/v1", routes=api), Mount("/_emulator", routes=admin_routes())],
    )
    app.state.emulation = Emulation(behavior)
    return app


def _attribute_routes() -> list[Route]:
    """List the calls for attributes and segments."""

    def members(*, joins: bool) -> Work:
        def act(workspace: Workspace, behavior: Behavior, request: Request, payload: Any) -> Reply:
            segment = request.path_params["segment_id"]
            return member_calls.change(workspace, behavior, segment, payload, joins=joins)

        return act

    def listed(kind: str) -> Work:
        def act(workspace: Workspace, behavior: Behavior, request: Request, _: Any) -> Reply:
            items = getattr(workspace.attributes, kind)
            return attributes.listed(items, behavior, request.query_params)

        return act

    def create(workspace: Workspace, behavior: Behavior, _: Request, payload: Any) -> Reply:
        return attributes.create(workspace, behavior, payload)

    def create_segment(workspace: Workspace, behavior: Behavior, _: Request, found: Any) -> Reply:
        return attributes.create_segment(workspace, behavior, found)

    def write(workspace: Workspace, behavior: Behavior, _: Request, payload: Any) -> Reply:
        return attributes.write(workspace, behavior, payload)

    of_segment = "/segments/{segment_id}/customers"
    return [
        Route("/attributes", _endpoint("listing", listed("attributes")), methods=["GET"]),
        Route("/attributes", _endpoint("listing", create), methods=["POST"]),
        Route("/attributes/customers", _endpoint("values", write), methods=["POST"]),
        Route("/segments", _endpoint("listing", listed("segments")), methods=["GET"]),
        Route("/segments", _endpoint("listing", create_segment), methods=["POST"]),
        Route(of_segment, _endpoint("members", members(joins=True)), methods=["POST"]),
        Route(of_segment, _endpoint("members", members(joins=False)), methods=["DELETE"]),
    ]


def _no_such_call(_: Workspace, behavior: Behavior, __: Request, ___: Any) -> Reply:
    return replies.failure(behavior, 404, "Not found")


def _create(workspace: Workspace, behavior: Behavior, _: Request, payload: Any) -> Reply:
    return calls.bulk(workspace, behavior, payload, "creat")


def _update(workspace: Workspace, behavior: Behavior, _: Request, payload: Any) -> Reply:
    return calls.bulk(workspace, behavior, payload, "updat")


def _update_one(workspace: Workspace, behavior: Behavior, request: Request, payload: Any) -> Reply:
    customer_id = request.path_params["customer_id"]
    return calls.update_one(workspace, behavior, customer_id, payload)


def _read_page(workspace: Workspace, behavior: Behavior, request: Request, _: Any) -> Reply:
    return calls.read_page(workspace, behavior, request.query_params)


def _read_one(workspace: Workspace, behavior: Behavior, request: Request, _: Any) -> Reply:
    return calls.read_one(workspace, behavior, request.path_params["customer_id"])


def _endpoint(call: Call, work: Work) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        emulation: Emulation = request.app.state.emulation
        # bound now: a request answered after a reset must not write to the new workspace
        workspace = emulation.workspace
        body = await request.body()
        record = RequestRecord(request.method, request.url.path, call, 0, (), None, len(body))
        reply = _refused(emulation, request) or _oversized(emulation.behavior, body)
        payload: Any = None
        if reply is None and body:
            try:
                payload = json.loads(body)
            except ValueError:
                reply = replies.failure(
                    emulation.behavior, 400, "The request body is not valid JSON"
                )
        if reply is not None:
            emulation.traffic.received(replace(record, status=reply.status))
            return _response(reply)
        rows, ids = _rows_of(call, payload)
        if call == "lookup":
            ids = tuple(filter(None, request.query_params.get("customer_ids", "").split(",")))
        traffic = emulation.traffic
        number = traffic.received(replace(record, rows=rows, customer_ids=ids))
        behavior, fault = emulation.next_fault(call)
        if behavior.poison_text and call in {"create", "update"}:
            fault = _poisoned(behavior, body) or fault
        pause = behavior.latency_ms + behavior.row_latency_ms * rows
        if pause:
            await asyncio.sleep(pause / 1000)

        def act(payload: Any) -> Reply:
            return work(workspace, behavior, request, payload)

        if fault is None:
            response, status = _answered(act(payload))
        else:
            response, status = await _strike(fault, behavior, act, payload)
        traffic.answered(number, status, fault.kind if fault else "")
        return response

    return endpoint


def _poisoned(behavior: Behavior, body: bytes) -> Fault | None:
    if behavior.poison_text.encode() not in body:
        return None
    return Fault(behavior.poison, probability=1.0, seconds=3_600.0)


_STORE_NOTHING = frozenset({"error_before", "drop_before", "html_403", "html_502"})


async def _strike(
    fault: Fault, behavior: Behavior, act: Callable[[Any], Reply], payload: Any
) -> tuple[Response, int]:
    """Apply a fault; return the response and the status the client sees, 0 for none."""
    kind = fault.kind
    if kind == "rate_limited":
        return _answered(replies.too_many(behavior, fault.seconds))
    if kind == "hang_before":
        await asyncio.sleep(fault.seconds)
        return _answered(act(payload))
    if kind.endswith("_midway"):
        act(_half(payload))
    elif kind not in _STORE_NOTHING:
        reply = act(payload)
        if kind == "hang_after":
            await asyncio.sleep(fault.seconds)
            return _answered(reply)
        if kind == "truncated":
            return _answered(replace(reply, content=reply.content[: len(reply.content) // 2]))
        if kind == "cut_short":
            return _CutShort(reply.content, reply.status, media_type=reply.media_type), reply.status
    if kind.startswith("drop"):
        return _Dropped(), 0
    if kind.startswith("html"):
        page = (403, "Forbidden") if kind == "html_403" else (502, "Bad Gateway")
        return _answered(replies.html(*page))
    return _answered(replies.failure(behavior, fault.status, "Something went wrong"))


def _refused(emulation: Emulation, request: Request) -> Reply | None:
    behavior = emulation.behavior
    client = request.client.host if request.client else ""
    wait = emulation.limit.wait(client, behavior)
    if wait is not None:
        return replies.too_many(behavior, wait)
    key = request.headers.get("x-authorization", "").strip()
    if not key:
        return replies.failure(behavior, 401, "Missing secret key in the request header")
    if behavior.api_keys and key not in behavior.api_keys:
        return replies.failure(behavior, 401, "Invalid secret key")
    return None


def _oversized(behavior: Behavior, body: bytes) -> Reply | None:
    if not behavior.max_body_bytes or len(body) <= behavior.max_body_bytes:
        return None
    return calls.too_large(behavior, f"The request body exceeds {behavior.max_body_bytes} bytes")


def _rows_of(call: Call, payload: Any) -> tuple[int, tuple[str, ...]]:
    rows = payload.get(_key(payload)) if isinstance(payload, dict) else None
    if call not in {"create", "update", "values", "members"} or not isinstance(rows, list):
        return 0, ()
    ids = (row.get("customer_id") if isinstance(row, dict) else row for row in rows)
    return len(rows), tuple(map(str, ids))


def _key(payload: dict[str, Any]) -> str:
    return "attributes" if "attributes" in payload else "customers"


def _half(payload: Any) -> Any:
    if not isinstance(payload, dict):
        return payload
    key = _key(payload)
    rows = payload.get(key)
    return {key: rows[: len(rows) // 2]} if isinstance(rows, list) else payload


def _answered(reply: Reply) -> tuple[Response, int]:
    return _response(reply), reply.status


def _response(reply: Reply) -> Response:
    return Response(reply.content, reply.status, reply.headers, reply.media_type)
