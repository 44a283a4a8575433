"""The load file of a job and who loads it: claims, dead letters, and counts refer to it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field


@dataclass(frozen=True)
class LoadFile:
    """A load file of one run, and the account it is loaded into."""

    account: str
    run_id: str
    pipeline_name: str
    table_name: str
    job_id: str
    disposition: str
    letter_rows: str = "full"
    number: int = 0
    """The run's place in the order of runs, as assigned by `runs.begin`."""
    is_replay: bool = False
    """Whether its rows are dead letters: one that stays bad counts as seen again."""
    source: str | None = None
    """What is loaded, as people call it: the name of a file, folder, or table."""
    source_key: str | None = None
    """What identifies a command's source in later runs, whatever the names of its pipelines."""
    owner: str = field(default_factory=lambda: secrets.token_hex(8))
    """Who loads it (random): two folders may contain the same file, and both may be loaded."""

    @property
    def name(self) -> str:
        """The file's name across retries and processes: dlt keeps both parts."""
        return f"{self.run_id}.{self.job_id}"

    @property
    def origin(self) -> str | None:
        """Where its rows come from, unless they know a file; a replay's rows know."""
        return None if self.is_replay else self.source or self.table_name

    @property
    def claim_prefix(self) -> str:
        """The prefix of this owner's claims on the file."""
        return f"{self.name}.{self.owner}"

    def batch_id(self, chunk: int) -> str:
        """Return the id of a chunk of the file, as stored in a dead letter."""
        return f"{self.name}.{chunk}"

    def claim_id(self, chunk: int) -> str:
        """Return the id of this owner's claim on the rows of a chunk."""
        return f"{self.claim_prefix}.{chunk}"
