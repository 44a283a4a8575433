"""Submitted forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlt_bunce.workbench.auth import Auth, same
from dlt_bunce.workbench.error_page import ErrorPage

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request


async def form_of(request: Request, auth: Auth) -> FormData:
    """Return the submitted form. Raises ErrorPage if its token is not this process's."""
    form = await request.form()
    if not same(form.get("token"), auth.form):
        raise ErrorPage(
            403,
            "Form refused",
            "The form is from another session. Go back and reload the page.",
        )
    return form
