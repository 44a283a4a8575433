"""The URL of Bunce's API, and which hosts may receive which key."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from dlt_bunce.api.connections import is_loopback
from dlt_bunce.errors import ConfigurationError

LIVE_URL = "https://api.bunce.so/v1"
SANDBOX_URL = "https://sandbox.api.bunce.so/v1"
KEY_HOSTS = {"sk_live_": LIVE_URL, "sk_test_": SANDBOX_URL}


def checked_base_url(base_url: str | None, api_key: str, allow_host: str | None) -> str:
    """Return the URL of the API: as given, or else the one that the key's prefix belongs to.

    Raises ConfigurationError for a URL that is not plain, and for a host that must not receive the
    key.
    """
    prefix = next((p for p in KEY_HOSTS if api_key.startswith(p)), None)
    if base_url is None:
        if prefix is None:
            raise ConfigurationError(
                "The API key starts with neither sk_live_ nor sk_test_, so its host is unknown.",
                remedy="Check DESTINATION__BUNCE__CREDENTIALS__API_KEY, or set base_url.",
            )
        return KEY_HOSTS[prefix]
    url = base_url.rstrip("/")
    host = _plain_host(url)
    if host is None:
        raise ConfigurationError(
            "base_url is not a plain http(s) URL.",
            remedy=f'For example, set base_url = "{SANDBOX_URL}".',
        )
    if not url.endswith("/v1"):
        rest = re.sub(r"/v\d+$", "", url)
        raise ConfigurationError(
            f"base_url at {host} does not end in /v1.", remedy=f'Set base_url = "{rest}/v1".'
        )
    if is_loopback(host):
        return url
    if urlsplit(url).scheme != "https":
        raise ConfigurationError(
            f"base_url would send the API key to {host} unencrypted.", remedy="Use an https URL."
        )
    for required, key_url in KEY_HOSTS.items():
        if host == urlsplit(key_url).hostname and prefix != required:
            raise ConfigurationError(
                f"The host {host} requires an API key that starts with {required}.",
                remedy=f"Use such a key, or remove base_url: {LIVE_URL} is for sk_live_ keys, "
                f"{SANDBOX_URL} for sk_test_ keys.",
            )
    bunce_hosts = {urlsplit(key_url).hostname for key_url in KEY_HOSTS.values()}
    if prefix == "sk_live_" and host not in {*bunce_hosts, allow_host}:
        raise ConfigurationError(
            f"The API key is a live one, and {host} is not one of Bunce's hosts.",
            remedy=f'If that host may receive the key, set allow_host = "{host}".',
        )
    return url


def url_to_ask(base_url: str | None, api_key: str) -> str:
    """Return the URL of the API; raise ConfigurationError without a key, as a dry run may be."""
    if base_url is None or not api_key:
        raise no_key()
    return base_url


def no_key(destination_name: str = "bunce") -> ConfigurationError:
    """Return the error for a missing API key of a destination, whose name is its section's."""
    return ConfigurationError(
        "No API key is set.",
        remedy=f"Set DESTINATION__{destination_name.upper()}__CREDENTIALS__API_KEY, or api_key "
        f"under [destination.{destination_name}.credentials] in .dlt/secrets.toml.",
    )


def _plain_host(url: str) -> str | None:
    """Return the host of a URL that has only a scheme, a host, a port, and a path; else None."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError if it is none
    except ValueError:
        return None
    host = parts.hostname or ""
    extras = any(mark in url for mark in "?#@") or any(map(str.isspace, url))
    if parts.scheme not in ("http", "https") or extras or not host or host.endswith("."):
        return None
    # an address that is none, such as 127.999.0.1, would be looked up as a name
    is_number = re.fullmatch(r"[\d.]+", host) is not None
    return None if is_number and not _is_address(host) else host


def _is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False
