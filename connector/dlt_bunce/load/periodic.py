"""Something that is done again and again beside the work of a block."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def periodic(every_s: float, do: Callable[[], None], *, name: str) -> Iterator[None]:
    """Call `do` each `every_s` seconds from a thread of its own while the block lasts; the block
    ends once a call that has begun is over.
    """
    done = threading.Event()

    def run() -> None:
        while not done.wait(every_s):
            do()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
