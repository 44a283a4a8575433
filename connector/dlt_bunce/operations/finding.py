"""What a check of `doctor` has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    name: str
    state: State
    detail: str
    remedy: str | None = None
