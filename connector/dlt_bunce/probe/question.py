"""A question of a probe: its answers, and what each means for loads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

UNKNOWN = "unknown"
"""The answer where nothing that came back decides."""
ASKS_ITSELF = "none: a load reads either"


@dataclass(frozen=True)
class Question:
    """What is asked; `meanings` has what each answer means for loads, and `otherwise` that of
    answers that are figures.
    """

    name: str
    title: str
    meanings: Mapping[str, str]
    otherwise: str = ""

    def meaning(self, answer: str) -> str:
        """Return what an answer means for loads. Raises KeyError for one that cannot be given."""
        if answer == UNKNOWN:
            return "loads find out by themselves"
        if self.otherwise and answer not in self.meanings:
            return self.otherwise
        return self.meanings[answer]
