"""Access control: whoever opens the address shown in the terminal, in a browser on this machine.

Listening on loopback keeps other machines out, but not other users of this machine or other sites
in the same browser. A random token in the sign-in address, replaced by a cookie, keeps the users
out. SameSite=Strict on the cookie, a second token in every form, and a check of the Host header
(against DNS rebinding) keep the sites out. A browser shares cookies between all ports of an
address, so a server of another user could be given the cookie: it is bound to a path that nobody
can guess, and everything is served below that path. On Linux, a connection must also come from a
process of the user who started the workbench. It is a token rather than a password so that nobody
has to choose one, and it expires with the process.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dlt_bunce.workbench.error_page import ErrorPage, error_page
from dlt_bunce.workbench.peer import own_users, user_of

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
    """The secrets of one server process on a port of 127.0.0.1.

    `root` is the path below which everything is served.
    """

    port: int
    root: str = field(default_factory=lambda: f"/{_token()}", repr=False)
    start: str = field(default_factory=_token, repr=False)
    session: str = field(default_factory=_token, repr=False)
    form: str = field(default_factory=_token, repr=False)
    users: frozenset[int] = field(default_factory=own_users)

    @property
    def address(self) -> str:
        """The sign-in address, with its token."""
        return f"http://127.0.0.1:{self.port}{self.root}/start?token={self.start}"

    @property
    def cookie(self) -> str:
        """The cookie's name; the port in it tells those of several workbenches apart."""
        return f"dlt_bunce_{self.port}"

    def is_host(self, given: str) -> bool:
        """Return whether a Host header names this server."""
        return given in {f"{host}:{self.port}" for host in ("127.0.0.1", "localhost", "[::1]")}

    def is_below_root(self, path: str) -> bool:
        """Return whether a path lies below the secret one."""
        return same(path[: len(self.root) + 1], f"{self.root}/")

    def is_open(self, cookies: str) -> bool:
        """Return whether a Cookie header holds this process's session.

        A server on another port may have set a cookie of the same name for every path.
        """
        session = f"{self.cookie}={self.session}"
        return any(same(cookie.strip(), session) for cookie in cookies.split(";"))


def same(given: object, secret: str) -> bool:
    """Compare with a secret in constant time."""
    return isinstance(given, str) and hmac.compare_digest(given.encode(), secret.encode())


@dataclass(frozen=True)
class Guarded:
    """An application behind `auth`; every response carries the security headers."""

    app: ASGIApp
    auth: Auth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it with an error page; outside the root, with nothing."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app_for(scope)(scope, receive, send_with_headers)

    def _app_for(self, scope: Scope) -> ASGIApp:
        if not self.auth.is_below_root(scope["path"]):
            return Response(status_code=404)
        refusal = self._refusal(scope)
        return self.app if refusal is None else error_page(refusal, self.auth.root)

    def _refusal(self, scope: Scope) -> ErrorPage | None:
        headers = Headers(scope=scope)
        if not self.auth.is_host(headers.get("host", "")):
            return ErrorPage(
                421, "Wrong host", "This server accepts only 127.0.0.1 and localhost as its host."
            )
        client = scope.get("client")
        user = user_of(client[1], self.auth.port) if client else None
        if user is not None and self.auth.users and user not in self.auth.users:
            return ErrorPage(
                403, "Another user", "The workbench answers only the user who started it."
            )
        if scope["path"] in {f"{self.auth.root}/start", f"{self.auth.root}/style.css"}:
            return None
        if not self.auth.is_open(headers.get("cookie", "")):
            return ErrorPage(
                403,
                "Not signed in",
                "Open the address that `dlt-bunce ui` printed. Its token signs this browser in "
                "until the program stops.",
            )
        return None
