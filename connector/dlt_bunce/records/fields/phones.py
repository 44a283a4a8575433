"""The phone_no field: international numbers in E.164."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.errors import ConfigurationError
from dlt_bunce.records.fields.phone_plans import fits_its_country, valid_pattern
from dlt_bunce.records.text.column import Column, any_true
from dlt_bunce.records.text.spreadsheet_traces import Traces
from dlt_bunce.records.text.text import characters, read_text

_E164 = r"^\+[1-9][0-9]{6,14}$"
_SEPARATORS = r"[\s\p{Z}\p{Pd}\p{Cf}\x{2212}.()/]+"
# a number written as a decimal
_POINT_ZERO = r"^(\+?[0-9]{6,})\.0+$"
# separate digits at the end (a counter, an extension, or part of the number), or two numbers
_TAIL = r"[^0-9+][0-9]{1,5}[)\s]*$|[/;,|]"
# what exports and people write before a number
_PREFIX = r"^(?i:tel|telephone|phone|ph|p|mobile|mob|m|cell|whatsapp|wa|sms)\s*:[\s/]*"
# a number that a spreadsheet has rounded
_ROUNDED = re.compile(r"\+?[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]+")
_TRUNK = "0"
_TRUNK_ZERO = "(0)"
_BETWEEN = re.compile(r"[/;,|]|:::|\bor\b", re.IGNORECASE)
_EXTENSION = re.compile(r"(?:ext?\.?|x|#|;)\s*[0-9]+\s*$", re.IGNORECASE)
_APART = re.compile(r"[\s()./x\-\u2010-\u2015\u2212]+[0-9]{1,5}[)\s]*$", re.IGNORECASE)


def parse_phones(
    array: pa.Array,
    *,
    default_region: str | None = None,
    trim: bool = True,
    traces: Traces | None = None,
) -> Column:
    """Parse phone numbers: + and 7 to 15 digits, of a length that exists in the country.

    A range missing from the numbering plan is valid, since plans grow. Separators are removed, a
    leading 00 becomes +, and a trunk prefix after the country code is removed as `phonenumbers`
    does. Anything separate after the number (a counter, an extension, a second number) is left out
    and `noted` if the number is valid without it; it is never joined to the number. So is a word
    before it, such as tel: or whatsapp:, which is not noted. Without `trim`, both are invalid.

    A national number needs `default_region` (an ISO code such as NG) and must be valid there.
    Without one it is invalid, because a guessed country could reach a stranger. Raises
    ConfigurationError for a region that does not exist.
    """
    column = read_text(array, numbers=True)
    plain = pc.match_substring_regex(column.values, _E164)
    if traces is not None and any_true(pc.invert(plain)):  # plain numbers have no traces
        column = traces.removed(column)
        plain = pc.match_substring_regex(column.values, _E164)
    values, international = column.values, plain
    region = _checked_region(default_region)
    if any_true(pc.invert(plain)):
        written = column.values
        if trim and any_true(pc.match_substring(written, ":")):
            written = pc.replace_substring_regex(written, _PREFIX, "")
        written = pc.replace_substring_regex(written, _POINT_ZERO, r"\1")
        keep_separators = pc.or_(
            pc.match_substring(written, _TRUNK_ZERO), pc.match_substring_regex(written, _TAIL)
        )
        compact = pc.replace_substring_regex(written, _SEPARATORS, "")
        compact = pc.replace_substring_regex(compact, "^00", "+")
        values = pc.if_else(pc.or_(plain, keep_separators), written, compact)
        if region is not None:
            values = usual_nationals(values, region)
        international = pc.match_substring_regex(values, _E164)
    passes = pc.and_(international, fits_its_country(values))
    shortened: set[str] = set()

    def judgment(text: str) -> tuple[str | None, str | None]:
        value, reason, left_out = _parse(text, region)
        if left_out and not trim:
            return None, f"text after the number: {_shape(text)}"
        if left_out:
            shortened.add(text)
        return value, reason

    judged = column.with_values(values).judge(passes, judgment)
    if not shortened:
        return judged
    return replace(judged, noted=pc.is_in(values, value_set=pa.array(sorted(shortened))))


def _parse(text: str, region: str | None) -> tuple[str | None, str | None, bool]:
    """Return the number or the reason why it is invalid, and whether anything was left out."""
    number = _ascii_digits(text)
    compact = _compact(number)
    if not compact:
        return None, None, False
    if not re.search(r"[0-9]", compact):
        return None, f"no digits: {_shape(compact)}", False
    if _ROUNDED.fullmatch(number.strip()):
        return None, "a rounded number, such as 2.34803E+12", False
    if not compact.startswith("+") and region is None:
        return None, f"no country code and no default_region: {_shape(compact)}", False
    for part in _parts(number):
        valid = _valid_e164(part, region)
        if valid:
            return valid, None, part != number or bool(_EXTENSION.search(number))
    # a range missing from the plan is valid, unless it may include digits that do not belong to it
    if re.fullmatch(_E164, compact) and _is_possible(compact) and not _APART.search(number):
        return compact, None, False
    return None, _reason(compact, region), False


def _parts(number: str) -> Iterator[str]:
    """Yield the number as written, then with less and less of what follows it."""
    yield number
    part = _BETWEEN.split(number)[0].strip()
    if part != number:
        yield part
    while (shorter := _APART.sub("", part)) not in {part, ""}:
        part = shorter
        yield part


def _compact(number: str) -> str:
    return re.sub(r"^00", "+", re.sub(r"[\s\-\u2010-\u2015\u2212.()/]+", "", number))


def _valid_e164(number: str, region: str | None) -> str | None:
    """Return the number in E.164 if it is valid in its country, without any extension."""
    import phonenumbers

    if re.search(r"[^\W\d_]", re.sub(r"(?i)\b(?:ext|x)\b\.?|(?<=[0-9])x", "", number)):
        return None  # the library reads letters as keypad digits
    if number.count("+") > 1:
        return None  # and ignores extra plus signs
    try:
        parsed = phonenumbers.parse(re.sub(r"^[\s(]*00", "+", number), region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    text = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return text if re.fullmatch(_E164, text) else None


def _is_possible(compact: str) -> bool:
    """Return whether the length exists in the country; true for an unassigned country code."""
    import phonenumbers

    try:
        parsed = phonenumbers.parse(compact)
    except phonenumbers.NumberParseException as error:
        return error.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE
    reason = phonenumbers.is_possible_number_with_reason(parsed)
    return bool(reason == phonenumbers.ValidationResult.IS_POSSIBLE)


def usual_nationals(values: pa.Array, region: str) -> pa.Array:
    """Convert valid national numbers dialed with 0 (digits only) to E.164; leave others unchanged.

    Converts exactly like `phonenumbers`, without a Python call per number.
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
    valid = rf"^(?:{valid_pattern(region)})$"
    general = rf"^(?:{plan.general_desc.national_number_pattern})$"
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
        usual = pc.and_(usual, pc.match_substring_regex(national, general))
        # 0 may also begin the international prefix, or belong to the national number
        ambiguous = pc.or_(
            pc.match_substring_regex(values, rf"^(?:{plan.international_prefix})"),
            pc.match_substring_regex(values, valid),
        )
    except pa.ArrowInvalid:
        # RE2 does not support the pattern
        return values
    international = pc.binary_join_element_wise(f"+{plan.country_code}", national, "")
    return pc.if_else(pc.and_not(usual, ambiguous), international, values)


def _checked_region(region: str | None) -> str | None:
    if not region:
        return None
    import phonenumbers

    if region.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise ConfigurationError(
            f"default_region {region!r} is not a country code.",
            remedy="Set a two-letter ISO 3166 code, such as NG, GB, or IN.",
        )
    return region.upper()


def _ascii_digits(text: str) -> str:
    wide = unicodedata.normalize("NFKC", text)
    return "".join(
        str(unicodedata.decimal(c)) if c.isdecimal() else c
        for c in wide
        if unicodedata.category(c) != "Cf"
    )


def _reason(compact: str, region: str | None) -> str:
    """Return what is wrong with a number, without any part of it."""
    import phonenumbers

    shape = _shape(compact)
    if re.search(r"[^\W\d_]", compact):
        return f"letters within the number: {shape}"
    if compact.count("+") > 1:
        return f"more than one +: {shape}"
    try:
        parsed = phonenumbers.parse(compact, region)
    except phonenumbers.NumberParseException:
        return f"not a phone number: {shape}"
    length = phonenumbers.is_possible_number_with_reason(parsed)
    if length == phonenumbers.ValidationResult.TOO_SHORT:
        return f"too short for its country: {shape}"
    if length == phonenumbers.ValidationResult.TOO_LONG:
        return f"too long for its country: {shape}"
    return f"no such number in its country's numbering plan: {shape}"


def _shape(text: str) -> str:
    digits = sum(c.isdigit() for c in text)
    letters = sum(c.isalpha() for c in text)
    return f"{characters(len(text))}, {digits} digits, {letters} letters"
