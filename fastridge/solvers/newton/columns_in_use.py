"""The columns that steps with an L1 penalty move, about the centre of their design."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

from fastridge._kernels.attributes import computed_once
from fastridge.designs.design import Design
from fastridge.runtime.threads import product

_HELD_VALUES = 6 << 20  # of dense columns that are copied: 48 MB; others are read in X
_WHOLE = 0.2  # of all columns: if more are in use, X is read as a whole
_CHUNK_VALUES = 1 << 17
_SMALL_VALUES = 1 << 21  # of X, which BLAS multiplies at once
_MOST_LOST = 1e3  # the distance of a column from zero that loses few digits, over its deviation


def columns_of(design: Design) -> "DenseColumns | SparseColumns":
    """Return the columns of a design, with none of them in use."""
    return SparseColumns(design) if design.sparse else DenseColumns(design)


class DenseColumns:
    """Columns of dense rows."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self.features = np.empty(0, dtype=np.intp)
        self._held: np.ndarray | None = np.empty((0, design.shape[0]))
        self._whole: tuple[np.ndarray, np.ndarray] | None = None

    def take(self, features: np.ndarray) -> None:
        """Take more columns into use."""
        before = len(self.features)
        self.features = np.append(self.features, features)
        size, n = len(self.features), self.design.shape[0]
        if self._held is None or size * n > _HELD_VALUES:
            self._held = None
            return
        if size > len(self._held):
            wider = np.empty((size + size // 2 + 16, n))
            wider[:before] = self._held[:before]
            self._held = wider
        self._held[before:size] = self._read(slice(None), features)

    def _read(self, rows: slice, features: np.ndarray) -> np.ndarray:
        X = self.design.X
        values = np.array(X[rows].T[features], dtype=np.float64, order="C")
        values -= self.design.centre[features, None]
        weight = self.design.weight
        if weight is not None:  # rows without weight may be anywhere
            values[:, weight[rows] == 0.0] = 0.0
        return values

    def _blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield columns, as rows of an array, for some rows of the design at a time."""
        m, n = len(self.features), self.design.shape[0]
        held, step = self._held, max(64, _CHUNK_VALUES // max(1, m))
        for begin in range(0, n, step):
            rows = slice(begin, min(begin + step, n))
            yield rows, self._read(rows, self.features) if held is None else held[:m, rows]

    def _reads_whole(self) -> bool:
        return self._held is None and len(self.features) > _WHOLE * self.design.shape[1]

    def predict(self, coef: np.ndarray) -> np.ndarray:
        """Return the products with coefficients (n_predictors, n_columns)."""
        if self._reads_whole():
            table = np.zeros((len(coef), self.design.shape[1]))
            table[:, self.features] = coef
            return np.ascontiguousarray(self.design.predict(table).T)
        out = np.zeros((len(coef), self.design.shape[0]))
        if self._held is not None:
            return np.matmul(coef, self._held[: len(self.features)], out=out)
        for rows, values in self._blocks():
            np.matmul(coef, values, out=out[:, rows])
        return out

    def correlate(self, left: np.ndarray) -> np.ndarray:
        """Return the products with vectors over the rows (n_vectors, n_samples)."""
        if self._reads_whole():
            self._whole = left, self.design.correlate(left.T)
            return self._whole[1][:, self.features]
        out = np.zeros((len(left), len(self.features)))
        if self._held is not None:
            return np.matmul(left, self._held[: len(self.features)].T, out=out)
        for rows, values in self._blocks():
            out += left[:, rows] @ values.T
        return out

    def of_all(self, left: np.ndarray) -> np.ndarray | None:
        """Return the products of all columns with these vectors if they are the last in use."""
        if self._whole is not None and self._whole[0] is left:
            return self._whole[1]
        return None

    def product_of_all(self, left: np.ndarray) -> np.ndarray:
        """Return the products of all columns with vectors over the rows (n_vectors, n_samples)."""
        design = self.design
        if not self._is_near:
            return design.correlate(left.T)
        return product(left, design.X) - left.sum(axis=1)[:, None] * design.centre

    @computed_once
    def _is_near(self) -> bool:
        """Return whether X is small, and no column so far from zero that it would lose digits."""
        design = self.design
        if design.X.dtype != np.float64 or design.X.size > _SMALL_VALUES:
            return False
        most = _MOST_LOST**2 * design.squares
        near = design.centre**2 * design.sum_weights <= most
        return design.n_counted == design.shape[0] and bool(near[design.squares > 0.0].all())

    def of_others(self, features: np.ndarray, left: np.ndarray) -> np.ndarray:
        """Return the products of columns that need not be in use with vectors over the rows."""
        out = np.zeros((len(left), len(features)))
        design, n = self.design, self.design.shape[0]
        if n * len(features) <= _CHUNK_VALUES and design.n_counted == n:
            found: np.ndarray = left @ design.X.T[features].T
            return found - left.sum(axis=1)[:, None] * design.centre[features]
        step = max(64, _CHUNK_VALUES // max(1, len(features)))
        for begin in range(0, n, step):
            rows = slice(begin, min(begin + step, n))
            out += left[:, rows] @ self._read(rows, features).T
        return out

    def sparse_block(self, slots: np.ndarray) -> tuple[Any, np.ndarray]:
        """Return columns by position as a CSC matrix, and the centre that is not yet subtracted."""
        values = np.hstack([values[slots] for _, values in self._blocks()])
        return sp.csc_matrix(values.T), np.zeros(len(slots))

    def gram(
        self, left: np.ndarray, left_factors: np.ndarray, right: np.ndarray, factors: np.ndarray
    ) -> np.ndarray:
        """Return the products of columns by position, times factors of the rows, with others.

        Factors have one row for each of the columns, or one for all.
        """
        out = np.zeros((len(left), len(right)))
        same = left_factors is factors and np.array_equal(left, right)
        for rows, values in self._blocks():
            scaled = values[right] * factors[:, rows]
            out += (scaled if same else values[left] * left_factors[:, rows]) @ scaled.T
        return out


class SparseColumns:
    """Columns of sparse rows, centred implicitly."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self.features = np.empty(0, dtype=np.intp)
        self._by_columns = design.by_columns()
        self.X: sp.csc_matrix = self._by_columns.X
        self.block: Any = None
        self.take(self.features)

    def take(self, features: np.ndarray) -> None:
        """Take more columns into use."""
        self.features = np.append(self.features, features)
        self.block = self.X[:, self.features].astype(np.float64)
        self.centre = self.design.centre[self.features]

    def sparse_block(self, slots: np.ndarray) -> tuple[Any, np.ndarray]:
        """Return columns by position as a CSC matrix, and the centre that is not yet subtracted."""
        if len(slots) == len(self.features):  # in order
            return self.block, self.centre
        return self.block[:, slots], self.centre[slots]

    def predict(self, coef: np.ndarray) -> np.ndarray:
        """Return the products with coefficients (n_predictors, n_columns)."""
        if not len(self.features):
            return np.zeros((len(coef), self.X.shape[0]))
        found: np.ndarray = (self.block @ coef.T).T - (coef * self.centre).sum(axis=1)[:, None]
        return found

    def correlate(self, left: np.ndarray) -> np.ndarray:
        """Return the products with vectors over the rows (n_vectors, n_samples)."""
        if not len(self.features):
            return np.zeros((len(left), 0))
        found: np.ndarray = (self.block.T @ left.T).T - left.sum(axis=1)[:, None] * self.centre
        return found

    def of_all(self, left: np.ndarray) -> None:
        """Return None: the products of all columns are never known."""

    def product_of_all(self, left: np.ndarray) -> np.ndarray:
        """Return the products of all columns with vectors over the rows (n_vectors, n_samples)."""
        return self._by_columns.correlate(left.T)

    def of_others(self, features: np.ndarray, left: np.ndarray) -> np.ndarray:
        """Return the products of columns that need not be in use with vectors over the rows."""
        found: np.ndarray = (self.X[:, features].T @ left.T).T
        return found - left.sum(axis=1)[:, None] * self.design.centre[features]

    def gram(
        self, left: np.ndarray, left_factors: np.ndarray, right: np.ndarray, factors: np.ndarray
    ) -> np.ndarray:
        """Return the products of columns by position, times factors of the rows, with others.

        Factors have one row for each of the columns, or one for all.
        """
        first = self._scaled(left, left_factors)
        second = self._scaled(right, factors)
        found: np.ndarray = (first.T @ second).toarray()
        size = left_factors @ factors.T
        a, b = self.centre[left], self.centre[right]
        cross = np.asarray(first.T @ factors.T)  # (left, 1 or right)
        cross_right = np.asarray(second.T @ left_factors.T).T
        return found - cross * b - a[:, None] * cross_right + a[:, None] * size * b

    def _scaled(self, some: np.ndarray, factors: np.ndarray) -> Any:
        block = self.block[:, some]
        column = np.repeat(np.arange(len(some)), np.diff(block.indptr))
        if len(factors) == 1:
            column = np.zeros_like(column)
        block.data = block.data * factors[column, block.indices]
        return block
