"""Why values are rejected, as far as their shape tells, and what to do about each reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Generic, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.mapping.mapping import FieldMapping
from dlt_bunce.records.mapping.schema import FULL_NAME, NAMES
from dlt_bunce.records.mapping.source_columns import belonging, values_of
from dlt_bunce.records.row_origin import origin_of, origins, told
from dlt_bunce.records.text.spreadsheet_traces import PLACEHOLDERS
from dlt_bunce.records.text.text import as_json, shapes
from dlt_bunce.reject_codes import REJECT_CODES

_Key = TypeVar("_Key")
EXAMPLES = 3
_MAX_SHAPES = 1_000
_LONGEST = 40
_OTHER = "other"
NO_COUNTRY = "no country code"


@dataclass(frozen=True)
class Cause:
    """A reason why a code rejects values: `pattern` is searched in a value that has it."""

    name: str
    pattern: re.Pattern[str]
    remedy: str


def _cause(name: str, pattern: str, remedy: str) -> Cause:
    return Cause(name, re.compile(pattern), remedy)


_ROUNDED = r"^\s*'?\+?[0-9]+([.,][0-9]+)?[eE]\+?[0-9]+\s*$"
_LOST = (
    "the spreadsheet replaced digits, which the file no longer has: export it again and do not "
    "open it in a spreadsheet, or format the column as text first"
)
_WORDS = "|".join(map(re.escape, PLACEHOLDERS))
_PLACEHOLDER = _cause("a word for nothing", rf"^\s*(?:{_WORDS})\s*$", "")
CAUSES: Mapping[str, Sequence[Cause]] = MappingProxyType(
    {
        "invalid_phone_no": (
            _cause("rounded by a spreadsheet", _ROUNDED, _LOST),
            _cause("an address, not a number", r"@", "map another column: --map phone_no=COLUMN"),
            _cause(
                "text, not a number",
                r"^[^0-9]*$|[^\W\d_]{3,}.*[^\W\d_]{3,}",
                "correct the cells, or map another column: --map phone_no=COLUMN",
            ),
            _cause(
                "an extension or other text after the number",
                r"(?i)[0-9].*(?:x|ext|#|;|[^\W\d_]).*$",
                "leave it out at the source, or set trim_phones = true",
            ),
            _cause(
                "fewer than 7 digits",
                r"^(?:[^0-9]*[0-9]){1,6}[^0-9]*$",
                "complete the number, or map another column: --map phone_no=COLUMN",
            ),
            _cause("more than 15 digits", r"(?:[0-9][^0-9]*){16,}", "keep one number in each cell"),
            _cause(
                NO_COUNTRY,
                r"^\s*[^+\s]",
                "if all are of one country, name it: --default-region NG, or default_region in the "
                "configuration; else write them with + and the country code",
            ),
            _cause(
                "not a number of its country",
                r"^\s*\+",
                "correct it: the country code is wrong, or digits are missing or too many",
            ),
        ),
        "invalid_email": (
            _cause("several addresses", r"@.*[,;\s|/]+.*@", "keep one address in each cell"),
            _cause(
                "no @",
                r"^[^@]*$",
                "correct the cells, or map another column: --map email=COLUMN",
            ),
            _cause("a domain without an ending", r"@[^.]*$", "complete the domain, as in .com"),
            _cause("blanks within", r"\S\s+\S", "remove the blanks"),
            _cause("more than one @", r"@.*@", "correct the address"),
        ),
        "invalid_customer_id": (
            _cause(
                "rounded as a floating-point number",
                r"^\s*-?(?:[0-9](?:\.[0-9]+)?e\+?[0-9]{2,}|[0-9]{16,}\.0|inf|Infinity)\s*$",
                "a program read the ids as floating-point numbers, which lose digits: read them as "
                "text, or as whole numbers",
            ),
            _cause("rounded by a spreadsheet", _ROUNDED, _LOST),
            _cause(
                "an error of a spreadsheet", r"^\s*#", "correct the formula and export it again"
            ),
        ),
    }
)


@dataclass(frozen=True)
class Rejects:
    """Rows with one code and cause; `examples` has a value for each of the commonest shapes, and
    `first` tells the file and line of the first of them.
    """

    code: str
    cause: str
    rows: int
    remedy: str
    examples: Mapping[str, str] = field(default_factory=dict)
    first: str | None = None


class ShapeCounts(Generic[_Key]):
    """Counts values by key, with an example for each of the commonest shapes."""

    def __init__(self) -> None:
        self.counts: Counter[_Key] = Counter()
        self._shapes: dict[_Key, Counter[str]] = {}
        self._values: dict[_Key, dict[str, str]] = {}

    def add(self, texts: pa.Array, key_of: Callable[[str | None], _Key]) -> None:
        """Count texts, each under the key that it has."""
        counts = pc.value_counts(texts)
        values = counts.field("values")
        short = pc.utf8_slice_codeunits(values, 0, _LONGEST)
        for text, example, shape, count in zip(
            values.to_pylist(),
            short.to_pylist(),
            shapes(short).to_pylist(),
            counts.field("counts").to_pylist(),
            strict=True,
        ):
            self._count(key_of(text), example, shape, count)

    def examples(self, key: _Key) -> dict[str, str]:
        """Return a value for each of the commonest shapes under a key."""
        seen = self._shapes.get(key, Counter())
        return {shape: self._values[key][shape] for shape, _ in seen.most_common(EXAMPLES)}

    def _count(self, key: _Key, example: str | None, shape: str | None, count: int) -> None:
        self.counts[key] += count
        seen = self._shapes.setdefault(key, Counter())
        values = self._values.setdefault(key, {})
        if example is None or shape is None:
            return
        if shape in seen or len(seen) < _MAX_SHAPES:
            seen[shape] += count
            values.setdefault(shape, example)


class RejectCounts:
    """Counts what is rejected, by code and cause, with a few examples."""

    def __init__(self) -> None:
        self._found = ShapeCounts[tuple[str, str]]()
        self._remedies: dict[tuple[str, str], str] = {}
        self._firsts: dict[tuple[str, str], str | None] = {}

    def add(self, rejected: pa.Table, table: pa.Table, mapping: FieldMapping) -> None:
        """Count the rejected rows (REJECTED_SCHEMA) of a table."""
        for code in pc.unique(rejected.column("code")).to_pylist():
            rows = rejected.filter(pc.equal(rejected.column("code"), code)).column("row")

            found = table.take(rows)
            texts = _texts(found, mapping, code)

            def key_of(
                text: str | None, code: str = code, found: pa.Table = found, texts: pa.Array = texts
            ) -> tuple[str, str]:
                cause, remedy = cause_of(code, text, mapping)
                self._remedies[code, cause] = remedy
                if (code, cause) not in self._firsts:
                    self._firsts[code, cause] = _place(found, texts, text)
                return code, cause

            self._found.add(texts, key_of)

    def found(self) -> list[Rejects]:
        """Return what was counted, the commonest first."""
        found = self._found
        return [
            Rejects(*key, rows, self._remedies[key], found.examples(key), self._firsts[key])
            for key, rows in found.counts.most_common()
        ]


def _place(rows: pa.Table, texts: pa.Array, text: str | None) -> str | None:
    """Return where the first of the rows with a text came from."""
    is_it = pc.is_null(texts) if text is None else pc.equal(texts, text)
    number = pc.index(is_it, value=True).as_py()
    return told(*origin_of(origins(rows.slice(number, 1)).to_pylist()[0]))


def cause_of(code: str, text: str | None, mapping: FieldMapping) -> tuple[str, str]:
    """Return the cause for which a value is rejected, and the remedy."""
    known = REJECT_CODES[code]
    if code.startswith("missing_"):
        return _missing(known.field or "", text, mapping)
    for cause in CAUSES.get(code, ()):
        if text is not None and cause.pattern.search(text):
            return cause.name, cause.remedy
    return _OTHER, known.remedy


def _missing(name: str, text: str | None, mapping: FieldMapping) -> tuple[str, str]:
    remedy = REJECT_CODES[f"missing_{name}"].remedy
    if name != "customer_id":
        value = "-" if name in NAMES else "VALUE"
        remedy = (
            f"fill it in at the source, add a column to use instead: --map {name}=COLUMN, or give "
            f"all of them the same value: --default {name}={value}"
        )
    if text is None or not text.strip():
        return "blank", remedy
    if _PLACEHOLDER.pattern.search(text):
        return _PLACEHOLDER.name, remedy
    if name in NAMES and FULL_NAME in mapping.columns:
        return "a full name of one word", f"give all of them the same value: --default {name}=-"
    return _OTHER, remedy


def _texts(rows: pa.Table, mapping: FieldMapping, code: str) -> pa.Array:
    """Return the values of the field at fault as text, null where it is blank."""
    name = REJECT_CODES[code].field or ""
    columns = mapping.columns_of(name)
    if name in NAMES:
        columns += mapping.columns_of(FULL_NAME)
    arrays = [values_of(rows, c) for c in columns if belonging(rows.column_names, [c])]
    if not arrays:
        return pa.nulls(rows.num_rows, pa.string())
    texts = [_as_text(array) for array in arrays]
    # a word for nothing is shown only where no column has anything else
    words = [pc.match_substring_regex(text, rf"^\s*(?:{_WORDS})\s*$") for text in texts]
    filled = [pc.if_else(word, None, text) for text, word in zip(texts, words, strict=True)]
    return pc.coalesce(*filled, *texts)


def _as_text(array: pa.Array) -> pa.Array:
    """Return values as text; blank text is null, so that another column may stand in."""
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        return as_json(array)
    text = array.cast(pa.string())
    return pc.if_else(pc.equal(pc.utf8_trim_whitespace(text), ""), None, text)
