"""Numbers as people write them: which text is one, and what it means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastridge.data.batches import Remedy
from fastridge.data.columns import require_pyarrow
from fastridge.data.csv_options import DEFAULT_CSV, CsvOptions
from fastridge.data.date_notations import ANY_DATE

if TYPE_CHECKING:
    import pyarrow as pa

_CURRENCY = "$€£¥₹₽₩¢"
_SPACES = " \u00a0\u202f\u2009"
_MINUS = r"\-" + "\u2212\u2013"
# The body of a number of any notation: groups of digits, or one with underscores, then a fraction.
_BODY = (
    rf"(?:\d{{1,3}}(?:[.,'’{_SPACES}]\d{{2,3}})*[.,'’{_SPACES}]\d{{3}}|\d+(?:_\d+)*)"
    r"(?:[.,]\d*)?|[.,]\d+"
)
_ANY_NUMBER = (
    rf"^[{_SPACES}]*\(?[+{_MINUS}]?[{_SPACES}]*(?:[{_CURRENCY}]|USD|EUR|GBP)?[{_SPACES}]*"
    rf"[+{_MINUS}]?(?:{_BODY})(?:[eE][+-]?\d+)?"
    rf"[{_SPACES}]*(?:[%{_CURRENCY}]|USD|EUR|GBP)?-?\)?[{_SPACES}]*$"
)
_PLAIN = (  # with digits and blanks as they are read, in ASCII
    r"^[ \t]*[+-]?(?:[0-9]+{0}?[0-9]*|{0}[0-9]+)(?:[eE][+-]?[0-9]+)?[ \t]*$"
    r"|^[ \t]*[+-]?(?:inf|infinity)[ \t]*$"
)
_ONE_COMMA = re.compile(r"[1-9]\d{0,2},\d{3}")


def numbers_among(array: pa.StringArray, decimal: str) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Return where texts are plain numbers, numbers of any notation, and dates."""
    matches = require_pyarrow().compute.match_substring_regex
    plain = matches(array, plain_number(decimal), ignore_case=True)
    return plain, matches(array, _ANY_NUMBER), matches(array, ANY_DATE)


def plain_number(decimal: str) -> str:
    """Return a regular expression of numbers that are read as they are."""
    return _PLAIN.format(re.escape(decimal))


def numbers_of_text(array: pa.StringArray, options: CsvOptions, *, any_notation: bool) -> pa.Array:
    """Return texts as float64, without separators of thousands.

    With `any_notation` also without signs of currencies; percents become fractions, and numbers in
    parentheses are negative. Raises ValueError with the first text that is no number.
    """
    pa = require_pyarrow()
    pc = pa.compute
    text = pc.utf8_trim_whitespace(array)
    if any_notation:
        text = pc.replace_substring_regex(text, rf"[{_CURRENCY}]|USD|EUR|GBP", "")
        text = pc.replace_substring_regex(text, rf"^[{_SPACES}]+|[{_SPACES}]+$", "")
        text = pc.replace_substring_regex(text, rf"^[{_MINUS}][{_SPACES}]*", "-")
        text = pc.replace_substring_regex(text, r"^\((.*)\)$", r"-\1")
        text = pc.replace_substring_regex(text, r"^([^-].*)-$", r"-\1")
        text = pc.replace_substring_regex(text, r"(\d)_(\d)", r"\1\2")
        text = pc.replace_substring_regex(text, r"(\d)_(\d)", r"\1\2")
    percent = pc.ends_with(text, "%")
    if any_notation:
        text = pc.replace_substring_regex(text, rf"[{_SPACES}]*%$", "")
    if options.thousands is not None:
        joined = pc.replace_substring_regex(text, _between_groups(options.thousands), "")
        grouped = _grouped_number(options.thousands, options.decimal)
        text = pc.if_else(pc.match_substring_regex(text, grouped), joined, text)
    is_number = pc.match_substring_regex(
        text, plain_number(options.decimal), ignore_case=True
    ).fill_null(True)
    if not pc.all(is_number, min_count=0).as_py():
        raise ValueError(pc.filter(array, pc.invert(is_number))[0].as_py())
    if options.decimal != ".":
        text = pc.replace_substring(text, options.decimal, ".")
    text = pc.replace_substring_regex(text, r"^\+", "")
    numbers = text.cast(pa.float64())
    if any_notation and pc.any(percent).as_py():
        numbers = pc.if_else(percent, pc.divide(numbers, 100.0), numbers)
    return numbers


def _between_groups(thousands: str) -> str:
    """Return a regular expression of what separates thousands."""
    return f"[{_SPACES}]" if thousands == " " else re.escape(thousands)


def _grouped_number(thousands: str, decimal: str) -> str:
    """Return a regular expression of numbers with groups of digits: not 0,622."""
    mark = _between_groups(thousands)
    return rf"^[+-]?[1-9]\d{{0,2}}(?:{mark}\d{{2,3}})*{mark}\d{{3}}(?:{re.escape(decimal)}\d*)?$"


def notation_remedies(
    name: str, texts: Sequence[str], options: CsvOptions | None
) -> list[Remedy | tuple[Remedy, ...]]:
    """Return the options that read texts, numbers of a notation that is not plain, as numbers.

    There are two ways if a comma may be a decimal point as well, as in 1,234. `options` are those
    by which the texts are no numbers.
    """
    options = DEFAULT_CSV if options is None else options
    decimal, given = options.decimal, options.thousands
    cores = [re.sub(rf"[{_CURRENCY}{_SPACES}%()+{_MINUS}_]|USD|EUR|GBP", "", t) for t in texts]
    groups = re.compile(rf"[1-9]\d{{0,2}}(\.\d{{2,3}})*\.\d{{3}}({re.escape(decimal)}\d*)?")
    loose = given is None and decimal != "."
    if loose and any("." in core and not groups.fullmatch(core) for core in cores):
        return [Remedy("decimal", ".", f"in place of {decimal!r}")]
    if given is not None:
        grouped = re.compile(_grouped_number(given, decimal))
        grouping = [text.strip() for text in texts] if given == " " else cores
        loose = any(given in one and not grouped.match(one) for one in grouping)
        if loose and given not in ",.":
            return []
        if loose:
            return [Remedy("decimal", given, "in place of thousands, if it is the decimal point")]
    signs = any(re.sub(rf"[\d.,'’eE{_SPACES}+-]", "", text.strip()) for text in texts)
    spaced = any(re.search(rf"\d[{_SPACES}]\d", text) for text in texts)
    comma = point = quote = False  # between thousands
    comma_decimal = decimal == ","
    for core in cores:
        last = max(core.rfind(","), core.rfind("."))
        if "," in core and "." in core:
            comma_decimal = comma_decimal or core[last] == ","
        elif core.count(".") > 1 or (
            "," in core and not re.fullmatch(r"[1-9]\d{0,2}(,\d{2,3})*,\d{3}", core)
        ):
            comma_decimal = True
    for core in cores:
        whole = core.rpartition("," if comma_decimal else ".")[0] or core
        comma, point = comma or (not comma_decimal and "," in whole), point or "." in whole
        quote = quote or "'" in core or "’" in core
    found: list[Remedy] = []
    if comma_decimal and decimal != ",":
        found.append(Remedy("decimal", ","))
    if comma or (comma_decimal and point) or spaced or quote:
        kind = "," if comma else "." if comma_decimal and point else " " if spaced else "'"
        if kind != given:
            found.append(Remedy("thousands", kind))
    if (signs or not found) and name not in options.numeric:
        found.append(Remedy("numeric", [name]))
    if not found:
        return []
    with_comma = [core for core in cores if "," in core]
    if decimal == "." and with_comma and all(map(_ONE_COMMA.fullmatch, with_comma)):
        return [tuple(found), Remedy("decimal", ",", "if the comma is the decimal point")]
    return [tuple(found)]
