"""Which file is being loaded, and by whom: what claims, letters, and counts refer to."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field


@dataclass(frozen=True)
class LoadFile:
    """Which file of which run is being loaded, and for whom."""

    account: str
    run_id: str
    pipeline_name: str
    table_name: str
    job_id: str
    disposition: str
    letter_rows: str = "full"
    number: int = 0
    """The run's place in the order of runs, as `runs.begin` has counted it."""
    owner: str = field(default_factory=lambda: secrets.token_hex(8))
    """Who loads it, random: the same file may lie in two folders, and be loaded from both."""

    @property
    def name(self) -> str:
        """Identifies the file across tries and processes: dlt keeps both parts."""
        return f"{self.run_id}.{self.job_id}"

    @property
    def claim_prefix(self) -> str:
        """Identifies what this owner claims of the file."""
        return f"{self.name}.{self.owner}"

    def batch_id(self, chunk: int) -> str:
        """Identifies one chunk of the file: what a dead letter refers to."""
        return f"{self.name}.{chunk}"

    def claim_id(self, chunk: int) -> str:
        """Identifies this owner's claim of the rows of a chunk."""
        return f"{self.claim_prefix}.{chunk}"
