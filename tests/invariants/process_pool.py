"""A program that forks loads, so that each is a process of its own without starting Python anew.

It reads one job a line, as JSON, from stdin, and answers with a line: the exit code of the load,
or minus the number of the signal that ended it.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import signal
import sys
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

Pass = Callable[[str], None]


def main() -> None:
    """Answer jobs until stdin ends."""
    for name in ("adbc_driver_postgresql.dbapi", "dlt_bunce.cli", "dlt_bunce.sources"):
        importlib.import_module(name)
    for line in sys.stdin:
        job_ = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            _child(job_, writing)
        os.close(writing)
        if job_.get("kill_after") is not None:
            _kill_later(child, job_["kill_after"])
        with os.fdopen(reading) as modules:
            imported = modules.read().split()
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
        # what one load has imported, the next finds imported when it is forked
        for name in imported:
            importlib.import_module(name)
        gc.freeze()


def _kill_later(child: int, seconds: float) -> None:
    def kill() -> None:
        time.sleep(seconds)
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            return

    threading.Thread(target=kill, daemon=True).start()


def _child(job: dict[str, Any], modules: int) -> None:
    code, before = 1, set(sys.modules)
    try:
        os.chdir(job["folder"])
        os.environ.update(job["environment"])
        log = Path("load.log").open("a")  # noqa: SIM115, it lives as long as the process
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        warnings.simplefilter("error")
        # dlt's own logger calls the old name of a method
        warnings.filterwarnings("ignore", "The 'warn' method", DeprecationWarning)
        if job.get("largest_file"):
            # the disk is full, as far as larger files go
            resource.setrlimit(resource.RLIMIT_FSIZE, (job["largest_file"],) * 2)
        if job.get("as_nobody") and os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        if job.get("impatient"):
            # look-ups of this emulator do not lag
            jobs = importlib.import_module("dlt_bunce.destination.jobs")
            jobs.Settings = partial(jobs.Settings, patience_s=(0.0,) * 5)  # type: ignore[attr-defined]
        passed = _boundaries(job.get("kill_at"))
        _load(job)
        Path("passed.json").write_text(json.dumps(passed))
        with os.fdopen(modules, "w") as told:
            told.write("\n".join(sys.modules.keys() - before))
        code = 0
    except BaseException:  # noqa: BLE001, a process of its own ends here, whatever it was
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _load(job: dict[str, Any]) -> None:
    import dlt

    from dlt_bunce import bunce, bunce_adapter, flush_and_run
    from dlt_bunce.sources import from_parquet

    pipeline = dlt.pipeline(job["pipeline"], pipelines_dir="pipelines", destination=bunce())
    customers = bunce_adapter(from_parquet(job["source"]), version="updated_at")
    summary = flush_and_run(pipeline, customers, write_disposition=job["disposition"])
    summary.raise_if_unbalanced()
    Path("summary.json").write_text(json.dumps(summary.as_dict()))


def _boundaries(kill_at: list[Any] | None) -> Counter[str]:
    """Counts how often each boundary is passed; the process ends at `kill_at` (name, number)."""
    import dlt
    import requests

    from dlt_bunce.destination.client import BunceClient
    from dlt_bunce.store.database import Database

    passed: Counter[str] = Counter()
    lock = threading.Lock()

    def at(name: str) -> None:
        with lock:
            passed[name] += 1
            if kill_at == [name, passed[name]]:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(owner: type, method: str, name: Callable[[tuple[Any, ...]], str | None]) -> None:
        original = getattr(owner, method)

        def wrapped(self: Any, *args: Any, **options: Any) -> Any:
            what = name(args)
            if what is None:
                return original(self, *args, **options)
            at(f"before {what}")
            result = original(self, *args, **options)
            at(f"after {what}")
            return result

        setattr(owner, method, wrapped)

    around(Database, "execute", lambda args: "commit" if args[0] == "COMMIT" else None)
    around(requests.Session, "request", lambda _: "request")
    for step in ("extract", "normalize", "load"):
        around(dlt.Pipeline, step, lambda _, step=step: step)  # type: ignore[misc]
    around(BunceClient, "complete_load", lambda _: "completion")
    return passed


if __name__ == "__main__":
    main()
