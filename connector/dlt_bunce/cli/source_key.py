"""What tells that two loads of a command read the same source, on whichever day."""

from __future__ import annotations

import re
from hashlib import blake2b
from pathlib import Path

_NUMBERS = re.compile(r"\d+(?:[-_.:tT ]?\d+)*")
_DATES = re.compile(r"\d{4,}(?:[-_.]?\d{2})*|(?<![^/])\d+(?![^/])")
"""Dates in folders, also one folder a part (2026/11/03); a number in another name is no date."""
_NAMED_DAYS = re.compile(
    r"(?<![a-z])(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?|jan(?:uary)?"
    r"|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)(?![a-z])",
    re.IGNORECASE,
)
_FILES = ("s3://", "gs://", "gcs://", "az://", "abfss://", "file://")


def source_key(source: str, *parts: str | None) -> str:
    """Return a digest of a source, and of what chooses rows of it, such as a table or a query.

    It is the same for files and queries that differ in numbers and dates alone, and says nothing of
    columns: today's file is compared with yesterday's.
    """
    is_database = "://" in source and not source.startswith(_FILES)
    if source.startswith("env:") or (is_database and ":///" not in source):
        place = source
    elif is_database:  # in a file, whose path may begin at the current folder
        place = f"{Path.cwd()} {source}"
    else:
        place = _undated(source if "://" in source else str(Path(source).absolute()))
    chosen = [_NUMBERS.sub("#", part or "") for part in parts]
    return blake2b("\x1f".join([place, *chosen]).encode(), digest_size=8).hexdigest()


def _undated(path: str) -> str:
    folder, slash, name = path.rstrip("/").rpartition("/")
    return _DATES.sub("#", folder) + slash + _NUMBERS.sub("#", _NAMED_DAYS.sub("#", name))
