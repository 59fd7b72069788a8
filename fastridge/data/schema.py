"""Schema inference: what each column holds, and how it will be encoded."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fastridge.data.batches import MOST_QUOTED, ScanError
from fastridge.data.columns import (
    UNITS,
    kind_of,
    require_pyarrow,
    text_counts,
    to_numbers,
)
from fastridge.data.csv_options import CsvOptions
from fastridge.data.doubtful_text import Position, TextTest
from fastridge.data.one_hot import CategoricalColumn, Encoder, NumericColumn
from fastridge.data.table_files import ConversionError

if TYPE_CHECKING:
    import pyarrow as pa

MAX_DISTINCT = 100_000
_MAX_CLASSES = 100
_HUGE = 1e150
"""Numbers beyond this have squares that float64 may not hold."""
_EXACT = 2.0**53
"""The least number whose successor float64 does not have."""
_IDENTIFIERS = 0.9
"""The part of different texts among all from which a column identifies the rows, if there are"""
_LEAST_ROWS = 50
"""such rows at least."""


@dataclass
class RowCounts:
    """The number of rows of each kind in a pass.

    Attributes
    ----------
    n_rows : int
        All rows of the table.
    n_without_target : int
    n_train, n_test : int
        Rows with a target that are used, and that are held out.
    """

    n_rows: int = 0
    n_without_target: int = 0
    n_train: int = 0
    n_test: int = 0

    def add(self, n_rows: int, complete: np.ndarray | None, held_out: np.ndarray | None) -> None:
        """Add rows; `complete` and `held_out` mark some of them, None stands for all and none."""
        n_complete = n_rows if complete is None else int(np.count_nonzero(complete))
        n_test = 0
        if held_out is not None:
            n_test = int(np.count_nonzero(held_out if complete is None else complete & held_out))
        self.n_rows += n_rows
        self.n_without_target += n_rows - n_complete
        self.n_train += n_complete - n_test
        self.n_test += n_test


@dataclass
class Numbers:
    """A summary of a column of numbers."""

    name: str
    kind: str
    count: int = 0
    missing: int = 0
    mean: float = 0.0
    least: float = math.inf
    most: float = -math.inf
    rounded: bool | None = None
    """True if its values are whole, and some beyond what float64 tells apart; None if none is."""

    @property
    def constant(self) -> str | None:
        """A reason to leave the column out, if all values are equal as float64."""
        if self.least != self.most or self.missing:
            return None
        if self.rounded:
            return "constant as float64, which rounds whole numbers beyond 2^53"
        return "constant"

    def add(self, array: pa.Array, rows: np.ndarray | None = None) -> None:
        """Add the values of an Arrow array, or those of some rows."""
        values, complete = to_numbers(array, self.kind, self.name)
        values = values if rows is None else values.take(rows)
        if not complete:
            there = ~np.isnan(values)
            self.missing += int(np.count_nonzero(~there))
            values = values[there]
        if len(values):
            self.count += len(values)
            with np.errstate(over="ignore", invalid="ignore"):  # `check` refuses them
                self.mean += (values.mean() - self.mean) * (len(values) / self.count)
            self.least = min(self.least, values.min())
            self.most = max(self.most, values.max())
            if max(-self.least, self.most) >= _EXACT:
                self.rounded = self.rounded is not False and bool((values % 1 == 0).all())

    def check(self, position_of: Position) -> None:
        """Raise ScanError if a number is too large to be squared."""
        most = max(-self.least, self.most)
        if self.count and most > _HUGE:
            raise ScanError(
                f"{position_of(self.name, _is_huge)}: column {self.name!r} holds numbers up to "
                f"{most:.3g}, whose squares are beyond float64: divide the column by a power of ten"
            )


def _is_huge(text: str | None) -> bool:
    try:
        return text is not None and _HUGE < abs(float(text)) < math.inf
    except ValueError:
        return False


@dataclass
class Texts:
    """A summary of a column of text, or of codes; those of CSV files may be read as text."""

    name: str
    kind: str
    parsed: bool
    test: TextTest | None = None
    counts: Counter[str] = field(default_factory=Counter)
    missing: int = 0

    def add(self, array: pa.Array, rows: np.ndarray | None = None) -> None:
        """Add the values of an Arrow array, or those of some rows."""
        is_full = len(self.counts) > MAX_DISTINCT
        if is_full and (self.test is None or not self.test.open):
            return
        if self.parsed and is_rounded(array):
            error = ConversionError(f"column {self.name!r}: whole numbers beyond 2^53 are no codes")
            error.column = self.name
            raise error
        array = array if rows is None else array.take(require_pyarrow().array(rows))
        values, counts = text_counts(array)
        if self.test is not None:
            self.test.add(values, counts)
        if is_full:
            return
        self.missing += len(array) - int(counts.sum())
        for value, count in zip(values.to_pylist(), counts.tolist(), strict=True):
            self.counts[value] += count


class SchemaInference:
    """Summarise the columns of a table batch by batch, and choose the encoder that fits them.

    Parameters
    ----------
    types : mapping of str to pyarrow.DataType
    names : sequence of str
        The columns that may become features.
    categorical : collection of str
        Those whose numbers are codes.
    chosen : bool
        Whether somebody asked for each of these columns: one that cannot be used is an error then.
    keep : collection of str, optional
        Columns that are not left out.
    index : collection of str, optional
        Columns that number or name the rows: left out, unless chosen or kept.
    text : CsvOptions, optional
        How text becomes values, where types are guesses at what it means.

    Attributes
    ----------
    names : list of str
        The columns to summarise.
    """

    def __init__(
        self,
        types: Mapping[str, pa.DataType],
        names: Sequence[str],
        categorical: Collection[str],
        *,
        chosen: bool,
        keep: Collection[str] = (),
        index: Collection[str] = (),
        text: CsvOptions | None = None,
    ) -> None:
        self._chosen, self._keep = chosen, keep
        self._found: dict[str, Numbers | Texts] = {}
        self._left_out: dict[str, list[str]] = {}
        for name in names:
            kind = kind_of(types[name])
            if kind == "unusable" and chosen:
                raise ScanError(f"feature {name!r} holds {types[name]}: not supported")
            if kind == "unusable":
                self._left_out.setdefault("of a type that is not supported", []).append(name)
            elif name in index and not chosen and name not in keep:
                self._left_out.setdefault("a row index", []).append(name)
            elif kind == "text" or name in categorical:
                test = None if name in categorical else TextTest(text)
                kind = "text" if kind == "empty" else kind
                self._found[name] = Texts(name, kind, text is not None, test)
            else:
                self._found[name] = Numbers(name, "number" if kind == "empty" else kind)

    @property
    def names(self) -> list[str]:
        return list(self._found)

    def add(self, batch: pa.RecordBatch, rows: np.ndarray | None = None) -> None:
        """Add the rows of a record batch, or some of them."""
        for name, column in self._found.items():
            column.add(batch.column(name), rows)

    def encoder(
        self,
        max_categories: int,
        position_of: Position,
        *,
        keep_all: bool = False,
        has_rows: bool = True,
    ) -> tuple[Encoder, list[tuple[str, str]]]:
        """Return how the columns are encoded, and what was decided about them, in words.

        Constant columns and identifiers are left out, unless `keep_all`. Without `has_rows` there
        are only numbers. Raises ScanError for text that is nearly numbers or dates, and for numbers
        whose squares overflow (unless `keep_all`), at a position that `position_of` finds.
        """
        columns, left_out = [], {why: list(names) for why, names in self._left_out.items()}
        for name, column in self._found.items():
            if isinstance(column, Texts) and column.test is not None:
                column.test.check(name, column.counts, max_categories, position_of)
            reason = _reason_to_leave_out(column) if has_rows else None
            kept = keep_all or name in self._keep
            if reason is None and not kept and not self._chosen:
                reason = _identifies(column)
            if reason is None or (kept and _can_be_kept(column)):
                if isinstance(column, Numbers) and not keep_all:
                    column.check(position_of)
                columns.append(_encoded(name, column, max_categories))
            elif self._chosen and isinstance(column, Texts) and len(column.counts) > MAX_DISTINCT:
                raise ScanError(f"feature {name!r} has {reason}: leave it out")
            else:
                left_out.setdefault(reason, []).append(name)
        return Encoder(columns), _choices(columns, self._found, left_out)


def _reason_to_leave_out(column: Numbers | Texts) -> str | None:
    if isinstance(column, Texts):
        if len(column.counts) > MAX_DISTINCT:
            return f"more than {MAX_DISTINCT:,} different values"
        if not column.counts:
            return "no values"
        return "constant" if len(column.counts) == 1 and not column.missing else None
    if not column.count:
        return "no values"
    return column.constant


def _can_be_kept(column: Numbers | Texts) -> bool:
    """Return whether a column that is left out could be features: it is constant."""
    if isinstance(column, Texts):
        return 0 < len(column.counts) <= MAX_DISTINCT
    return column.count > 0


def _identifies(column: Numbers | Texts) -> str | None:
    """Return why a column of text says which row it is, None if it does not."""
    if isinstance(column, Numbers) or column.test is None:
        return None
    n_values, n_texts = column.counts.total(), len(column.counts)
    if n_values < _LEAST_ROWS or n_texts < _IDENTIFIERS * n_values:
        return None
    return f"an identifier, {n_texts:,} different texts in {n_values:,} rows"


def _encoded(
    name: str, column: Numbers | Texts, max_categories: int
) -> NumericColumn | CategoricalColumn:
    if isinstance(column, Numbers):
        return NumericColumn(name, column.kind, float(column.mean), column.missing > 0)
    by_count = sorted(column.counts.items(), key=lambda item: (-item[1], item[0]))
    return CategoricalColumn(
        name,
        column.kind,
        [value for value, _ in by_count[:max_categories]],
        other=len(by_count) > max_categories,
        missing=column.missing > 0,
    )


def _choices(
    columns: Sequence[NumericColumn | CategoricalColumn],
    found: dict[str, Numbers | Texts],
    left_out: dict[str, list[str]],
) -> list[tuple[str, str]]:
    """Return what was decided, in words."""
    numeric, one_hot, filled = [], [], []
    for column in columns:
        summary = found[column.name]
        if isinstance(column, NumericColumn):
            unit = UNITS[column.kind]
            if isinstance(summary, Numbers) and summary.rounded and not unit:
                unit = "rounded, as whole numbers beyond 2^53"
            numeric.append(f"{column.name} ({unit})" if unit else column.name)
            if column.indicator:
                filled.append(
                    f"{column.name} ({summary.missing:,} became the mean {column.fill:.4g}, "
                    "marked by a column)"
                )
        else:
            assert isinstance(summary, Texts)
            n_levels, n_values = len(column.levels), len(summary.counts)
            kept = f"{n_levels} most frequent of {n_values:,}, the rest '(other)'"
            one_hot.append(f"{column.name} ({kept if column.other else n_levels})")
            if column.missing:
                filled.append(f"{column.name} ({summary.missing:,} are a category)")
    choices = [
        ("numbers", ", ".join(numeric)),
        ("one-hot", ", ".join(one_hot)),
        ("missing", ", ".join(filled) or "none"),
        ("left out", "; ".join(f"{', '.join(names)}: {why}" for why, names in left_out.items())),
    ]
    return [(heading, text) for heading, text in choices if text]


def is_rounded(array: pa.Array) -> bool:
    """Return whether numbers of floating point may be whole numbers that were rounded."""
    pa = require_pyarrow()
    if not pa.types.is_float64(array.type):
        return False
    most = pa.compute.max(pa.compute.abs(array)).as_py()
    return most is not None and most >= _EXACT


def check_rows(
    counts: RowCounts, target: Numbers | Texts, name: str, what: str, position_of: Position
) -> None:
    """Raise ScanError unless there are rows with different values, or labels, of the target."""
    if counts.n_rows == 0:
        raise ScanError(f"{what} has no rows")
    if counts.n_train == 0:
        raise ScanError(
            f"{what}: no training rows: {counts.n_without_target} of {counts.n_rows} rows have no "
            f"{name!r} and {counts.n_test} are held out: choose another target, or hold out less"
        )
    if isinstance(target, Numbers):
        target.check(position_of)
        constant, value = target.least == target.most, f"{target.most:g}"
    else:
        constant = len(target.counts) == 1
        value = next(iter(target.counts))[:MOST_QUOTED]
        if len(target.counts) > _MAX_CLASSES:
            raise ScanError(
                f"the target {name!r} has more than {_MAX_CLASSES} labels: choose another target"
            )
    if constant:
        raise ScanError(
            f"{what}: the target {name!r} is constant ({value}) over the {counts.n_train} training "
            "rows: choose another target"
        )
