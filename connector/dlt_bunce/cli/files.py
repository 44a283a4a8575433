"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from dlt_bunce.errors import UsageError


@contextlib.contextmanager
def replaced(file: Path, *, overwrite: bool, private: bool) -> Iterator[Path]:
    """Yield a new file next to `file` that replaces it if the block succeeds.

    With `private`, only the owner may read it. Raises UsageError for a file that exists unless
    `overwrite` is set, and for one that cannot be written.
    """
    if file.exists() and not overwrite:
        raise UsageError(f"{file} already exists.", remedy="Use another name, or pass --overwrite.")
    part = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600 if private else 0o666))
        yield part
        part.replace(file)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}.") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
