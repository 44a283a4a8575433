"""Submitted forms."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.datastructures import ImmutableMultiDict

from dlt_bunce.workbench.auth import Auth, same
from dlt_bunce.workbench.error_page import ErrorPage

if TYPE_CHECKING:
    from starlette.requests import Request


async def form_of(request: Request, auth: Auth) -> ImmutableMultiDict[str, str]:
    """Return the submitted form. Raises ErrorPage if its token is not this process's."""
    # not request.form(), which takes neither a row of many columns nor a long cell
    body = (await request.body()).decode("latin-1")
    form = ImmutableMultiDict(parse_qsl(body, keep_blank_values=True))
    if not same(form.get("token"), auth.form):
        raise ErrorPage(
            403,
            "Form refused",
            "The form is from another session. Go back and reload the page.",
        )
    return form
