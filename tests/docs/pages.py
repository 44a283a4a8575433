"""A page of the documents, as somebody would follow it: block by block, in one shell."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import Self

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
BIN = Path(sys.executable).parent

_BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
# a block that begins with a comment of this kind is the content of a file
_FILE = re.compile(r"# ([\w./-]+\.(?:csv|env|py|sql|toml)|crontab)\n")
EMULATOR = "dlt-bunce emulator\n"
_ADDRESS = "127.0.0.1:8765"

# what differs from one run to the next
_VOLATILE = {
    r"\b1[78]\d{8}\.\d+(\.[0-9a-f]{10})?": "LOAD-ID",
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d+(?:\+00:00|Z)?": "TIME",
    r"\d{4}-\d\d-\d\d \d\d:\d\d": "TIME",
    r"127\.0\.0\.1:\d+": "ADDRESS",
    r"(seconds\W+)[\d.]+": r"\1N",
    r"(email_digest\W+)[0-9a-f]{32}": r"\1DIGEST",  # keyed by the store
    r"\b[\d.]+ ms\b": "N ms",
    r"\b\d+\.\d\d s\b": "N s",
    r"\bbunce_load_[0-9a-f]{10}(_[0-9a-f]{6})?\b": "PIPELINE",
    r"[─━]+": "─",  # columns are as wide as what is in them
    r" +": " ",
}


@dataclass(frozen=True)
class Block:
    """A fenced block; `output` is what the page shows below a block of bash, at `span`."""

    language: str
    text: str
    output: str | None = None
    span: tuple[int, int] = (0, 0)

    @property
    def file(self) -> str | None:
        """The file that the block is the content of."""
        named = _FILE.match(self.text)
        return named[1] if named else None


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page, each of bash with the block of text that follows at once."""
    text = page.read_text("utf-8")
    found = list(_BLOCK.finditer(text))
    for block, after in itertools.zip_longest(found, found[1:]):
        language, content = block[2], textwrap.dedent(block[3])
        if (
            after is not None
            and (language, after[2]) == ("bash", "text")
            and not text[block.end() : after.start()].strip()
        ):
            yield Block(language, content, textwrap.dedent(after[3]), after.span(3))
        else:
            yield Block(language, content)


def recorded(page: Path, seen: Sequence[tuple[Block, str]]) -> str:
    """The page with what was seen in the place of what it shows."""
    text = page.read_text("utf-8")
    for block, shown in reversed(seen):
        if block.output is not None:
            start, end = block.span
            indent = text[end : text.index("`", end)]
            lines = [line.rstrip() for line in shown.strip("\n").splitlines()]
            text = text[:start] + textwrap.indent("\n".join(lines) + "\n", indent) + text[end:]
    return text


def settled(text: str) -> str:
    """Output without what differs from one run to the next."""
    for pattern, replacement in _VOLATILE.items():
        text = re.sub(pattern, replacement, text)
    return "\n".join(line.strip() for line in text.strip().splitlines())


class Reader:
    """Somebody who follows pages: one shell, one folder, and at need a second terminal."""

    def __init__(self, folder: Path, environment: Mapping[str, str], program: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".venv").symlink_to(BIN.parent)
        self.folder = folder
        self._environment = {
            **os.environ,
            "HOME": str(folder.parent),
            "TMPDIR": str(folder.parent),
            "PATH": f"{program.parent}:{BIN}:{os.environ['PATH']}",
            "PYTHONWARNINGS": "default",
            "COLUMNS": "80",
            **environment,
        }
        self._address = _ADDRESS
        self._emulator: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-eu"],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._shell.communicate("exit 0\n")
        if self._emulator is not None:
            self._emulator.send_signal(signal.SIGINT)
            self._emulator.communicate()

    def follow(self, page: Path, leave_out: Mapping[str, str]) -> list[tuple[Block, str]]:
        """Does what a page says; returns what ran, with what it has printed.

        `leave_out` are blocks that cannot run here.
        """
        return [
            (block, self._do(block).replace(self._address, _ADDRESS))
            for block in blocks(page)
            if block.text not in leave_out
        ]

    def _do(self, block: Block) -> str:
        text = block.text.replace(_ADDRESS, self._address)
        if block.text == EMULATOR:
            return self._start_emulator()
        if block.file is not None:
            (self.folder / block.file).write_text(text, "utf-8")
        elif block.language == "bash":
            return self.type(text)
        elif block.language == "python":
            return self.type(f"python - <<'END'\n{text}END\n")
        return ""

    def type(self, text: str) -> str:
        """Gives lines to the shell; what they print, errors included."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        typed = self.folder.parent / "typed"
        typed.write_text(text, "utf-8")
        self._shell.stdin.write(f". {typed} < /dev/null\nprintf '\\0'\n")
        self._shell.stdin.flush()
        shown = ""
        while not shown.endswith("\0"):
            more = self._shell.stdout.read(1)
            assert more, f"{text}\nfailed:\n{shown}"
            shown += more
        return shown.removesuffix("\0")

    def _start_emulator(self) -> str:
        words = [*EMULATOR.split(), "--port", "0"]
        self._emulator = subprocess.Popen(
            [BIN / words[0], *words[1:]],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._emulator.stdout is not None
        shown = "".join(self._emulator.stdout.readline() for _ in range(3))
        found = re.search(r"127\.0\.0\.1:\d+", shown)
        assert found, shown
        self._address = found[0]
        return shown
