"""Options that say what text in a CSV file means, for `scan` and the command line."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, TypedDict

import numpy as np

from fastridge.data.columns import require_pyarrow

_WORDS = ("N/A", "NA", "NaN", "NaT", "Nan", "None", "Null", "n/a", "na", "nan", "none", "null")
#: Cells that are missing values, in columns of numbers and of text, whatever blanks are around.
NULL_MARKS = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
    *("<NA>", "\\N", "NULL", "NAN", "NONE", "?", "-", "--", ".", "..", *_WORDS),
)
_PADDING = 16
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")
_MOST_ZEROS = 6
_SOME_TIME = datetime.datetime(2001, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)


class CsvConversion(TypedDict):
    """Options of `pyarrow.csv.ConvertOptions`."""

    null_values: list[str]
    strings_can_be_null: bool
    decimal_point: str
    timestamp_parsers: list[Any]


@dataclass(frozen=True)
class CsvOptions:
    """Options that say how cells of CSV files become values; see `fastridge.scan` for the options.

    Attributes
    ----------
    na_values : tuple of str
    keep_default_na : bool
    decimal : str
    thousands : str or None
    date_format : str, tuple of str, or None
    numeric : tuple of str or int
    header : bool or None
    skip_rows : int
    delimiter, charset : str or None
    """

    na_values: Sequence[str] = ()
    keep_default_na: bool = True
    decimal: str = "."
    thousands: str | None = None
    date_format: str | Sequence[str] | None = None
    numeric: Sequence[str | int] = ()
    header: bool | None = None
    skip_rows: int = 0
    delimiter: str | None = None
    charset: str | None = None

    def __post_init__(self) -> None:
        for name, kinds, what in (
            ("na_values", (str,), "texts"),
            ("numeric", (str, int, np.integer), "names or indices of columns"),
        ):
            value = getattr(self, name)
            if isinstance(value, str) or not all(
                isinstance(one, kinds) and not isinstance(one, bool) for one in value
            ):
                raise ValueError(f"{name} must be a list of {what}, got {value!r}.")
            object.__setattr__(self, name, tuple(value))
        for name in ("decimal", "thousands", "delimiter"):
            value = getattr(self, name)
            if value is None:
                continue
            if not (isinstance(value, str) and len(value) == 1):
                raise ValueError(f"{name} must be one character, got {value!r}.")
            if value in '"\r\n\0' or not (value.isascii() or name == "thousands"):
                raise ValueError(
                    f"{name} must be a character of ASCII, but no quote or line break, got "
                    f"{value!r}."
                )
            if name != "delimiter" and (value.isalnum() or value in "+-"):
                raise ValueError(f"{name} must not be a part of numbers, got {value!r}.")
        if self.decimal == self.thousands:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}.")
        if self.header not in (None, True, False):
            raise ValueError(f"header must be None, True or False, got {self.header!r}.")
        skip = self.skip_rows
        if isinstance(skip, bool) or not hasattr(skip, "__index__") or skip < 0:
            raise ValueError(f"skip_rows must be a whole number from 0 up, got {skip!r}.")
        if self.date_format is not None and not isinstance(self.date_format, str):
            object.__setattr__(self, "date_format", tuple(self.date_format))
        for date_format in self.date_formats:
            if not _reads_dates(date_format):
                raise ValueError(
                    "date_format must be a format such as '%d/%m/%Y', without %f, or a list of "
                    f"such, got {date_format!r}."
                )
        if self.charset is not None:
            try:
                "".encode(self.charset)
            except LookupError:
                raise ValueError(
                    f"charset must be an encoding such as 'latin-1' or 'cp1252', got "
                    f"{self.charset!r}."
                ) from None

    @property
    def date_formats(self) -> Sequence[str]:
        """The formats of dates, in addition to ISO 8601."""
        given = self.date_format
        return [given] if isinstance(given, str) else given or []

    def given(self) -> dict[str, Any]:
        """Return the options that are not the default ones, as plain values."""
        return {
            one.name: list(value) if isinstance(value, tuple) else value
            for one in fields(self)
            if (value := getattr(self, one.name)) != one.default
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> CsvOptions:
        """Return the options that `given` wrote. Raises ValueError if the values are none."""
        try:
            return cls(**values)
        except TypeError:
            raise ValueError(f"no options of CSV files can be made of {values!r}") from None

    def updated(self, other: CsvOptions) -> CsvOptions:
        """Return these options with those that `other` gives."""
        return CsvOptions(**{**asdict(self), **other.given()})

    def marks(self) -> list[str]:
        """Return the cells that are missing values, but for blanks around them.

        Of a number they are all that have its value, as 999, 999.0 and 999.00.
        """
        given = [text for mark in self.na_values for text in _with_zeros(mark)]
        return list(dict.fromkeys([*(NULL_MARKS if self.keep_default_na else ("",)), *given]))

    def conversion(self, *, empty_text: bool = False, padded: bool = True) -> CsvConversion:
        """Return how cells become values: which are missing, in text as in numbers.

        Without `padded`, no cell has blanks around it.
        """
        csv = require_pyarrow().csv
        formats = self.date_formats
        return {
            "null_values": _padded(self.marks()) if padded else self.marks(),
            "strings_can_be_null": not empty_text,
            "decimal_point": self.decimal,
            "timestamp_parsers": [*formats, csv.ISO8601] if formats else [],
        }


DEFAULT_CSV = CsvOptions()


def _reads_dates(date_format: object) -> bool:
    """Return whether pyarrow reads the dates that a format writes."""
    if not isinstance(date_format, str) or "%" not in date_format:
        return False
    text = _SOME_TIME.strftime(date_format)
    read = require_pyarrow().compute.strptime(text, date_format, "s", error_is_null=True)
    return bool(read.is_valid)


def _with_zeros(mark: str) -> list[str]:
    """Return a mark and, if it is a number, how it is written with some zeros at the end."""
    if not _NUMBER.fullmatch(mark):
        return [mark]
    whole, _, fraction = mark.partition(".")
    fraction = fraction.rstrip("0")
    zeros = [fraction + "0" * n for n in range(_MOST_ZEROS + 1)]
    return [mark, *([] if fraction else [whole]), *(f"{whole}.{one}" for one in zeros)]


def _padded(marks: Sequence[str]) -> list[str]:
    """Return marks with blanks before, after or around them, and blanks alone."""
    found = dict.fromkeys(marks)
    around = [(i, j) for i in range(_PADDING) for j in range(_PADDING) if min(i, j) < 2 or i == j]
    for mark in marks:
        found |= dict.fromkeys(f"{' ' * i}{mark}{' ' * j}" for i, j in around)
        found |= dict.fromkeys((f"\t{mark}", f"{mark}\t"))
    return list(found)
