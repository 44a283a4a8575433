"""Opening of files: decompressed, and with every failure told by the file's name."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any

import pyarrow as pa

from dlt_bunce.errors import BunceError, SourceError
from dlt_bunce.sources.formats import NAMES, Kind, kind_of, refuse_other

_TELLING = (pa.ArrowException, EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
"""Errors whose words describe a file's structure, never its values."""
_EXTRAS = {"deltalake": "delta", "fastavro": "avro", "openpyxl": "excel", "pyiceberg": "iceberg"}
_TABLES = frozenset({"delta", "iceberg"})
_REMOTE = frozenset({"aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google"})


@contextmanager
def opened(file: Any, kind: Kind) -> Iterator[IO[bytes]]:
    """Open a file of a listing, decompressed; raise SourceError for whatever cannot be read.

    Decompression goes by the first bytes. A ZIP archive must contain a single file of the format.
    """
    name = str(file["relative_path"])
    with named_errors(name, kind), ExitStack() as stack:
        raw = stack.enter_context(file.open(compression="disable"))
        content = stack.enter_context(_decompressed(raw, name, kind))
        if content is raw:
            refuse_other(raw, name, kind)
        yield content


@contextmanager
def named_errors(name: str, kind: Kind) -> Iterator[None]:
    """Raise what goes wrong while reading a file as SourceError with its name."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise _not_installed(name, kind, str(error.name).partition(".")[0]) from None
    except (BunceError, MemoryError):
        raise
    except FileNotFoundError:
        raise SourceError(
            f"{name} was deleted or moved after its location was listed.",
            remedy="Put it back, or load again without it.",
        ) from None
    except Exception as error:  # readers raise errors of any kind for damaged files
        if _is_remote(error):
            raise
        raise _unreadable(name, kind, error) from None


def _not_installed(name: str, kind: Kind, module: str) -> Exception:
    if module not in _EXTRAS:
        return ModuleNotFoundError(f"No module named {module!r}", name=module)
    deleted = "; its Parquet files also contain rows that were deleted" if kind in _TABLES else ""
    return SourceError(
        f"{name} is {NAMES[kind]}{deleted}.",
        remedy=f"To read it, run pip install 'dlt-bunce[{_EXTRAS[module]}]'.",
    )


def _is_remote(error: Exception) -> bool:
    """Return whether a file could not be reached, rather than understood."""
    reached = not isinstance(error, OSError) or error.errno is None
    return not reached or type(error).__module__.partition(".")[0] in _REMOTE


def _unreadable(name: str, kind: Kind, error: Exception) -> SourceError:
    reason = type(error).__name__
    if isinstance(error, _TELLING) and str(error):
        reason = str(error).splitlines()[0].rstrip(".")[:200]
    return SourceError(
        f"{name} cannot be read as {NAMES[kind]}: {reason}.",
        remedy="The file is damaged, incomplete, or not what its name says: write or download it "
        "again.",
    )


def _decompressed(raw: IO[bytes], name: str, kind: Kind) -> Any:
    head = raw.read(6)
    raw.seek(0)
    if kind == "parquet":
        return _as_it_is(raw)
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=raw)
    if head.startswith(b"BZh"):
        return bz2.BZ2File(raw)
    if head.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile(raw)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd")
    if head.startswith(b"PK\x03\x04") and kind != "excel":
        return _only_member(raw, name, kind)
    return _as_it_is(raw)


@contextmanager
def _as_it_is(raw: IO[bytes]) -> Iterator[IO[bytes]]:
    yield raw


@contextmanager
def _only_member(raw: IO[bytes], name: str, kind: Kind) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(raw) as archive:
        names = archive.namelist()
        if "xl/workbook.xml" in names:
            raise SourceError(
                f"{name} is an Excel workbook, not {NAMES[kind]}.",
                remedy="Rename it to end in .xlsx.",
            )
        found = [member for member in names if _is_data(member)]
        if len(found) != 1 or kind_of(found[0]) != kind:
            raise SourceError(
                f"{name} must contain a single {NAMES[kind]} file, but it contains {len(found)} "
                "files.",
                remedy="Unpack it, and load the files.",
            )
        if archive.getinfo(found[0]).flag_bits & 1:
            raise SourceError(f"{name} is protected by a password.", remedy="Unpack it first.")
        with archive.open(found[0]) as member:
            yield member


def _is_data(member: str) -> bool:
    parts = member.split("/")
    return bool(parts[-1]) and not any(part.startswith((".", "_")) for part in parts)
