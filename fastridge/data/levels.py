"""Turn the categories that a user names into the text that values of their column have."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from decimal import Decimal
from numbers import Integral
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from fastridge.data.columns import kind_of, require_pyarrow, to_text

if TYPE_CHECKING:
    import pyarrow as pa

Time = TypeVar("Time", np.datetime64, np.timedelta64)

_NUMERAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?) ?(?:(Z)|([+-])(\d\d):?(\d\d))?)?"
)
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,9}))?)?")
_MOST_DIGITS = 320


def checked_levels(name: str, levels: object) -> list[object]:
    """Return the categories of a column as a list. Raises ValueError if they are not valid."""
    if isinstance(levels, (str, bytes)) or not isinstance(levels, Iterable):
        raise ValueError(
            f"categorical: column {name!r} needs a list of categories, got {levels!r}."
        )
    found = list(levels)
    if not found:
        raise ValueError(
            f"categorical: column {name!r} has an empty list of categories: name some, or leave "
            "the column out with features=."
        )
    for level in found:
        if _is_missing(level):
            raise ValueError(
                f"categorical: {level!r} is no category of column {name!r}: leave it out, as "
                "nulls= says what becomes of missing values."
            )
    return found


def level_texts(name: str, levels: Iterable[object], dtype: pa.DataType) -> list[str]:
    """Return the text that `to_text` writes for each category of a column of an Arrow type.

    Raises ValueError if one is not a value of the column, or is given twice.
    """
    known: dict[str, object] = {}
    value_type = dtype.value_type if require_pyarrow().types.is_dictionary(dtype) else dtype
    for level in levels:
        array = _as_array(level, value_type)
        text = None if array is None else to_text(array)[0].as_py()
        if text is None:
            raise ValueError(
                f"categorical: {level!r} cannot be a value of column {name!r}, which holds {dtype}"
                ": name its categories as values of that type."
            )
        if text in known:
            raise ValueError(
                f"categorical: {known[text]!r} and {level!r} are one category of column {name!r}, "
                f"{text!r}: name it once."
            )
        known[text] = level
    return list(known)


def is_code(level: object) -> bool:
    """Return whether a category is text that no number stands for, such as 00501 or A1."""
    if not isinstance(level, str):
        return False
    return not _NUMERAL.fullmatch(level) or bool(re.fullmatch(r"[+-]?0\d+|\+\d+|-0", level))


def _is_missing(level: object) -> bool:
    if level is None or type(level).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(level, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(level))
    return isinstance(level, (float, np.floating, Decimal)) and level != level


def _as_array(level: object, dtype: pa.DataType) -> pa.Array | None:
    """Return an Arrow array of one value of a type, None if `level` is not of that type."""
    pa = require_pyarrow()
    kind = kind_of(dtype)
    try:
        if kind in ("text", "empty", "unusable"):
            is_whole = isinstance(level, Integral) and not isinstance(level, (bool, np.bool_))
            return pa.array([str(level)]) if is_whole or isinstance(level, str) else None
        if kind == "boolean":
            value = {"true": True, "false": False, "1": True, "0": False}.get(str(level).lower())
            return None if value is None else pa.array([value])
        if kind == "number":
            return _as_number(level, dtype)
        if kind == "time":
            return _time_of_day(level).cast(dtype)
        made = _duration(level) if kind == "duration" else _instant(level)
        if made is None:
            return None
        found = pa.array([made])
        if kind == "timestamp":
            return found.cast(pa.timestamp(dtype.unit))
        if kind == "date":
            day = found.cast(pa.date32())
            return day if day.cast(found.type).equals(found) else None
        return found.cast(dtype)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return None


def _as_number(level: object, dtype: pa.DataType) -> pa.Array | None:
    pa = require_pyarrow()
    value = _decimal(level)
    if value is None or abs(value.adjusted()) > _MOST_DIGITS:
        return None
    if pa.types.is_integer(dtype):
        return pa.array([int(value)], dtype) if value == int(value) else None
    if pa.types.is_decimal(dtype):
        text = format(value, "f")
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return pa.array([Decimal(text)], dtype)
    with np.errstate(over="ignore"):
        number = np.dtype(dtype.to_pandas_dtype()).type(float(value))
    return pa.array([number], dtype) if np.isfinite(number) else None


def _decimal(level: object) -> Decimal | None:
    """Return the number that a category is; None if it is not a number."""
    if isinstance(level, str):
        return Decimal(level) if _NUMERAL.fullmatch(level) else None
    if isinstance(level, (bool, np.bool_)):
        return None
    if isinstance(level, Integral):
        return Decimal(int(level))
    if isinstance(level, Decimal):
        return level if level.is_finite() else None
    if isinstance(level, (float, np.floating)) and np.isfinite(level):
        return Decimal(int(level)) if level == np.floor(level) else Decimal(str(level))
    return None


def _time_of_day(level: object) -> pa.Time64Array:
    """Return an Arrow array of one time of day. Raises ValueError if it is not one."""
    pa = require_pyarrow()
    text = level.isoformat() if isinstance(level, datetime.time) else level
    parts = _TIME.fullmatch(text) if isinstance(text, str) else None
    if parts is None:
        raise ValueError(f"{text} is no time")
    hours, minutes, seconds, rest = (part or "0" for part in parts.groups())
    whole = (60 * int(hours) + int(minutes)) * 60 + int(seconds)
    return pa.array([whole * 10**9 + int(rest.ljust(9, "0"))]).cast(pa.time64("ns"))


def _instant(level: object) -> np.datetime64 | None:
    """Return the time in UTC that a category is, None if it is not a time."""
    if hasattr(level, "to_datetime64"):  # of pandas
        return _in_seconds(level.to_datetime64())
    if isinstance(level, datetime.datetime):
        if level.tzinfo is not None:
            level = level.astimezone(datetime.UTC).replace(tzinfo=None)
        return np.datetime64(level)
    if isinstance(level, datetime.date):
        return np.datetime64(level, "s")
    if isinstance(level, np.datetime64):
        return _in_seconds(level)
    parts = _ISO.fullmatch(level) if isinstance(level, str) else None
    if parts is None:
        return None
    date, time, _, sign, hours, minutes = parts.groups()
    instant = _in_seconds(np.datetime64(f"{date}T{time}" if time else date))
    if sign:
        offset = np.timedelta64(60 * int(hours) + int(minutes), "m")
        instant += -offset if sign == "+" else offset
    return instant


def _duration(level: object) -> np.timedelta64 | None:
    """Return the duration that a category is, or None; text is a number of seconds."""
    if hasattr(level, "to_timedelta64"):  # of pandas
        return _in_seconds(level.to_timedelta64())
    if isinstance(level, (datetime.timedelta, np.timedelta64)):
        return _in_seconds(np.timedelta64(level))
    value = _decimal(level) if isinstance(level, str) else None
    if value is None or value.adjusted() > 18:
        return None
    for digits, unit in ((0, "s"), (3, "ms"), (6, "us"), (9, "ns")):
        count = value.scaleb(digits)
        if count == int(count):
            return np.array([int(count)]).astype(f"m8[{unit}]")[0]
    return None


def _in_seconds(value: Time) -> Time:
    """Return a NumPy time with a unit that Arrow knows. Raises ValueError if there is none."""
    if np.datetime_data(value.dtype) in [(unit, 1) for unit in ("s", "ms", "us", "ns")]:
        return value
    found = value.astype(f"{value.dtype.kind}8[s]")
    if found != value:
        raise ValueError(f"{value} is no whole number of seconds")
    return found
