"""Turn columns into features: numbers with missing values filled, categories one-hot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from fastridge.data.batches import ScanError
from fastridge.data.batching import Where
from fastridge.data.columns import (
    UNITS,
    codes_of,
    fits,
    has_few_values,
    kind_of,
    require_pyarrow,
    to_numbers,
    to_text,
)

if TYPE_CHECKING:
    import pyarrow as pa

_NEW, _NULL = -1, -2


@dataclass(frozen=True)
class NumericColumn:
    """A column that is one feature, and a second one that marks missing values."""

    name: str
    kind: str  # one of `UNITS`
    fill: float  # what stands for a missing value: the mean of the training rows
    indicator: bool  # whether a feature "<name> missing" follows, 1 where the value is missing

    @property
    def feature_names(self) -> list[str]:
        """Names of the features this column becomes."""
        return [self.name, f"{self.name} missing"] if self.indicator else [self.name]

    def encode_into(self, features_out: np.ndarray, array: pa.Array, where: Where) -> int:
        """Write the features of an Arrow array; return how many values are missing unmarked."""
        values, complete = to_numbers(array, self.kind, self.name)
        if complete:
            features_out[0][where] = values
            return 0
        missing = np.isnan(values)
        features_out[0][where] = np.where(missing, self.fill, values)
        if self.indicator:
            features_out[1][where] = missing
            return 0
        return int(np.count_nonzero(missing))


@dataclass(frozen=True)
class CategoricalColumn:
    """A column that is one feature a category, 1 where the row is of that category."""

    name: str
    kind: str  # "text", or one of `UNITS` where codes are categories
    levels: list[str]  # the categories, most frequent first
    other: bool  # whether a feature "<name>=(other)" follows, for values not in `levels`
    missing: bool  # whether a feature "<name>=(missing)" follows
    canonical: bool = True  # `levels` are what `to_text` writes; in older files not always

    @property
    def feature_names(self) -> list[str]:
        """Names of the features this column becomes."""
        names = [f"{self.name}={level}" for level in self.levels]
        if self.other:
            names.append(f"{self.name}=(other)")
        if self.missing:
            names.append(f"{self.name}=(missing)")
        return names

    def encode_into(self, features_out: np.ndarray, array: pa.Array, where: Where) -> int:
        """Write the ones of one Arrow array into zeros; return how many rows got none."""
        if not fits(kind_of(array.type), self.kind, as_text=True):
            raise ScanError(
                f"column {self.name!r} holds {array.type} where {self.kind} is expected: convert "
                "it first"
            )
        level = self._levels_of(array)
        rows = np.arange(where.start, where.stop) if isinstance(where, slice) else where
        found = level >= 0
        if found.all():
            features_out[level, rows] = 1.0
            return 0
        features_out[level[found], rows[found]] = 1.0
        is_new, is_null = level == _NEW, level == _NULL
        if self.other:
            features_out[len(self.levels), rows[is_new]] = 1.0
        if self.missing:
            features_out[-1, rows[is_null]] = 1.0
        without = (0 if self.other else is_new.sum()) + (0 if self.missing else is_null.sum())
        return int(without)

    def _levels_of(self, array: pa.Array) -> np.ndarray:
        """Return the index of each value in `levels`, or `_NEW` or `_NULL`."""
        pa = require_pyarrow()
        if has_few_values(array):
            own = self._levels_of(array.dictionary)
            return np.append(own, _NULL)[codes_of(array)]
        text = to_text(array, canonical=self.canonical)
        index = pa.compute.index_in(text, value_set=pa.array(self.levels, pa.string()))
        level: np.ndarray = index.fill_null(_NEW).to_numpy(zero_copy_only=False)
        if text.null_count:
            level = np.where(text.is_null().to_numpy(zero_copy_only=False), _NULL, level)
        return level


@dataclass(frozen=True)
class Encoder:
    """The features of a model, column by column, and the labels of a target of classes, if it is.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from fastridge.data.one_hot import CategoricalColumn, Encoder, NumericColumn
    >>> encoder = Encoder(
    ...     [
    ...         NumericColumn("x", "number", fill=2.0, indicator=False),
    ...         CategoricalColumn("c", "text", ["a", "b"], other=True, missing=False),
    ...     ]
    ... )
    >>> encoder.feature_names
    ['x', 'c=a', 'c=b', 'c=(other)']
    >>> encoder.encode(pa.record_batch({"x": [1, None], "c": ["b", "new"]}))
    array([[1., 0., 1., 0.],
           [2., 0., 0., 1.]])
    """

    columns: Sequence[NumericColumn | CategoricalColumn]
    unfamiliar: dict[str, int] = field(default_factory=dict, compare=False)
    classes: Sequence[str] | None = None
    unseen_labels: Counter[str] = field(default_factory=Counter, compare=False)

    @property
    def names(self) -> list[str]:
        """The columns of the file that are used."""
        return [column.name for column in self.columns]

    @property
    def feature_names(self) -> list[str]:
        """Names of the features, in their order."""
        return [name for column in self.columns for name in column.feature_names]

    @property
    def n_features(self) -> int:
        """Number of features."""
        return sum(self._widths)

    def encode(self, batch: pa.RecordBatch) -> np.ndarray:
        """Return the dense features (rows, n_features) of an Arrow record batch.

        `unfamiliar` counts, column by column, the values that no feature stands for.
        """
        features = np.zeros((self.n_features, batch.num_rows))
        self.encode_into(features, batch, slice(0, batch.num_rows))
        return features.T

    def encode_into(self, features_out: np.ndarray, batch: pa.RecordBatch, where: Where) -> None:
        """Write the features of a record batch into zeros, of shape (n_features, n_rows).

        `where` is the rows of `features_out` that those of the record batch become.
        """
        start = 0
        for column, n_features in zip(self.columns, self._widths, strict=True):
            stop = start + n_features
            some = features_out[start:stop]
            count = column.encode_into(some, batch.column(column.name), where)
            if count:
                self.unfamiliar[column.name] = self.unfamiliar.get(column.name, 0) + count
            start = stop

    @cached_property
    def _widths(self) -> list[int]:
        """Number of features of each column."""
        return [len(column.feature_names) for column in self.columns]

    def encode_target(self, array: pa.Array, name: str) -> np.ndarray:
        """Return the target as numbers, NaN where missing: itself, or the index of its label.

        A label that is not in `classes` is -1, and is counted in `unseen_labels`.
        """
        if self.classes is None:
            return to_numbers(array, "number", name)[0]
        pa = require_pyarrow()
        text = to_text(array)
        index = pa.compute.index_in(text, value_set=pa.array(self.classes, pa.string()))
        codes: np.ndarray = index.fill_null(-1).to_numpy(zero_copy_only=False).astype(float)
        for label in text.filter(pa.compute.equal(codes, -1)).drop_null().to_pylist():
            self.unseen_labels[label] += 1
        codes[text.is_null().to_numpy(zero_copy_only=False)] = np.nan
        return codes

    def to_json(self) -> list[dict[str, Any]]:
        """Return the columns as plain values; those of older files as they were."""
        columns = [asdict(column) for column in self.columns]
        for column in columns:
            if not column.get("canonical", True):
                del column["canonical"]
        return columns

    @classmethod
    def from_json(cls, columns: Sequence[Mapping[str, Any]]) -> Encoder:
        """Return the encoder of `to_json`. Raises ValueError if the values are not one."""
        return cls([_column_from_json(column) for column in columns])


def _column_from_json(column: Mapping[str, Any]) -> NumericColumn | CategoricalColumn:
    name, kind, levels = column.get("name"), column.get("kind"), column.get("levels", [])
    texts = [name, *levels] if isinstance(levels, list) else [None]
    if kind in (*UNITS, "text") and all(isinstance(text, str) for text in texts):
        try:
            if "levels" in column:
                return CategoricalColumn(**{"canonical": False, **column})
            if kind in UNITS and isinstance(column["fill"], float):
                return NumericColumn(**column)
        except (TypeError, KeyError):
            pass
    raise ValueError(f"no column can be made of {column!r}")
