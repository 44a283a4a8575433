"""Who may look: whoever has the address that the terminal shows, in a browser on this machine.

Loopback keeps other machines out, but neither other users of this one nor pages of other sites in
the same browser. Against the users stands a random token in the first address, which a cookie
takes the place of; against the sites stand the cookie's SameSite=Strict, a second token in every
form, and the check of the Host header, which a rebound name would betray. A token rather than a
password: nobody has to think one up, and it ends with the process.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dlt_bunce.workbench.error_page import ErrorPage, error_page

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def _token() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Auth:
    """The secrets of one process that serves on a port of 127.0.0.1."""

    port: int
    start: str = field(default_factory=_token, repr=False)
    session: str = field(default_factory=_token, repr=False)
    form: str = field(default_factory=_token, repr=False)

    @property
    def address(self) -> str:
        """The first address, which lets a browser in."""
        return f"http://127.0.0.1:{self.port}/start?token={self.start}"

    @property
    def cookie(self) -> str:
        """Its name: browsers tell hosts apart, not ports."""
        return f"dlt_bunce_{self.port}"

    def is_host(self, given: str) -> bool:
        """Whether a Host header names this server."""
        return given in {f"{host}:{self.port}" for host in ("127.0.0.1", "localhost", "[::1]")}

    def is_open(self, cookies: str) -> bool:
        """Whether a Cookie header was given by this process."""
        try:
            morsel = SimpleCookie(cookies).get(self.cookie)
        except CookieError:
            return False
        return morsel is not None and same(morsel.value, self.session)


def same(given: object, secret: str) -> bool:
    """Whether the secret was given, in a time that does not tell how much of it was right."""
    return isinstance(given, str) and hmac.compare_digest(given.encode(), secret.encode())


@dataclass(frozen=True)
class Guarded:
    """An application behind a auth; every answer carries the headers that keep it to itself."""

    app: ASGIApp
    auth: Auth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or refuses."""

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refused = self._refused(scope)
        app = self.app if refused is None else error_page(refused)
        await app(scope, receive, sealed)

    def _refused(self, scope: Scope) -> ErrorPage | None:
        headers = Headers(scope=scope)
        if not self.auth.is_host(headers.get("host", "")):
            return ErrorPage(
                421, "Wrong host", "This server answers to 127.0.0.1 and localhost alone."
            )
        if scope["path"] in {"/start", "/style.css"}:
            return None
        if not self.auth.is_open(headers.get("cookie", "")):
            return ErrorPage(
                403,
                "Not signed in",
                "Open the address that `dlt-bunce ui` has printed: it holds a token that lets "
                "this browser in until the program ends.",
            )
        return None
