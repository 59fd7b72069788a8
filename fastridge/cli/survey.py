"""A first look at the training rows: what each column holds, and how it will be encoded."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastridge.cli.columns import UNITS, kind_of, to_numbers, to_text
from fastridge.cli.encoding import CategoricalColumn, Encoder, NumericColumn
from fastridge.cli.errors import CommandError, require
from fastridge.cli.reading import Source, TypesChangedError
from fastridge.cli.splitting import HELD_OUT, Split

MAX_DISTINCT = 100_000


@dataclass
class _Numbers:
    name: str
    kind: str
    count: int = 0
    missing: int = 0
    mean: float = 0.0
    least: float = math.inf
    most: float = -math.inf

    def add(self, array: Any) -> None:
        values = to_numbers(array, self.kind, self.name)
        values = values[~np.isnan(values)]
        self.missing += len(array) - len(values)
        if len(values):
            self.count += len(values)
            self.mean += (values.mean() - self.mean) * (len(values) / self.count)
            self.least = min(self.least, values.min())
            self.most = max(self.most, values.max())


@dataclass
class _Texts:
    kind: str
    counts: Counter[str] = field(default_factory=Counter)
    missing: int = 0

    def add(self, array: Any) -> None:
        if len(self.counts) > MAX_DISTINCT:
            return
        text = to_text(array)
        self.missing += text.null_count
        pairs = require("pyarrow.compute", "cli").value_counts(text.drop_null())
        values, counts = pairs.field(0).to_pylist(), pairs.field(1).to_pylist()
        for value, count in zip(values, counts, strict=True):
            self.counts[value] += count


@dataclass
class Survey:
    """What a first pass over the training rows found.

    Attributes
    ----------
    encoder : Encoder
    n_rows : int
        Rows of the file.
    n_without_target : int
        Rows left out because the target is missing, in all parts.
    n_train, n_test : int
    choices : list of (str, str)
        What was decided about the columns, as heading and text.
    """

    encoder: Encoder
    n_rows: int
    n_without_target: int
    n_train: int
    n_test: int
    choices: list[tuple[str, str]]


def survey_columns(
    source: Source,
    target: str,
    features: Sequence[str] | None,
    categorical: Sequence[str],
    max_categories: int,
    split: Split,
    advance: Callable[[int], None],
    restart: Callable[[], None],
) -> Survey:
    """Read the training rows once and decide how each column is encoded.

    A CSV file whose later rows do not fit the types of the first ones is read again from the
    start with wider types, after a call of `restart`.
    """
    source.check_columns([target, *(features or []), *categorical])
    if features is not None and target in features:
        raise CommandError(f"the target {target!r} is among the --features")
    chosen = features is not None
    names = list(dict.fromkeys(features)) if features else [n for n in source.types if n != target]
    for name in categorical:
        if name not in names:
            raise CommandError(f"--categorical names {name!r}, which is not among the features")
    while True:
        try:
            return _survey(
                source, target, names, chosen, set(categorical), max_categories, split, advance
            )
        except TypesChangedError:
            restart()


def _survey(
    source: Source,
    target: str,
    names: list[str],
    chosen: bool,
    categorical: set[str],
    max_categories: int,
    split: Split,
    advance: Callable[[int], None],
) -> Survey:
    check_target_type(source, target)
    found: dict[str, _Numbers | _Texts] = {}
    left_out: dict[str, list[str]] = {}
    for name in names:
        kind = kind_of(source.types[name])
        if kind == "unusable" and chosen:
            raise CommandError(f"feature {name!r} holds {source.types[name]}: not supported")
        if kind == "unusable":
            left_out.setdefault("of a type that is not supported", []).append(name)
        elif re.fullmatch(r"__index_level_\d+__", name) and not chosen:
            left_out.setdefault("a row index", []).append(name)
        elif kind == "text" or name in categorical:
            found[name] = _Texts("text" if kind == "empty" else kind)
        else:
            found[name] = _Numbers(name, "number" if kind == "empty" else kind)

    parts = split.start()
    n_rows = n_without_target = n_train = n_test = 0
    target_range = _Numbers(target, "number")
    for batch in source.batches([target, *found]):
        part = parts.draw(batch.num_rows)
        has_target = ~np.isnan(to_numbers(batch.column(target), "number", target))
        train = has_target & (part != HELD_OUT)
        n_rows += batch.num_rows
        n_without_target += int(np.count_nonzero(~has_target))
        n_train += int(np.count_nonzero(train))
        n_test += int(np.count_nonzero(has_target & (part == HELD_OUT)))
        rows = batch.filter(require("pyarrow", "cli").array(train))
        target_range.add(rows.column(target))
        for name, column in found.items():
            column.add(rows.column(name))
        advance(batch.num_rows)

    if n_rows == 0:
        raise CommandError(f"{source.path} has no rows")
    if n_train == 0:
        raise CommandError(
            f"no training rows: {n_without_target} of {n_rows} rows have no {target!r} and "
            f"{n_test} are held out"
        )
    if target_range.least == target_range.most:
        raise CommandError(
            f"the target {target!r} is constant ({target_range.most:g}) over the {n_train} "
            "training rows: there is nothing to explain"
        )
    columns = []
    for name, column in found.items():
        reason = _reason_to_leave_out(column)
        if reason is None:
            columns.append(_encoded(name, column, max_categories))
        elif chosen and isinstance(column, _Texts) and len(column.counts) > MAX_DISTINCT:
            raise CommandError(f"feature {name!r} has {reason}: leave it out")
        else:
            left_out.setdefault(reason, []).append(name)
    if not columns:
        raise CommandError(f"no usable features: every column but {target!r} was left out")
    choices = _choices(columns, found, left_out)
    return Survey(Encoder(columns), n_rows, n_without_target, n_train, n_test, choices)


def check_target_type(source: Source, target: str) -> None:
    """Raise CommandError unless the target is a column of numbers."""
    source.check_columns([target])
    dtype = source.types[target]
    if kind_of(dtype) not in ("number", "boolean", "empty"):
        what = "text" if kind_of(dtype) == "text" else str(dtype)
        raise CommandError(f"the target {target!r} holds {what}, not numbers")


def _reason_to_leave_out(column: _Numbers | _Texts) -> str | None:
    if isinstance(column, _Texts):
        if len(column.counts) > MAX_DISTINCT:
            return f"more than {MAX_DISTINCT:,} different values"
        if not column.counts:
            return "no values"
        return "constant" if len(column.counts) == 1 and not column.missing else None
    if not column.count:
        return "no values"
    return "constant" if column.least == column.most and not column.missing else None


def _encoded(
    name: str, column: _Numbers | _Texts, max_categories: int
) -> NumericColumn | CategoricalColumn:
    if isinstance(column, _Numbers):
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
    found: dict[str, _Numbers | _Texts],
    left_out: dict[str, list[str]],
) -> list[tuple[str, str]]:
    """What was decided, in words."""
    numeric, one_hot, filled = [], [], []
    for column in columns:
        survey = found[column.name]
        if isinstance(column, NumericColumn):
            unit = UNITS[column.kind]
            numeric.append(f"{column.name} ({unit})" if unit else column.name)
            if column.indicator:
                filled.append(
                    f"{column.name} ({survey.missing:,} became the mean {column.fill:.4g}, "
                    "marked by a column)"
                )
        else:
            assert isinstance(survey, _Texts)
            n_levels, n_values = len(column.levels), len(survey.counts)
            kept = f"{n_levels} most frequent of {n_values:,}, the rest '(other)'"
            one_hot.append(f"{column.name} ({kept if column.other else n_levels})")
            if column.missing:
                filled.append(f"{column.name} ({survey.missing:,} are a category)")
    choices = [
        ("numbers", ", ".join(numeric)),
        ("one-hot", ", ".join(one_hot)),
        ("missing", ", ".join(filled) or "none"),
        ("left out", "; ".join(f"{', '.join(names)}: {why}" for why, names in left_out.items())),
    ]
    return [(heading, text) for heading, text in choices if text]
