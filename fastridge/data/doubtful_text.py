"""Columns of text that are nearly numbers, or dates: found, and refused with what to do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from fastridge.data.batches import MOST_QUOTED, Remedy, ScanError, quoted
from fastridge.data.columns import Fits, fits, kind_of, require_pyarrow
from fastridge.data.csv_options import DEFAULT_CSV, CsvOptions
from fastridge.data.csv_sniffing import not_utf8
from fastridge.data.csv_text import type_of_cell
from fastridge.data.date_notations import date_formats, exists, in_words, is_of_iso
from fastridge.data.levels import is_code
from fastridge.data.notations import (
    notation_remedies,
    numbers_among,
    plain_number,
)

if TYPE_CHECKING:
    import pyarrow as pa

#: The part of the values that must be numbers, or dates, for a column to be doubtful.
_LEAST_PART = 0.9
_MOST_STRAYS = 1000
#: What one value of a kind is called.
_ONE = {
    "number": "a number",
    "boolean": "true or false",
    "date": "a date",
    "timestamp": "a date and time",
    "time": "a time of day",
    "duration": "a duration",
}
_NO_DAYS = {
    "date": "a date that is not of ISO 8601",
    "month": "a month without a day",
    "time of day": "a time of day that is not of ISO 8601",
}
_ENOUGH = 10_000  # values, after which a column of few numbers is text
#: Returns file and line of the first value of a column that fits.
Position = Callable[[str, Fits], str]


class TextError(ScanError):
    """A column of text where numbers are needed."""

    def worded(self, written: Callable[[Remedy], str]) -> str:
        """See `ScanError`; without a remedy, the column is to be converted."""
        worded = super().worded(written)
        return worded if self.remedies else f"{worded}: convert it to numbers first"


class TargetError(TextError):
    """A target that holds text, as those of classifiers do."""


class TextTest:
    """Count which values of a column of text are numbers, or dates.

    Parameters
    ----------
    text : CsvOptions or None
        How text of a CSV file becomes values. In other tables text may be meant as such: there
        only more values than categories are doubtful, none of which is a code such as 00501.
    """

    def __init__(self, text: CsvOptions | None) -> None:
        self.text = text
        self.decimal = "." if text is None else text.decimal
        self.open = True
        self._n_values = self._n_plain = self._n_numbers = self._n_dates = 0
        self._others: dict[str, Counter[str]] = {kind: Counter() for kind in ("number", "date", "")}

    def add(self, values: pa.StringArray, counts: np.ndarray) -> None:
        """Add different values, and how often each comes."""
        if not self.open or not len(values):
            return
        plain, number, date = (
            np.asarray(found, dtype=bool) for found in numbers_among(values, self.decimal)
        )
        self._n_values += int(counts.sum())
        self._n_plain += int(counts[plain].sum())
        self._n_numbers += int(counts[plain | number].sum())
        self._n_dates += int(counts[date].sum())
        kinds = {"number": number & ~plain, "date": date, "": ~(plain | number | date)}
        for kind, found in kinds.items():
            own = self._others[kind]
            for k in np.flatnonzero(found)[: max(0, _MOST_STRAYS - len(own))].tolist():
                own[values[k].as_py()] += int(counts[k])
        most = max(self._n_numbers, self._n_dates)
        self.open = self._n_values < _ENOUGH or most > self._n_values / 2

    def check(
        self, name: str, levels: Iterable[str], max_categories: int, position_of: Position
    ) -> None:
        """Raise ScanError if the column is nearly one of numbers, or of dates."""
        if not self.open or not self._n_values:
            return
        if self.text is None:
            levels = list(levels)
            if len(levels) <= max_categories or any(_is_zero_code(level) for level in levels):
                return
        least = _LEAST_PART * self._n_values
        if self._n_numbers >= least:
            raise self._of_numbers(name, position_of)
        if self._n_dates >= least:
            raise self._of_dates(name, position_of)

    def _of_numbers(self, name: str, position_of: Position) -> ScanError:
        strays = Counter({**self._others[""], **self._others["date"]})
        written = self._others["number"]
        if not strays and not written and self.text is not None:  # it is in the other rows
            for value in _first_text(name, self.text, position_of)[1]:
                (written if _is_any_number(value) else strays)[value] += 1
        if not strays and not written:
            return ScanError(
                f"{position_of(name, lambda _: True)}: column {name!r} is text, but each of its "
                f"{self._n_values:,} values is a number: convert it first",
                Remedy("categorical", [name], "if they are codes"),
            )
        if written:
            value = written.most_common(1)[0][0]
            remedies = notation_remedies(name, list(written), self.text)
            where = position_of(name, lambda text: text == value)
            return notation_error(where, name, value, sum(written.values()), remedies)
        value = strays.most_common(1)[0][0]
        return stray_error(
            position_of(name, lambda text: text == value),
            name,
            list(strays),
            f"; {self._n_plain:,} values are numbers",
        )

    def _of_dates(self, name: str, position_of: Position) -> ScanError:
        strays = Counter({**self._others[""], **self._others["number"]})
        dates = self._others["date"]
        kind = in_words(dates.most_common(1)[0][0])
        if strays or self._n_dates < self._n_values:
            value = strays.most_common(1)[0][0] if strays else "a number"
            several = "times of day" if kind == "time of day" else f"{kind}s"
            count = f"; {self._n_dates:,} values are {several}"
            where = position_of(name, lambda text: text == value)
            return stray_error(where, name, list(strays) or [value], count, wanted=f"a {kind}")
        no_days = [text for text in dates if is_of_iso(text) and not exists(text)]
        if no_days:
            where = position_of(name, lambda text: text == no_days[0])
            count = f"; {self._n_dates - sum(dates[text] for text in no_days):,} values are"
            wanted = "a date and time" if kind == "date" else f"a {kind}"
            return stray_error(where, name, no_days, count, wanted=f"{wanted} that exists")
        others = Counter({text: n for text, n in dates.items() if not is_of_iso(text)})
        shapes = Counter(re.sub(r"\d", "0", text) for text in dates)
        rare = min(dates, key=lambda text: shapes[re.sub(r"\d", "0", text)])
        value = others.most_common(1)[0][0] if others else rare
        where = position_of(name, lambda text: text == value)
        formats = date_formats([value, *others]) if others and self.text is not None else []
        when = f"if {quoted(value)} is so" if len(formats) > 1 else "to read it"
        what = f"a {kind} of another form than others"
        if others:
            what = _NO_DAYS[in_words(value)]
        return ScanError(
            f"{where}: column {name!r} holds {quoted(value)}, {what}",
            *(Remedy("date_format", one, when) for one in formats),
            Remedy("drop", [name], "to leave it out"),
            Remedy("categorical", [name], "if its values are codes"),
        )


def stray_error(
    where: str,
    name: str,
    values: list[str],
    count: str = "",
    *,
    wanted: str = "a number",
    codes: bool = True,
) -> ScanError:
    """Return the error for values of a column that are not the wanted ones."""
    value = values[0]
    others = f" (and {len(values) - 1:,} other texts)" if len(values) > 1 else ""
    fixes = _missing_remedy(values)
    if len(values) > 3 or not fixes:
        fixes = [Remedy("drop", [name], "to leave it out")] if codes else []
    if codes:
        fixes.append(Remedy("categorical", [name], "if its values are codes"))
    return ScanError(
        f"{where}: column {name!r} holds {quoted(value)}{others}, not {wanted}{count}", *fixes
    )


def _missing_remedy(values: list[str]) -> list[Remedy]:
    """Return the option that takes the first of some values as missing, if they are short."""
    first = values[:3]
    if max(map(len, first)) > MOST_QUOTED:
        return []
    return [Remedy("na_values", first, "if it stands for a missing value")]


def notation_error(
    where: str,
    name: str,
    value: str,
    count: int,
    remedies: list[Remedy | tuple[Remedy, ...]],
    *,
    codes: bool = True,
) -> ScanError:
    """Return the error for numbers of a column in a notation that must be told."""
    others = f" ({count:,} such values)" if count > 1 else ""
    if codes:
        remedies = [*remedies, Remedy("categorical", [name], "if its values are codes")]
    return ScanError(
        f"{where}: column {name!r} holds {quoted(value)}{others}, a number in another notation",
        *remedies,
    )


def role_error(
    role: str, name: str, text: CsvOptions | None, position_of: Position, *, target: bool
) -> ScanError:
    """Return the error for a target, weights or folds that are text; `role` names the column."""
    error = TargetError if target else TextError
    where, held = _first_text(name, text, position_of)
    message = f"{where}: {role} holds text, not numbers"
    if not held:
        return error(message)
    raw = held[0].encode("utf-8", "surrogateescape")
    if raw != held[0].encode("utf-8", "replace"):
        return not_utf8(f"{where}: column {name!r} holds {raw[:40]!r}, which")
    value = held[0]
    message = f"{message}: {quoted(value)}"
    if _is_any_number(value):
        return TextError(message, *(notation_remedies(name, held, text) if text else ()))
    return error(message, *(_missing_remedy(held) if text else ()))


def text_error(
    what: str, name: str, dtype: pa.DataType, text: CsvOptions | None, position_of: Position
) -> ScanError:
    """Return the error for a feature that is text where numbers are needed."""
    shown = ""
    fixes: list[Remedy | tuple[Remedy, ...]] = [
        Remedy("drop", [name], "to leave it out"),
        Remedy("categorical", [name], "to encode it"),
        Remedy("hashed", [name]),
    ]
    if text is not None:
        where, held = _first_text(name, text, position_of)
        if held:
            what, shown = where, f": {quoted(held[0])}"
            is_number = _is_any_number(held[0])
            first = notation_remedies(name, held, text) if is_number else _missing_remedy(held)
            fixes = [*first, *fixes]
    held_type = "text" if kind_of(dtype) == "text" else dtype
    message = f"{what}: column {name!r} holds {held_type}, not numbers{shown}"
    return ScanError(message, *fixes)


def kind_error(
    what: str,
    name: str,
    dtype: pa.DataType,
    kind: str,
    text: CsvOptions | None,
    position_of: Position,
) -> ScanError:
    """Return the error for a column of some type where values of a kind are expected."""
    others: list[str] = []

    def is_other(cell: str | None) -> bool:
        if cell is None or text is None:
            return False
        is_day = is_of_iso(cell) and in_words(cell) == "date" and exists(cell)
        if (kind != "timestamp" or not is_day) and not fits(_kind_of_cell(cell, text), kind):
            others.append(cell)
        return bool(others)

    where = what if text is None else position_of(name, is_other)
    if others:
        return stray_error(where, name, others, wanted=_ONE[kind], codes=False)
    held = "texts" if kind_of(dtype) == "text" and text is not None else dtype
    return ScanError(
        f"{what}: column {name!r} holds {held} where {kind}s are expected: convert it first"
    )


@cache
def _kind_of_cell(cell: str, text: CsvOptions) -> str:
    is_missing = cell.strip(" \t") in text.marks()
    return "empty" if is_missing else kind_of(type_of_cell(cell, text))


def _first_text(name: str, text: CsvOptions | None, position_of: Position) -> tuple[str, list[str]]:
    """Return where the first cell of a column is that is no number, and a list of it, if any.

    Without `text`, which says what cells of CSV files mean, it is the first that is not missing.
    """
    options = DEFAULT_CSV if text is None else text
    number, marks = re.compile(plain_number(options.decimal), re.IGNORECASE), set(options.marks())
    held: list[str] = []

    def is_text(cell: str | None) -> bool:
        if cell is None:
            return False
        if text is not None and (number.fullmatch(cell) or cell.strip(" \t") in marks):
            return False
        held.append(cell)
        return True

    return position_of(name, is_text), held


def _is_any_number(text: str) -> bool:
    """Return whether a text is a number of any notation."""
    return bool(numbers_among(require_pyarrow().array([text]), ".")[1][0].as_py())


def _is_zero_code(level: str) -> bool:
    """Return whether a text is a code of digits that no number stands for, such as 00501."""
    return level[:1].isdigit() and level.isdecimal() and is_code(level)
