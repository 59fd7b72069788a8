"""Dates, months and times of day as people write them, and the formats that read them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from functools import cache
from itertools import product

_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_WEEKDAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*"
_DIRECTIVES = {
    "%Y": r"\d{4}",
    "%y": r"\d{2}",
    "%m": "(?:1[0-2]|0?[1-9])",
    "%d": r"(?:[12]\d|3[01]|0?[1-9])",
    "%b": _MONTH,
    "%a": _WEEKDAY,
    "%H": r"(?:2[0-3]|[01]?\d)",
    "%I": "(?:1[0-2]|0?[1-9])",
    "%M": r"[0-5]\d",
    "%S": r"[0-5]\d",
    "%p": "[AP]M",
    "%z": r"[+-]\d\d:?\d\d",
}
_YEARS = ("%Y", "%y")
_DAYS = (
    *(f"%Y{mark}%m{mark}%d" for mark in "/.-"),
    *(f"%d{mark}%m{mark}{year}" for year, mark in product(_YEARS, "/.-")),
    *(f"%m{mark}%d{mark}{year}" for year, mark in product(_YEARS, "/.-")),
    *(f"%d{mark}%b{mark}{year}" for year, mark in product(_YEARS, (" ", "-", "/", ""))),
    "%b %d, %Y",
    "%b %d %Y",
)
_MONTHS = ("%Y-%m", "%Y/%m", "%m/%Y", "%m-%Y", "%b %Y", "%b-%Y", "%b-%y")
_STAMPS = ("%Y%m%dT%H%M%S", "%a %b %d %H:%M:%S %Y")
_CLOCKS = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%I %p")
_ZONES = ("", "Z", " GMT", " UTC", "%z", " %z")
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d(?::?\d\d(?::?\d\d(?:\.\d{1,9})?)?)?)"
    r"(?:Z|[+-]\d\d(?::?\d\d)?)?)?|(\d\d:\d\d(?::\d\d)?)"
)


def _expression(date_format: str) -> str:
    """Return a regular expression of the texts that a format reads."""
    text = re.escape(date_format).replace(r"\ %p", r"\s*%p").replace(r"\ ", r"\s+")
    return re.sub("%[A-Za-z]", lambda one: _DIRECTIVES[one[0]], text)


def _any_of(formats: Sequence[str]) -> str:
    return "|".join(map(_expression, formats))


# Days and months also with a number that no calendar has.
_ANY_DAY = rf"(?:{_WEEKDAY},?\s+)?(?:\d{{4}}-\d\d-\d\d|{_any_of(_DAYS)})"
_ANY_TIME = (
    r"(?:\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?:\s*[AP]\.?M\.?)?|\d{1,2}\s*[AP]\.?M\.?)"
    r"(?:\s*(?:Z|GMT|UTC|[+-]\d\d:?\d\d))?"
)
ANY_DATE = (
    rf"(?i)^\s*(?:{_ANY_DAY}(?:[ T,]+{_ANY_TIME})?|{_ANY_TIME}|{_any_of((*_MONTHS, *_STAMPS))})\s*$"
)
"""A regular expression of dates, months and times of day in any notation."""
_TIME = re.compile(rf"\s*(?:{_ANY_TIME})\s*", re.IGNORECASE)
_MONTH_ALONE = re.compile(rf"\s*(?:{_any_of(_MONTHS)})\s*", re.IGNORECASE)


def is_of_iso(text: str) -> bool:
    """Return whether a text looks like a day or a time, or both, of ISO 8601."""
    return _ISO.fullmatch(text.strip()) is not None


def exists(text: str) -> bool:
    """Return whether a text that is of ISO 8601 is in the calendar and on the clock."""
    found = _ISO.fullmatch(text.strip())
    assert found is not None
    day, hours, time = found.groups()
    try:
        datetime.date.fromisoformat(day or "2000-01-01")
        datetime.time.fromisoformat(time or hours or "00:00")
    except ValueError:
        return False
    return True


def in_words(text: str) -> str:
    """Return what a date, month or time of day is called, without an article."""
    if _MONTH_ALONE.fullmatch(text):
        return "month"
    return "time of day" if _TIME.fullmatch(text) else "date"


def date_formats(texts: Sequence[str]) -> list[str]:
    """Return the formats that read all of some texts, or else the first of them.

    There are two where it is open which number is the day.
    """
    formats = _formats_of(texts[0].strip())
    fitting = [one for one in formats if all(_reads(one, text.strip()) for text in texts)]
    return fitting or formats


def _formats_of(text: str) -> list[str]:
    whole = [one for one in (*_MONTHS, *_STAMPS) if _reads(one, text)]
    weekday = re.match(rf"({_WEEKDAY})(,?)\s+", text, re.IGNORECASE)
    start = "" if weekday is None else f"%a{weekday[2]} "
    days = [start + day for day in _DAYS]
    if ":" not in text and text[-1:] not in "Mm":
        whole += [day for day in days if _reads(day, text)]
    if whole:
        return whole
    clocks = [f"{clock}{zone}" for clock, zone in product(_CLOCKS, _ZONES)]
    times = [one for one in clocks if re.search(rf"(?i)(?:^|[ T,])(?:{_expression(one)})$", text)]
    glued = product(days, (" ", "T", ", "), times)
    return [one for one in (*times, *map("".join, glued)) if _reads(one, text)]


def _reads(date_format: str, text: str) -> bool:
    return _compiled(date_format).fullmatch(text) is not None


@cache
def _compiled(date_format: str) -> re.Pattern[str]:
    return re.compile(_expression(date_format), re.IGNORECASE)
