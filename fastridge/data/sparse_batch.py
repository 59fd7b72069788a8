"""A batch of a table most of whose values are zero: what its readers ask of a record batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.sparse as sp

from fastridge._typing import Index
from fastridge.data.columns import infinite_error, is_finite, require_pyarrow

if TYPE_CHECKING:
    import pyarrow as pa


class Summaries(NamedTuple):
    """Numbers, means and ends of the values of columns, each of shape (n_columns,).

    Attributes
    ----------
    known, missing : ndarray
        Numbers of values that are there, and that are missing.
    mean, least, most : ndarray
    """

    known: np.ndarray
    missing: np.ndarray
    mean: np.ndarray
    least: np.ndarray
    most: np.ndarray


class SparseBatch:
    """Consecutive rows with a target.

    Parameters
    ----------
    schema : pyarrow.Schema
        The target, and the columns of X.
    y : ndarray of shape (n_rows,)
    X : CSR matrix of shape (n_rows, n_columns)
    positions : mapping of str to int
        Of the columns of X.
    """

    def __init__(
        self,
        schema: pa.Schema,
        y: np.ndarray,
        X: sp.csr_matrix,
        positions: Mapping[str, int],
    ) -> None:
        self.schema, self.y, self.X, self._positions = schema, y, X, positions

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return len(self.y)

    def __contains__(self, name: str) -> bool:
        """Return whether a column is one of X."""
        return name in self._positions

    @property
    def is_full(self) -> bool:
        """True if no value is missing."""
        return not np.isnan(self.X.data).any()

    def column(self, name: str) -> pa.Array:
        """Return all values of a column."""
        values = self.y
        if name != self.schema.names[0]:
            values = self.X[:, [self._positions[name]]].toarray()[:, 0]
        return require_pyarrow().array(values)

    def take(self, rows: np.ndarray) -> SparseBatch:
        """Return rows by their indices."""
        return self._of(rows)

    def slice(self, offset: int) -> SparseBatch:
        """Return the rows from one on."""
        return self._of(slice(offset, None)) if offset else self

    def _of(self, rows: Index) -> SparseBatch:
        return SparseBatch(self.schema, self.y[rows], self.X[rows], self._positions)

    def record_batch(self) -> pa.RecordBatch:
        """Return all values of all columns."""
        pa = require_pyarrow()
        columns = [self.y, *np.ascontiguousarray(self.X.toarray().T)]
        return pa.record_batch([pa.array(c) for c in columns], schema=self.schema)

    def numbers(
        self, names: Sequence[str], fills: Sequence[float]
    ) -> tuple[sp.csr_matrix, dict[str, int]]:
        """Return columns, with fills where values are missing, and how many of each are.

        Raises CellError for an infinite number.
        """
        X = self._columns(names)
        if is_finite(X.data):
            return X, {}
        missing = np.isnan(X.data)
        at = X.indices[missing]
        X.data[missing] = np.asarray(fills)[at]
        counts = np.bincount(at, minlength=len(names))
        return X, {names[k]: int(counts[k]) for k in np.flatnonzero(counts).tolist()}

    def summaries(self, names: Sequence[str]) -> Summaries:
        """Return what the values of columns are. Raises CellError for an infinite number."""
        X, p = self._columns(names), len(names)
        values, at = X.data, X.indices
        there = ~np.isnan(values)
        missing = np.bincount(at[~there], minlength=p)
        values, at = values[there], at[there]
        count = self.num_rows - missing
        has_zeros = count > np.bincount(at, minlength=p)
        least, most = np.where(has_zeros, 0.0, np.inf), np.where(has_zeros, 0.0, -np.inf)
        np.minimum.at(least, at, values)
        np.maximum.at(most, at, values)
        mean = np.bincount(at, values, p) / np.maximum(count, 1)
        return Summaries(count, missing, mean, least, most)

    def _columns(self, names: Sequence[str]) -> sp.csr_matrix:
        """Return a copy of columns. Raises CellError for an infinite number."""
        X = self.X[:, [self._positions[name] for name in names]]
        infinite = np.flatnonzero(np.isinf(X.data))
        if len(infinite):
            raise infinite_error(names[int(X.indices[infinite[0]])])
        return X
