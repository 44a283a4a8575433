"""Text files of any encoding, as a stream of UTF-8."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable
from typing import IO, Any

from dlt_bunce.errors import SourceError

_MARKS = 0xFDD0
"""First of the code points that Unicode reserves for use within a program: two stand for a byte
that is not text, each for half of it.
"""
_MARKED = re.compile("([\ufdd0-\ufddf])([\ufdd0-\ufddf])")
MARK_PATTERN = "[\ufdd0-\ufddf]"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FOREIGN_LINE = re.compile(rb"[^\n]*[\x80-\xff][^\n]*")
_ENOUGH = 3
"""With so many lines that are not UTF-8, and none that is beyond ASCII, another encoding is
likely; with fewer, damaged lines are.
"""
_WINDOWS = "cp1252"
# in a name of a Western language that is read as Windows-1252 but was not written so: signs after a
# letter, capitals after small letters, or long runs of accented letters
_IMPLAUSIBLE = re.compile(
    "[^\\W\\d_][\u201a\u201e\u2020\u2021\u02c6\u2030\u2039\u203a\xa2-\xa9\xac\xaf\xb1-\xb3\xb5\xb6\xb8\xb9\xbc-\xbe\xd7\xf7\ufffd]"
    "|[a-zà-öø-ÿ][À-ÖØ-ÞŠŽŒŸ]|[À-ÖØ-öø-ÿŠšŽžŒœŸ]{4}"
)


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    halves = (half for byte in error.object[error.start : error.end] for half in divmod(byte, 16))
    return "".join(chr(_MARKS + half) for half in halves), error.end


codecs.register_error("dlt_bunce.mark", _mark)


def unmarked_bytes(text: str) -> str:
    r"""Return the text with the bytes that are not text as \xe9."""
    return _MARKED.sub(lambda pair: f"\\x{ord(pair[1]) - _MARKS:x}{ord(pair[2]) - _MARKS:x}", text)


def checked(encoding: str | None) -> str | None:
    """Return the encoding by Python's name, which skips a byte order mark. Raises SourceError."""
    if encoding is None:
        return None
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)
    except LookupError:
        raise SourceError(
            f"{encoding!r} is not a text encoding.",
            remedy="Examples are utf-8, utf-16, cp1252, latin-1, cp1250, mac_roman, and shift_jis.",
        ) from None
    return "utf-8-sig" if name == "utf-8" else name


class Utf8(io.RawIOBase):
    """A file's text as UTF-8; without a given encoding, it is detected.

    A byte order mark tells the encoding. Without one, text is UTF-8 unless several lines are not
    and none with a letter beyond ASCII is: then it is Windows-1252 (which contains Latin-1), of
    which `note` is told. Bytes that are not text become marks (MARK_PATTERN), and `marked` is true
    from then on. Raises SourceError for text in an encoding that cannot be told.
    """

    def __init__(
        self, file: IO[bytes], name: str, encoding: str | None, note: Callable[[str], None]
    ) -> None:
        self._file, self._name, self._note = file, name, note
        self._foreign_lines, self._enough = 0, _ENOUGH
        self.marked = False
        self._given = checked(encoding)
        self._decoder: codecs.IncrementalDecoder | None = None
        self._decided = self._given is not None
        self._is_utf8 = not self._decided
        self._started = False
        self._rest = b""

    def readable(self) -> bool:
        """Return true: it is a stream to read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, as its wrappers do."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int = -1) -> bytes:
        """Return about `size` bytes, fewer only at the end."""
        parts, length = [self._rest], len(self._rest)
        self._rest = b""
        while size < 0 or length < size:
            data = self._file.read(1_048_576 if size < 0 else max(size - length, 65_536))
            text = self._utf8(data)
            parts.append(text)
            length += len(text)
            if not data:
                break
        whole = b"".join(parts)
        if size >= 0:
            whole, self._rest = whole[:size], whole[size:]
        return whole

    def _utf8(self, data: bytes) -> bytes:
        if not self._started:
            self._start(data)
        if self._is_utf8 and self._decoder is None and data.isascii():
            return data
        if not self._decided:
            before = self._decoder
            self._decide(data)
            if before is not None and self._decoder is None:
                data = before.getstate()[0] + data  # bytes at the end of the last block
        if self._decoder is None:
            encoding = self._given or "utf-8"
            self._decoder = codecs.getincrementaldecoder(encoding)("dlt_bunce.mark")
        text = self._decoder.decode(data, final=not data)
        self.marked = self.marked or re.search(MARK_PATTERN, text) is not None
        return text.encode()

    def _start(self, data: bytes) -> None:
        self._started = True
        if self._given is not None:
            return
        header = data.split(b"\n", 1)[0]
        if not header.isascii():
            self._enough = 1  # the header cannot become a dead letter
        for bom, encoding in _BOMS:
            if data.startswith(bom):
                self._use(encoding)
                return
        if b"\0" in header:
            raise SourceError(
                f"{self._name} is not UTF-8 text.",
                remedy="If it is UTF-16, as Windows programs write it, pass --encoding utf-16-le.",
            )

    def _use(self, encoding: str) -> None:
        self._given, self._decided, self._is_utf8, self._decoder = encoding, True, False, None

    def _decide(self, data: bytes) -> None:
        """Decide by the first lines beyond ASCII, unless they are few and not UTF-8."""
        # the last line may be cut
        whole = data[: data.rfind(b"\n") + 1] or data
        lines = _FOREIGN_LINE.findall(whole)
        if any(map(_is_utf8, lines)):
            self._decided = True
            return
        self._foreign_lines += len(lines)
        if self._foreign_lines < min(self._enough, max(1, whole.count(b"\n") / 10)):
            return
        texts = [line.decode(_WINDOWS, "replace") for line in lines]
        if sum(map(bool, map(_IMPLAUSIBLE.search, texts))) > len(texts) / 20:
            raise SourceError(
                f"{self._name} is not UTF-8, and its encoding cannot be told.",
                remedy="Pass it, such as --encoding cp1250 (Central Europe), cp1251 (Cyrillic), "
                "cp1252 (Western Europe), mac_roman, or shift_jis; or save the file as UTF-8.",
            )
        self._use(_WINDOWS)
        self._note(
            f"{self._name} is not UTF-8 and is read as Windows-1252. If names look wrong, pass its "
            "encoding, such as --encoding cp1250 (Central Europe)."
        )


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
