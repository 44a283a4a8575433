"""Why a request got no answer, and whether it can have been carried out."""

from __future__ import annotations

import os
from pathlib import Path

import requests
from urllib3.exceptions import NewConnectionError, ReadTimeoutError

from dlt_bunce.errors import ConfigurationError

LATE = "no answer in time"
# faults of a connection that come before a request leaves
_CONNECTIONS: tuple[tuple[type[Exception], str], ...] = (
    (requests.exceptions.ProxyError, "the proxy in HTTPS_PROXY or HTTP_PROXY does not connect"),
    (
        requests.exceptions.InvalidSchema,
        "a SOCKS proxy needs another package: pip install 'requests[socks]'",
    ),
)


def never_left(error: Exception) -> bool:
    """Return whether a request failed before any of it could be carried out."""
    if _is_untrusted(error):
        return True
    if isinstance(error, (requests.ConnectTimeout, *(kind for kind, _ in _CONNECTIONS))):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", cause), NewConnectionError)


def reason_of(error: Exception) -> str:
    """Return why there is no answer, without the URL, which holds customer ids."""
    if isinstance(error, requests.Timeout | TimeoutError | ReadTimeoutError):
        return LATE
    if _is_untrusted(error):
        return "its TLS certificate is not trusted; set REQUESTS_CA_BUNDLE to the file of its CA"
    for kind, reason in _CONNECTIONS:
        if isinstance(error, kind):
            return reason
    if never_left(error):
        return "no connection (host unknown, or refused)"
    return f"connection broken ({type(error).__name__})"


def _is_untrusted(error: Exception) -> bool:
    # any other fault of TLS may come after the request was carried out
    is_tls = isinstance(error, requests.exceptions.SSLError)
    return is_tls and "CERTIFICATE_VERIFY_FAILED" in str(error)


def refuse_unusable_bundle(verify: bool | str | None) -> None:
    """Raise ConfigurationError if the file or folder of trusted certificates cannot be used."""
    if not isinstance(verify, str):
        return
    try:
        if Path(verify).is_dir():
            os.scandir(verify).close()
            return
        # OpenSSL takes 30 ms to load what a system trusts, and loads it for a connection with TLS
        if b"CERTIFICATE-----" in Path(verify).read_bytes():
            return
        reason = "contains no certificate in PEM format"
    except FileNotFoundError:
        reason = "does not exist"
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    raise ConfigurationError(
        f"The CA bundle {verify} {reason}.",
        remedy="Correct REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE, or unset it.",
    )
