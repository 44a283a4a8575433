"""Routes outside /v1 with which a test or demo controls and inspects a running emulator."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dlt_bunce.emulator.behavior import Behavior

if TYPE_CHECKING:
    from dlt_bunce.emulator.emulation import Emulation


def admin_routes() -> list[Route]:
    """List the routes to mount at /_emulator; none of them requires a key."""

    def shown(view: Callable[[Emulation], Any]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            return JSONResponse(view(request.app.state.emulation))

        return endpoint

    return [
        Route("/stats", shown(lambda emulation: emulation.stats())),
        Route("/customers", shown(lambda emulation: list(emulation.workspace.customers.values()))),
        Route("/requests", shown(_requests)),
        Route("/times-sent", shown(lambda emulation: emulation.traffic.times_sent)),
        Route("/behavior", shown(lambda emulation: emulation.behavior.to_json()), methods=["GET"]),
        Route("/behavior", _set_behavior, methods=["POST"]),
        Route("/reset", _reset, methods=["POST"]),
    ]


def _requests(emulation: Emulation) -> list[dict[str, Any]]:
    return [dataclasses.asdict(record) for record in emulation.traffic.records]


async def _set_behavior(request: Request) -> Response:
    emulation: Emulation = request.app.state.emulation
    try:
        switches = dict(json.loads(await request.body()))
        emulation.behavior = Behavior.from_json(switches, emulation.behavior)
    except (TypeError, ValueError) as error:
        return JSONResponse({"message": str(error)}, 400)
    return JSONResponse(emulation.behavior.to_json())


async def _reset(request: Request) -> Response:
    emulation: Emulation = request.app.state.emulation
    emulation.reset()
    return JSONResponse(emulation.stats())
