"""The final answer to a request, after any interim ones."""

from __future__ import annotations

from http.client import HTTPResponse

_MAX_LINE = 65_537


class FinalResponse(HTTPResponse):
    """A response that skips `102 Processing` and `103 Early Hints`. Python skips `100 Continue`
    alone: it would take them for the answer, and the answer for that of the next request.
    """

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            # 101 changes the protocol: nothing of HTTP follows it
            if not 101 < status < 200:
                return version, status, reason
            while self.fp.readline(_MAX_LINE) not in (b"\r\n", b"\n", b""):
                pass
