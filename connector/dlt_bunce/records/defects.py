"""All defects of a row: the first is its reject code, the others are kept beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Defects:
    """The defects of one field, by row: whether there is one, its code, and its reason."""

    field: str
    found: pa.Array
    code: pa.Array
    message: pa.Array


def other_defects(by_field: Sequence[Defects]) -> pa.Array:
    """Return for each row its defects after the first, as a JSON list of code, field, and message.

    Null if there is none. `by_field` is in order of the fields.
    """
    counts = pa.array([0] * len(by_field[0].found), pa.int64())
    for defects in by_field:
        counts = pc.add(counts, defects.found.cast(pa.int64()))
    several = pc.greater(counts, 1)
    texts: list[str] = []
    kept = [
        (d.field, *(part.filter(several).to_pylist() for part in (d.found, d.code, d.message)))
        for d in by_field
    ]
    for row in range(several.true_count):
        found = [
            {"code": codes[row], "field": field, "message": messages[row]}
            for field, refused, codes, messages in kept
            if refused[row]
        ]
        texts.append(json.dumps(found[1:]))
    nothing = pa.nulls(len(several), pa.string())
    return pc.replace_with_mask(nothing, several, pa.array(texts, pa.string()))
