"""Checks against the numbering plans of countries, with Arrow kernels."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_CODE_DIGITS = 3
"""Digits of the longest country code."""
_KINDS = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "voip",
    "pager",
    "uan",
    "voicemail",
)


def fits_its_country(international: pa.Array) -> pa.Array:
    """Return whether E.164 numbers fit their country's plan: boolean, null for null.

    A number fits if its length is possible in its country and no trunk prefix follows the country
    code. A code that no country has fits.
    """
    head = pc.utf8_slice_codeunits(international, 1, 1 + _CODE_DIGITS)
    length = pc.cast(pc.utf8_length(international), pa.string())
    keys = pc.binary_join_element_wise(head, length, ":").dictionary_encode()
    found = [_fits(key) for key in keys.dictionary.to_pylist()]
    fits = pa.array([possible for possible, _ in found], pa.bool_()).take(keys.indices)
    trunks = sorted({trunk for _, trunk in found if trunk})
    if trunks:
        dialed = pc.match_substring_regex(international, rf"^\+(?:{'|'.join(trunks)})")
        fits = pc.and_not(fits, dialed)
    return fits


@lru_cache(maxsize=10_000)
def _fits(key: str) -> tuple[bool, str]:
    head, _, length = key.partition(":")
    found = _plan_of(head)
    if found is None:
        return True, ""
    code, plan = found
    national = int(length) - 1 - len(code)
    trunk = plan.national_prefix_for_parsing
    if not trunk:
        return national in plan.general_desc.possible_length, ""
    # if the prefix may be empty, the pattern matches every number of the country, so the library
    # must check each of them
    trunk_pattern = "" if re.match(trunk, "") else f"(?:{trunk})"
    return national in plan.general_desc.possible_length, code + trunk_pattern


def _plan_of(head: str) -> tuple[str, Any] | None:
    import phonenumbers

    if not head.isdigit():
        return None
    for width in range(1, _CODE_DIGITS + 1):
        code = head[:width]
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code))
        if regions:
            plan = (
                phonenumbers.PhoneMetadata.metadata_for_nongeo_region(int(code))
                if regions[0] == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY
                else phonenumbers.PhoneMetadata.metadata_for_region(regions[0])
            )
            return (code, plan) if plan is not None else None
    return None


@lru_cache(maxsize=32)
def valid_pattern(region: str) -> str:
    """Return the pattern of a region's valid national numbers of every kind."""
    import phonenumbers

    plan = phonenumbers.PhoneMetadata.metadata_for_region(region)
    assert plan is not None  # noqa: S101, the caller has checked it
    kinds = (getattr(plan, kind) for kind in _KINDS)
    patterns = {kind.national_number_pattern for kind in kinds if kind is not None}
    return "|".join(sorted(pattern for pattern in patterns if pattern)) or "$^"
