"""phone_no: international numbers in E.164."""

from __future__ import annotations

import re
import unicodedata

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.errors import ConfigurationError
from dlt_bunce.records.column import Column, any_true
from dlt_bunce.records.text import characters, read_text

_E164 = r"^\+[1-9][0-9]{6,14}$"
_SEPARATORS = r"[\s\p{Z}\p{Pd}\p{Cf}\x{2212}.()/]+"
_TRUNK = "0"
_TRUNK_ZERO = "(0)"


def judge_phones(array: pa.Array, *, default_region: str | None = None) -> Column:
    """+ and 7 to 15 digits, whether or not a numbering plan knows the number.

    Separators go, a leading 00 becomes +. A national number needs `default_region` (an ISO code
    such as NG) and must be possible there; without one it is invalid, since guessing a country
    reaches a stranger. Raises ConfigurationError for a region that does not exist.
    """
    column = read_text(array, numbers=True)
    plain = pc.match_substring_regex(column.values, _E164)
    if not any_true(pc.invert(plain)):
        return column
    zero = pc.match_substring(column.values, _TRUNK_ZERO)
    compact = pc.replace_substring_regex(column.values, _SEPARATORS, "")
    compact = pc.replace_substring_regex(compact, "^00", "+")
    values = pc.if_else(pc.or_(plain, zero), column.values, compact)
    region = _known(default_region)
    if region is not None:
        values = usual_nationals(values, region)
    passes = pc.match_substring_regex(values, _E164)
    return column.with_values(values).judge(passes, lambda text: _judgment(text, region))


def _judgment(text: str, region: str | None) -> tuple[str | None, str | None]:
    number = _ascii_digits(text)
    compact = re.sub(r"^00", "+", re.sub(r"[\s\-\u2010-\u2015\u2212.()/]+", "", number))
    if not compact:
        return None, None
    if not re.fullmatch(r"\+?[0-9]+", compact):
        return None, _shape(compact)
    international = compact.startswith("+")
    if international and _TRUNK_ZERO not in number:
        return (compact, None) if re.fullmatch(_E164, compact) else (None, _shape(compact))
    if not international and region is None:
        return None, f"no country code and no default_region: {_shape(compact)}"
    # (0) behind a country code is dialed in some countries and not in others
    parsed = _parsed(number if international else compact, None if international else region)
    return (parsed, None) if parsed else (None, _shape(compact))


def usual_nationals(values: pa.Array, region: str) -> pa.Array:
    """Valid national numbers dialed with 0 (digits only) in E.164; all others stay as they are.

    What it changes it changes as `phonenumbers` would, only without a Python call for each.
    """
    from phonenumbers import PhoneMetadata

    plan = PhoneMetadata.metadata_for_region(region)
    if (
        plan is None
        or plan.general_desc is None
        or plan.national_prefix_for_parsing != _TRUNK
        or plan.national_prefix_transform_rule is not None
    ):
        return values
    valid = rf"^(?:{plan.general_desc.national_number_pattern})$"
    lengths = pa.array(plan.general_desc.possible_length, pa.int32())
    national = pc.utf8_slice_codeunits(values, 1)
    try:
        usual = pc.and_(
            pc.match_substring_regex(values, rf"^{_TRUNK}[1-9][0-9]*$"),
            pc.and_(
                pc.match_substring_regex(national, valid),
                pc.is_in(pc.utf8_length(national), value_set=lengths),
            ),
        )
        # 0 may also begin a call abroad, or a number that is national with its 0
        other = pc.or_(
            pc.match_substring_regex(values, rf"^(?:{plan.international_prefix})"),
            pc.match_substring_regex(values, valid),
        )
    except pa.ArrowInvalid:
        # a pattern that RE2 does not know
        return values
    international = pc.binary_join_element_wise(f"+{plan.country_code}", national, "")
    return pc.if_else(pc.and_not(usual, other), international, values)


def _known(region: str | None) -> str | None:
    if not region:
        return None
    import phonenumbers

    if region.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise ConfigurationError(
            f"default_region {region!r} is not a country code.",
            remedy="Set an ISO 3166 code of two letters, such as NG, GB, or IN.",
        )
    return region.upper()


def _parsed(number: str, region: str | None) -> str | None:
    import phonenumbers

    try:
        parsed = phonenumbers.parse(re.sub(r"^00", "+", number), region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    text = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return text if re.fullmatch(_E164, text) else None


def _ascii_digits(text: str) -> str:
    wide = unicodedata.normalize("NFKC", text)
    return "".join(
        str(unicodedata.decimal(c)) if c.isdecimal() else c
        for c in wide
        if unicodedata.category(c) != "Cf"
    )


def _shape(text: str) -> str:
    digits = sum(c.isdigit() for c in text)
    letters = sum(c.isalpha() for c in text)
    return f"{characters(len(text))}, {digits} digits, {letters} letters"
