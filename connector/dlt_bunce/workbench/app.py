"""The workbench as an ASGI application: which address leads to which page, and what else can be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from dlt_bunce.workbench.gate import Gate, Guarded
from dlt_bunce.workbench.refusal import Refusal, refusal
from dlt_bunce.workbench.views import Store, Views
from dlt_bunce.workbench.work import Works

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(store: Store, gate: Gate, works: Works) -> ASGIApp:
    """The application behind its gate."""
    views = Views(store, gate, works)
    answers: list[tuple[str, str, Endpoint]] = [
        ("GET", "/start", views.start),
        ("GET", "/style.css", views.style),
        ("GET", "/", views.runs),
        ("GET", "/letters", views.letters),
        ("GET", "/letters/{letter_id}", views.letter),
        ("POST", "/letters/{letter_id}/values", views.values),
        ("POST", "/confirm", views.confirm),
        ("POST", "/act", views.act),
        ("GET", "/orders/{number:int}", views.work),
    ]
    routes = [
        Route(path, _told(endpoint, store), methods=[method]) for method, path, endpoint in answers
    ]
    return Guarded(Starlette(routes=routes, exception_handlers={HTTPException: _unknown}), gate)


def _told(endpoint: Endpoint, store: Store) -> Endpoint:
    """Every failure becomes a plain page here: a server would log it with its values."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Refusal as refused:
            return refusal(refused)
        except HTTPException as error:
            return await _unknown(request, error)
        except Exception as error:  # noqa: BLE001, explained without any value
            return refusal(Refusal(500, "That did not work", store.explain(error)))

    return answered


async def _unknown(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101, it is registered for these
    return refusal(Refusal(error.status_code, error.detail, "Go back, or begin at the runs."))
