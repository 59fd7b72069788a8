"""Dense rows, read in place."""

from collections.abc import Iterator

import numpy as np

from fastridge._kernels.attributes import computed_once
from fastridge._typing import Index
from fastridge.designs.design import Design
from fastridge.designs.expansion import (
    ClassExpansion,
    ClassLosses,
    Expansion,
    RowLosses,
    expand_classes,
    expand_rows,
)
from fastridge.statistics.accumulate import (
    CentredProducts,
    centred_products,
    combined_columns,
    combined_rows,
    kernel_rows,
    outer_products,
    pilot_mean,
    pilot_rows,
    takes_single,
)
from fastridge.statistics.checked_products import checked_products

_CHUNK_VALUES = 1 << 17  # values of X converted at a time where Python does the arithmetic
_FEW_ROWS = 256  # whose mean costs little more than that of 64 rows
_FEW_VECTORS = 8  # up to this number, X is read from memory for all of them at once


class DenseDesign(Design):
    """Rows in a dense array of any layout and numeric dtype."""

    X: np.ndarray

    def _chunks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield rows as float64, some at a time."""
        n, p = self.shape
        step = max(1, _CHUNK_VALUES // p)
        for begin in range(0, n, step):
            rows = slice(begin, min(begin + step, n))
            some = kernel_rows(self.X, rows.start, rows.stop)
            yield rows, some if some.dtype == np.float64 else some.astype(np.float64)

    def _mean_of_rows(self) -> np.ndarray:
        weight = self.row_weights
        counted = int(np.argmax(weight > 0.0))  # rows without weight may be anywhere
        first = np.array(self.X[counted], dtype=np.float64, order="C")
        total = combined_rows(self.X, first, weight[:, None], self.n_threads)[0]
        mean: np.ndarray = first + total / self.sum_weights
        return mean

    def _squares_of_rows(self) -> np.ndarray:
        weight = self.row_weights
        total = np.zeros(self.shape[1])
        for rows, values in self._chunks():
            some = weight[rows]
            counted: Index = slice(None)
            if self.n_counted < self.shape[0]:  # squares of what does not count may overflow
                counted = some > 0.0
            total += some[counted] @ (values[counted] - self.mean) ** 2
        return total

    def accumulate(self, y: np.ndarray) -> CentredProducts:
        """Accumulate the products of columns and targets, in one pass over the rows."""
        Y = y[:, None] if y.ndim == 1 else y
        products = centred_products(self.X, Y, self.weight, self.n_threads)
        return checked_products(products, self.X, Y, self.weight)

    def predict(self, V: np.ndarray) -> np.ndarray:
        """Return (X - centre) V' for V of shape (k, n_features), without a centred copy of X."""
        if len(V) == 1:
            coef = np.ascontiguousarray(V[0], dtype=np.float64)
            return combined_columns(self.X, self.centre, coef, self.n_threads)[:, None]
        out = np.empty((self.shape[0], V.shape[0]))
        for rows, values in self._chunks():
            np.matmul(values - self.centre, V.T, out=out[rows])
        return out

    def correlate(self, U: np.ndarray) -> np.ndarray:
        """Return U' (X - centre) for U of shape (n_samples, k), without a centred copy of X."""
        if U.shape[1] <= _FEW_VECTORS:
            return combined_rows(self.X, self.centre, np.ascontiguousarray(U), self.n_threads)
        out = np.zeros((U.shape[1], self.shape[1]))
        for rows, values in self._chunks():
            out += U[rows].T @ (values - self.centre)
        return out

    @computed_once
    def pilot(self) -> np.ndarray:
        """The mean of all rows if they are few, or else of some; zeros without an intercept."""
        if not self.fit_intercept:
            return np.zeros(self.shape[1])
        if self.n_counted <= _FEW_ROWS:
            return self.mean
        rows = pilot_rows(self.n_counted)
        if self.weight is not None and self.n_counted < self.shape[0]:
            rows = np.flatnonzero(self.weight)[rows]
        return pilot_mean(self.X, rows)

    def expand(
        self, loss: RowLosses, coef: np.ndarray, intercept: float, *, second: bool
    ) -> Expansion:
        """Sum a loss of the rows, with its derivatives, at ``(X - pilot) coef + intercept``."""
        point = (self.pilot, coef, intercept)
        return expand_rows(self.X, loss, self.weight, point, self.n_threads, second=second)

    def expand_roughly(self, loss: RowLosses, coef: np.ndarray, intercept: float) -> Expansion:
        """Do as `expand`, with a Hessian that may be summed in single precision."""
        point, unit = (self.pilot, coef, intercept), None
        if self.X.strides[1] == self.X.itemsize and takes_single(self.shape, self.n_threads):
            unit = self._unit
        return expand_rows(self.X, loss, self.weight, point, self.n_threads, second=True, unit=unit)

    @computed_once
    def _unit(self) -> np.ndarray:
        """Powers of two by which some values of each column are of the size of 1."""
        rows = self.X[pilot_rows(self.shape[0])].astype(np.float64) - self.pilot
        with np.errstate(all="ignore"):
            size = np.sqrt(np.mean(rows**2, axis=0) * self.row_weights.mean())
        size[~((size > 0.0) & (size < np.inf))] = 1.0
        unit: np.ndarray = np.exp2(-np.round(np.log2(size)))
        return unit

    def expand_classes(
        self, loss: ClassLosses, coef: np.ndarray, intercept: np.ndarray
    ) -> ClassExpansion:
        """Sum a multinomial loss of the rows at ``(X - pilot) coef' + intercept``."""
        point = (self.pilot, coef, intercept)
        return expand_classes(self.X, loss, self.weight, point, self.n_threads)

    def outer_gram(
        self, scale: np.ndarray, rows: Index = slice(None), centre: np.ndarray | None = None
    ) -> np.ndarray:
        """Return (X - centre) diag(scale) (X - centre)' of some rows, on and above its diagonal."""
        centre = self.centre if centre is None else centre
        return outer_products(self.X, centre, np.sqrt(scale), self.n_threads, rows)

    def dense(self, rows: Index = slice(None)) -> np.ndarray:
        """Return some rows as a dense array, which may be a view, of any dtype."""
        return self.X[rows]

    def dense_columns(self, index: Index) -> np.ndarray:
        """Return some columns, which may be a view, of any dtype."""
        columns: np.ndarray = self.X[:, index]
        return columns
