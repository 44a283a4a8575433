"""The emulated Bunce in a process of its own, so that its work is nobody's CPU time but its own."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from typing_extensions import Self


class Server:
    """`dlt-bunce emulator` on a free port of loopback while the `with` block lasts."""

    def __init__(self, **switches: Any) -> None:
        """`switches` are those of `Behavior`; there is no rate limit unless one is given."""
        self._switches = {"rate_limit": 0, **switches}

    def __enter__(self) -> Self:
        program = Path(sys.executable).with_name("dlt-bunce")
        command = [program, "emulator", "--port", "0", "--json"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.base_url = json.loads(self._process.stdout.readline())["base_url"]
        self._admin = self.base_url.removesuffix("/v1") + "/_emulator"
        self.reset()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait()

    def reset(self, **switches: Any) -> None:
        """Forgets everybody, and behaves as given from here on."""
        self._call("reset", {})
        self.behave(**switches)

    def behave(self, **switches: Any) -> None:
        """Changes switches; those not given are as at the start."""
        self._call("behavior", {**self._switches, **switches})

    def stats(self) -> dict[str, Any]:
        """All counts so far."""
        found: dict[str, Any] = self._call("stats")
        return found

    def requests(self) -> list[dict[str, Any]]:
        """All requests so far, oldest first."""
        found: list[dict[str, Any]] = self._call("requests")
        return found

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Calls the API itself; returns the answer."""
        headers = {"X-Authorization": "sk_test_bench", "Content-Type": "application/json"}
        data = json.dumps(body).encode()
        request = urllib.request.Request(self.base_url + path, data, headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def _call(self, name: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self._admin}/{name}", data) as answer:
            return json.load(answer)
