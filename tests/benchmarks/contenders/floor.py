"""The least that anybody can do: bodies that are ready, a line each, posted from eight threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import requests
from requests.adapters import HTTPAdapter
from tests.benchmarks.contenders import Task

THREADS = 8


def feed(task: Task) -> None:
    """Posts every line of the file."""
    http = requests.Session()
    http.headers.update(task.headers)
    http.trust_env = False
    http.mount("http://", HTTPAdapter(pool_maxsize=THREADS))

    def post(body: bytes) -> None:
        http.post(f"{task.base_url}/customers/bulk", data=body).raise_for_status()

    with task.file.open("rb") as lines, ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(post, lines):
            pass


if __name__ == "__main__":
    feed(Task.from_arguments())
