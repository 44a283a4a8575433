"""One live run per working folder: a lock that is released when its process ends.

The lock file is next to the folder, since `pipeline.drop()` deletes the folder's contents. The
holder of the lock knows that earlier runs are over, also those of a process that goes on, and that
their claims in the ledger no longer protect anything.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol, TypeVar

from filelock import FileLock, Timeout

from dlt_bunce.errors import ConfigurationError, RunInProgressError, StoreError
from dlt_bunce.logs import logger

DEFAULT_WAIT_S = 300.0
_MAX_ENDED = 50
"""Ended owners to remember: the next load of the folder ends their claims in the ledger."""
_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Owner:
    """The owner of a run: `name` is random, `ended` names those before that left claims behind.

    `is_run` is false for a process that holds no working folder.
    """

    name: str
    ended: tuple[str, ...] = ()
    is_run: bool = True


class _Closable(Protocol):
    def close(self) -> None: ...


_Kept = TypeVar("_Kept", bound=_Closable)


@dataclass
class _Held:
    lock: FileLock
    owner: Owner
    depth: int = 1
    thread: int = field(default_factory=threading.get_ident)
    process: int = field(default_factory=os.getpid)
    kept: dict[object, Any] = field(default_factory=dict)
    has_left_claims: bool = False


_held: dict[Path, _Held] = {}
_registry = threading.Lock()
# by process id, for loads without a folder lock; a forked process is another owner
_processes: dict[int, Owner] = {}


@contextlib.contextmanager
def run_lock(
    working_dir: Path,
    wait_s: Callable[[], float] = lambda: DEFAULT_WAIT_S,
    on_wait: Iterable[Callable[[str], None]] = (),
) -> Iterator[Owner]:
    """Hold the folder for the block; a thread that already holds it continues at once.

    `wait_s` is called only if another run holds the folder, and then `on_wait` with a sentence.
    Raises RunInProgressError if that run still holds it after that many seconds.
    """
    owner = acquire(working_dir, wait_s, on_wait)
    try:
        yield owner
    finally:
        release(working_dir)


def acquire(
    working_dir: Path, wait_s: Callable[[], float], on_wait: Iterable[Callable[[str], None]] = ()
) -> Owner:
    """Hold the folder as `run_lock` does, until `release` has been called as many times."""
    path = Path(working_dir).absolute()
    with _registry:
        held = _held.get(path)
        if held is not None and held.thread == threading.get_ident():
            held.depth += 1
            return held.owner
    lock = _locked(path, wait_s, on_wait)
    owner = _take_over(path)
    with _registry:
        _held[path] = _Held(lock, owner)
    return owner


def release(working_dir: Path) -> None:
    """Release the folder, once this has been called as many times as `acquire`."""
    path = Path(working_dir).absolute()
    with _registry:
        held = _held[path]
        held.depth -= 1
        if held.depth:
            return
        del _held[path]
    try:
        _close(held)
    finally:
        _write(path, held.owner, released=not held.has_left_claims)
        held.lock.release()


def kept(working_dir: Path, key: object, make: Callable[[], _Kept]) -> _Kept | None:
    """Return what this thread keeps while it holds the folder, made at first and closed at last;
    None if it does not hold the folder.
    """
    held = _held_here(working_dir)
    if held is None:
        return None
    if key not in held.kept:
        held.kept[key] = make()
    found: _Kept = held.kept[key]
    return found


def close_kept(working_dir: Path) -> None:
    """Close what this thread keeps, which may be used again."""
    if (held := _held_here(working_dir)) is not None:
        _close(held)


def leave_claims(working_dir: Path) -> None:
    """Let the next holder of the folder end this run's claims in the ledger: the store failed, so
    that the run, which is over when it releases the folder, may not have ended them itself.
    """
    if (held := _held.get(Path(working_dir).absolute())) is not None:
        held.has_left_claims = True


def _close(held: _Held) -> None:
    for kept in held.kept.values():
        # nothing is lost with a connection that is not used at the moment
        with contextlib.suppress(StoreError):
            kept.close()


def _held_here(working_dir: Path) -> _Held | None:
    held = _held.get(Path(working_dir).absolute())
    is_here = held and (held.thread, held.process) == (threading.get_ident(), os.getpid())
    return held if is_here else None


def owner_of(working_dir: Path) -> Owner:
    """Return the holder of the folder in this process, or the process itself if there is none."""
    held = _held.get(Path(working_dir).absolute())
    if held is not None:
        return held.owner
    with _registry:
        return _processes.setdefault(os.getpid(), Owner(secrets.token_hex(8), is_run=False))


def _locked(
    path: Path, wait_s: Callable[[], float], on_wait: Iterable[Callable[[str], None]]
) -> FileLock:
    path.parent.mkdir(parents=True, exist_ok=True)
    # not reentrant across instances: two threads of one process are two runs
    lock = FileLock(_beside(path, "lock"), thread_local=False, mode=0o600)
    at_most = 0.0
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            at_most = wait_s()
            sentence = f"Waiting for another run of {path.name!r} to end ({_holder(path)})."
            logger().warning("run.waiting", pipeline=path.name, at_most_s=at_most)
            for listener in on_wait:
                listener(sentence)
            lock.acquire(timeout=at_most)
    except Timeout:
        raise RunInProgressError(
            f"Another run of {path.name!r} is in progress ({_holder(path)}). Waited "
            f"{at_most:g} s; nothing was read or sent.",
            remedy="Stop it, or run again after it ends. To wait longer, set wait_for_run (in "
            "seconds) under [destination.bunce].",
        ) from None
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno in _NOT_WRITABLE:
            raise ConfigurationError(
                f"The folder {str(path.parent)!r}, or a file in it, is not writable for this user: "
                f"{error.strerror}.",
                remedy="Run as the user whose runs use that folder, or set pipelines_dir or "
                "DLT_DATA_DIR to one that is writable.",
            ) from None
        raise ConfigurationError(
            f"The folder {str(path.parent)!r} cannot be locked: {type(error).__name__}.",
            remedy="Set pipelines_dir to a folder on a file system that supports file locks.",
        ) from None
    return lock


def _take_over(path: Path) -> Owner:
    """Find out who held the folder and left claims behind, and record the new owner."""
    record = _beside(path, "run")
    before = _read(record)
    ended: list[str] = []
    if before and before["identity"] == _identity(record):
        gone = [] if before["released"] else [before["owner"]]
        ended = [*before["ended"], *gone][-_MAX_ENDED:]
    owner = Owner(secrets.token_hex(8), tuple(ended))
    _write(path, owner, released=False)
    return owner


def _write(path: Path, owner: Owner, *, released: bool) -> None:
    record = _beside(path, "run")
    # in place: the inode distinguishes the original from a copy of the folder
    with os.fdopen(os.open(record, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        content = {
            "owner": owner.name,
            "ended": owner.ended,
            "released": released,
            "pid": os.getpid(),
            "host": platform.node(),
            "since": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "identity": _identity(record),
        }
        file.truncate()
        json.dump(content, file)


def _holder(path: Path) -> str:
    record = _read(_beside(path, "run"))
    if not record:
        return "a process that just started"
    return f"process {record['pid']} on {record['host']} since {record['since']}"


def _read(record: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(record.read_text())
    except (FileNotFoundError, ValueError):
        return {}  # missing, or cut off by a kill: no owner is known to be gone
    return found


def _identity(record: Path) -> list[object]:
    """Identify the file and the running system: locks mean nothing across two of either."""
    boot = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else platform.node()
    status = record.stat()
    return [boot, status.st_dev, status.st_ino]


def _beside(path: Path, kind: str) -> Path:
    return path.with_name(f".{path.name}.{kind}")
