"""The connections that all threads of a session share, and what may be logged about them."""

from __future__ import annotations

import ipaddress
import logging
import os
import re
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urlsplit

import requests

from dlt_bunce.api.deadline import DeadlineAdapter
from dlt_bunce.api.faults import refuse_unusable_bundle

_KEPT_IN_LOGS = re.compile(r"(/v1/customers(?:/bulk(?:-update)?)?)(?:[/?][^\s'\")]*)?")


def connection_pool(base_url: str, api_key: str, concurrency: int) -> requests.Session:
    """Make connections that threads may share: requests leave nothing behind for others."""
    http = requests.Session()
    http.headers.update(
        {
            "X-Authorization": api_key.encode(),
            "Accept": "application/json",
            "User-Agent": "dlt-bunce",
        }
    )
    # .netrc would send its password along; of the environment, only proxies and certificates count
    http.trust_env = False
    if not is_loopback(urlsplit(base_url).hostname or ""):
        # a proxy would get the key and the rows in clear, and reach a host of its own
        http.proxies.update(requests.utils.get_environ_proxies(base_url))
    http.verify = (
        os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or http.verify
    )
    refuse_unusable_bundle(http.verify)
    http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # retries are ours: urllib3 does not know what was carried out
    adapter = DeadlineAdapter(
        pool_connections=1, pool_maxsize=concurrency, max_retries=0, pool_block=True
    )
    for scheme in ("https://", "http://"):
        http.mount(scheme, adapter)
    return http


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine's loopback interface."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def without_ids(record: logging.LogRecord) -> bool:
    """Filter urllib3's log: what follows /customers holds ids and is left out."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            _KEPT_IN_LOGS.sub(r"\1", arg) if isinstance(arg, str) else arg for arg in record.args
        )
    return True
