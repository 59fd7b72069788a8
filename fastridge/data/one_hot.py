"""Turn columns into features: numbers with missing values filled, categories one-hot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from fastridge._typing import Matrix
from fastridge.data.batches import ScanError, quoted
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
from fastridge.data.sparse_batch import SparseBatch

if TYPE_CHECKING:
    import pyarrow as pa

_NEW, _NULL = -1, -2
MOST_NAMED = 1000
"""Different values that no feature stands for that are kept of a column."""
_LISTED = 5


@dataclass
class Unfamiliar:
    """Values that no feature stands for, and how often each was found.

    Attributes
    ----------
    counts : Counter of str
        Of the first `MOST_NAMED` different ones.
    missing, others : int
        How many values are missing, and are not among `counts`.
    """

    counts: Counter[str] = field(default_factory=Counter)
    missing: int = 0
    others: int = 0

    @property
    def total(self) -> int:
        """Number of values."""
        return self.counts.total() + self.missing + self.others

    def add(self, texts: pa.StringArray) -> None:
        """Add values by their text, null where missing."""
        self.missing += texts.null_count
        found = require_pyarrow().compute.value_counts(texts.drop_null())
        for value, count in zip(
            found.field(0).to_pylist(), found.field(1).to_pylist(), strict=True
        ):
            if value in self.counts or len(self.counts) < MOST_NAMED:
                self.counts[value] += count
            else:
                self.others += count

    def __str__(self) -> str:
        """Return the most frequent values in words."""
        listed = [f"{quoted(value)} ({n:,} rows)" for value, n in self.counts.most_common(_LISTED)]
        if self.missing:
            listed.append(f"missing ({self.missing:,} rows)")
        rest = self.total - self.missing - sum(n for _, n in self.counts.most_common(_LISTED))
        return ", ".join(listed) + (f" and {rest:,} rows of others" if rest else "")


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

    def encode_into(
        self,
        features_out: np.ndarray,
        array: pa.Array,
        where: Where,
        unfamiliar: dict[str, Unfamiliar],
    ) -> None:
        """Write the features of an Arrow array; add values that are missing unmarked."""
        values, complete = to_numbers(array, self.kind, self.name)
        if complete:
            features_out[0][where] = values
            return
        missing = np.isnan(values)
        features_out[0][where] = np.where(missing, self.fill, values)
        if self.indicator:
            features_out[1][where] = missing
        elif missing.any():
            found = unfamiliar.setdefault(self.name, Unfamiliar())
            found.missing += int(np.count_nonzero(missing))


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

    def encode_into(
        self,
        features_out: np.ndarray,
        array: pa.Array,
        where: Where,
        unfamiliar: dict[str, Unfamiliar],
    ) -> None:
        """Write the ones of one Arrow array into zeros; add the values of rows that got none."""
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
            return
        features_out[level[found], rows[found]] = 1.0
        is_new, is_null = level == _NEW, level == _NULL
        if self.other:
            features_out[len(self.levels), rows[is_new]] = 1.0
        if self.missing:
            features_out[-1, rows[is_null]] = 1.0
        without = (is_new & (not self.other)) | (is_null & (not self.missing))
        if without.any():
            array = array.filter(require_pyarrow().array(without))
            text = to_text(array, canonical=self.canonical)
            unfamiliar.setdefault(self.name, Unfamiliar()).add(text)

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
    unfamiliar: dict[str, Unfamiliar] = field(default_factory=dict, compare=False)
    classes: Sequence[str] | None = None
    unseen_labels: Unfamiliar = field(default_factory=Unfamiliar, compare=False)

    @property
    def names(self) -> list[str]:
        """The columns of the file that are used."""
        return [column.name for column in self.columns]

    @cached_property
    def feature_names(self) -> list[str]:
        """Names of the features, in their order; see `features_of` for those of a column."""
        return [name for column in self.columns for name in self.features_of[column.name]]

    @cached_property
    def features_of(self) -> dict[str, list[str]]:
        """Names of the features of each column.

        All differ: a number follows where the level ``b`` of ``a`` would be called as a column
        ``a=b``.
        """
        used = {c.name for c in self.columns if isinstance(c, NumericColumn)}
        found: dict[str, list[str]] = {}
        for column in self.columns:
            names = column.feature_names
            for k, name in enumerate(names):
                if k == 0 and isinstance(column, NumericColumn):
                    continue
                number = 1
                while names[k] in used:
                    number += 1
                    names[k] = f"{name} ({number})"
                used.add(names[k])
            found[column.name] = names
        return found

    @property
    def n_features(self) -> int:
        """Number of features."""
        return sum(self._widths)

    def encode(self, batch: pa.RecordBatch | SparseBatch) -> Matrix:
        """Return the features (rows, n_features) of a batch: dense, or CSR of a sparse one.

        `unfamiliar` has, column by column, the values that no feature stands for.
        """
        if isinstance(batch, SparseBatch):
            return self._encode_sparse(batch)
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
            values = batch.column(column.name)
            column.encode_into(features_out[start:stop], values, where, self.unfamiliar)
            start = stop

    @cached_property
    def _widths(self) -> list[int]:
        """Number of features of each column."""
        return [len(column.feature_names) for column in self.columns]

    def _encode_sparse(self, batch: SparseBatch) -> sp.csr_matrix:
        blocks = []
        for is_plain, group in groupby(self.columns, lambda c: _is_plain(c) and c.name in batch):
            some = list(group)
            if is_plain:
                names, fills = [c.name for c in some], [c.fill for c in some]  # type: ignore[union-attr]
                features, missing = batch.numbers(names, fills)
                blocks.append(features)
                for name, count in missing.items():
                    self.unfamiliar.setdefault(name, Unfamiliar()).missing += count
            for column in () if is_plain else some:
                dense = np.zeros((len(column.feature_names), batch.num_rows))
                where, values = slice(0, batch.num_rows), batch.column(column.name)
                column.encode_into(dense, values, where, self.unfamiliar)
                blocks.append(sp.csr_matrix(dense.T))
        return blocks[0] if len(blocks) == 1 else sp.hstack(blocks, format="csr")

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
        self.unseen_labels.add(text.filter(pa.compute.equal(codes, -1)).drop_null())
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


def _is_plain(column: NumericColumn | CategoricalColumn) -> bool:
    """Return whether a column is one feature, its numbers."""
    of_numbers = isinstance(column, NumericColumn) and column.kind in ("number", "boolean")
    return of_numbers and not column.indicator  # type: ignore[union-attr]


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
