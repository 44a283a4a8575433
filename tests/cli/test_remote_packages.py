"""A source whose package is not installed: named before anybody is asked for credentials."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from .conftest import Run


@pytest.mark.parametrize(
    ("url", "package"),
    [
        ("gs://bucket/c.csv", "gcsfs"),
        ("gcs://bucket/c.csv", "gcsfs"),
        ("az://container/c.csv", "adlfs"),
        ("abfss://container@account.dfs.core.windows.net/c.csv", "adlfs"),
    ],
)
@pytest.mark.parametrize("command", ["check", "load"])
def test_the_package_of_a_remote_file_is_named(
    url: str, package: str, command: str, run: Run
) -> None:
    assert find_spec(package) is None, "this test is about a package that is not installed"

    refused = run(command, url)

    assert refused.code == 2
    assert refused.errors == (
        f"Error: The source needs packages that are not installed: {package}. "
        f"Install them with: pip install '{package}'\n"
    )


def test_the_package_of_a_socks_proxy_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_spec("socks") is None, "this test is about a package that is not installed"
    monkeypatch.setenv("DESTINATION__BUNCE__BASE_URL", "https://bunce.invalid/v1")
    monkeypatch.setenv("DESTINATION__BUNCE__ALLOW_HOST", "bunce.invalid")
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")

    found = run("doctor", "--json").json

    [key] = [check for check in found if check["name"] == "key"]
    assert key["state"] == "failed"
    assert "a SOCKS proxy needs another package: pip install 'requests[socks]'" in key["detail"]
