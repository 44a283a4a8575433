"""Who looks on as requests go out; what is seen holds no value of a customer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal, Protocol

from dlt_bunce.api.reply import Reply


@dataclass(frozen=True)
class RequestInfo:
    """One request. `template` is its path without ids, `rows` how many customers it carries, and
    `attempt` counts from 1 while the same is tried again.
    """

    method: str
    template: str
    kind: Literal["bulk", "lookup", "values"]
    rows: int = 0
    attempt: int = 1


class Observer(Protocol):
    """Called from all sending threads."""

    def request(self, question: RequestInfo) -> AbstractContextManager[Callable[[Reply], None]]:
        """Encloses one request; gives the function that takes its reply."""

    def waited(self, seconds: float, why: Literal["budget", "retry"]) -> None:
        """Seconds that a thread has waited for its turn, or before another try."""


class _NoObserver(Observer):
    def request(self, question: RequestInfo) -> AbstractContextManager[Callable[[Reply], None]]:
        return nullcontext(lambda _reply: None)

    def waited(self, seconds: float, why: Literal["budget", "retry"]) -> None:
        return


UNOBSERVED: Observer = _NoObserver()
