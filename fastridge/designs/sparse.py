"""Sparse rows: CSR or CSC with sorted, unique, valid indices."""

from typing import Self

import numpy as np
import scipy.sparse as sp

from fastridge._kernels.attributes import computed_once
from fastridge._typing import Index
from fastridge.designs.design import Design
from fastridge.designs.expansion import ClassExpansion, ClassLosses, Expansion, RowLosses
from fastridge.designs.sparse_rows import LossSums, weighted_products
from fastridge.statistics.accumulate import CentredProducts, variances
from fastridge.statistics.accumulate_sparse import MOST_LOST, sparse_centred_products
from fastridge.statistics.checked_products import checked_products

DENSE_VALUES = 1 << 24
"""Values of sparse rows that may be made dense at once: 128 MB."""
_CHUNK_VALUES = 1 << 17  # stored values converted at a time
_DENSE_COLUMNS = 256  # made dense at a time


class SparseDesign(Design):
    """Rows in a CSR or CSC array, centred implicitly."""

    sparse = True
    X: sp.csr_matrix | sp.csc_matrix

    @property
    def n_values(self) -> int:
        """Number of stored values."""
        return int(self.X.nnz)

    @property
    def nbytes(self) -> int:
        """Memory of values and indices."""
        return int(self.X.data.nbytes + self.X.indices.nbytes + self.X.indptr.nbytes)

    def by_rows(self) -> Self:
        """Return this design with X as CSR."""
        return self if self.X.format == "csr" else self._of(self.X.tocsr())

    def by_columns(self) -> Self:
        """Return this design with X as CSC."""
        return self if self.X.format == "csc" else self._of(self.X.tocsc())

    def _of(self, X: sp.csr_matrix | sp.csc_matrix) -> Self:
        return type(self)(X, self.weight, self.fit_intercept, self.n_threads, self.statistics)

    @computed_once
    def gram_loss(self) -> float:
        """Digits the Gram matrix with unit diagonal has lost, as a multiple of its rounding.

        The products of columns are made about zero, and their means' taken away; where that
        would lose more than `MOST_LOST`, rows are made dense some at a time.
        """
        if not self.fit_intercept:
            return 1.0
        about_zero = self.sum_weights * self.mean**2
        used = self.squares > 0.0
        return 1.0 + min(float((about_zero[used] / self.squares[used]).max(initial=0.0)), MOST_LOST)

    def far_columns(self, times: float) -> np.ndarray:
        """Return the indices of columns whose mean is above `times` their standard deviation.

        In such a column the rows without a stored value have next to no weight, so that the others
        are told by counting. Without an intercept there are none.
        """
        X, most_missing = self.X, int(self.n_counted / times**2)
        if self.weight is not None:
            weights = np.cumsum(np.sort(self.weight[self.counted]))
            most_missing = int(np.searchsorted(weights, self.sum_weights / times**2, "right"))
        least = self.n_counted - most_missing
        if not self.fit_intercept or X.nnz < least:
            return np.empty(0, dtype=np.intp)
        some = np.flatnonzero(_stored_in_columns(X) >= least)
        if not len(some):
            return some
        mean = self.mean[some]
        with np.errstate(all="ignore"):  # what is not finite is found later
            squares = squares_about(mean, X[:, some], self.row_weights, self.sum_weights)
            variance = variances(squares, mean, self.sum_weights)
            return some[(mean**2 > times**2 * variance) & (variance > 0.0)]

    def _mean_of_rows(self) -> np.ndarray:
        weight = self.row_weights
        mean: np.ndarray = np.asarray(self.X.T @ weight).ravel() / self.sum_weights
        # Rounding of the sum must not give a constant column a standard deviation.
        whole = np.flatnonzero(_stored_in_columns(self.X) >= self.n_counted)
        if len(whole):
            columns = self.X[:, whole].tocsc()
            rows = weight[columns.indices]
            first = columns.indptr[:-1]
            stored_whole = np.add.reduceat((rows > 0.0).astype(np.intp), first) == self.n_counted
            deviation = columns.data - np.repeat(mean[whole], np.diff(columns.indptr))
            correction = np.add.reduceat(rows * deviation, first) / self.sum_weights
            mean[whole] += np.where(stored_whole, correction, 0.0)
        return mean

    def _squares_of_rows(self) -> np.ndarray:
        return squares_about(self.mean, self.X, self.row_weights, self.sum_weights)

    def accumulate(self, y: np.ndarray) -> CentredProducts:
        """Accumulate the products of columns and targets, in one pass over the rows."""
        Y = y[:, None] if y.ndim == 1 else y
        products = sparse_centred_products(self.X, Y, self.weight, self.n_threads)
        return checked_products(products, self.X, Y, self.weight)

    def predict(self, V: np.ndarray) -> np.ndarray:
        """Return (X - centre) V' for V of shape (k, n_features)."""
        W = V.T
        # a sum and no product with the centre, for which BLAS would wake its threads
        predicted: np.ndarray = self.X @ W - (self.centre[:, None] * W).sum(axis=0)
        return predicted

    def correlate(self, U: np.ndarray) -> np.ndarray:
        """Return U' (X - centre) for U of shape (n_samples, k)."""
        correlated: np.ndarray = (self.X.T @ U).T - np.outer(U.sum(axis=0), self.centre)
        correlated[:, self.squares == 0.0] = 0.0  # constant columns hold only rounding
        return correlated

    def expand(
        self, loss: RowLosses, coef: np.ndarray, intercept: float, *, second: bool
    ) -> Expansion:
        """Sum a loss of the rows, with its derivatives, at ``X coef + intercept``."""
        if self.X.format == "csr":
            sums = LossSums(self.X, loss, self.weight, coef, intercept, self.n_threads)
            eta, curvature, gradient = sums.eta, sums.curvature, sums.gradient
            value, total = sums.value, sums.total
        else:
            eta = self.X @ coef + intercept
            if loss.offset is not None:
                eta += loss.offset
            derivative, curvature = np.empty((2, len(eta)))
            value, total = loss.expand(eta, self.weight, derivative, curvature)
            gradient = self.X.T @ derivative
        products = None
        if second:
            nothing = np.zeros((len(eta), 1))
            products = sparse_centred_products(self.X, nothing, curvature, self.n_threads)
        return Expansion(value, eta, total, gradient, products)

    def weighted_products(
        self, weight: np.ndarray, coef: np.ndarray, intercept: float
    ) -> tuple[np.ndarray, float]:
        """Return (X - centre)' u and the sum of u; u = weight ((X - centre) coef + intercept)."""
        if self.X.format != "csr":
            return super().weighted_products(weight, coef, intercept)
        shifted = intercept - float(self.centre @ coef)
        products, total = weighted_products(self.X, weight, coef, shifted, self.n_threads)
        products -= total * self.centre
        products[self.squares == 0.0] = 0.0  # constant columns hold only rounding
        return products, total

    def expand_classes(
        self, loss: ClassLosses, coef: np.ndarray, intercept: np.ndarray
    ) -> ClassExpansion:
        """Sum a multinomial loss of the rows at ``X coef' + intercept``."""
        eta = np.ascontiguousarray((self.X @ coef.T + intercept).T)
        if loss.offset is not None:
            eta += loss.offset.T
        derivative = np.empty_like(eta)
        value = loss.expand(eta, self.weight, derivative)
        gradient = np.ascontiguousarray((self.X.T @ derivative.T).T)
        return ClassExpansion(value, eta, derivative.sum(axis=1), gradient)

    def outer_gram(
        self, scale: np.ndarray, rows: Index = slice(None), centre: np.ndarray | None = None
    ) -> np.ndarray:
        """Return (X - centre) diag(scale) (X - centre)' of some rows.

        Columns stored in most rows, whose means may be far above their standard deviations,
        are centred before they are multiplied, some at a time; for the others that costs no
        digits later.
        """
        X = self.X if isinstance(rows, slice) and rows == slice(None) else self.X[rows]
        X, scale = X.tocsc(), np.sqrt(scale)
        mean = self.centre if centre is None else centre
        often = np.diff(X.indptr) > X.shape[0] // 2
        seldom = np.flatnonzero(~often)
        Z = X[:, seldom].multiply(scale[seldom]).tocsr()
        shift = (mean * scale)[seldom]
        cross = np.asarray(Z @ shift).ravel()
        K = np.asarray((Z @ Z.T).todense()) + shift @ shift
        K -= cross[:, None] + cross
        columns = np.flatnonzero(often)
        for begin in range(0, len(columns), _DENSE_COLUMNS):
            some = columns[begin : begin + _DENSE_COLUMNS]
            block = (X[:, some].toarray() - mean[some]) * scale[some]
            K += block @ block.T
        return K

    def dense(self, rows: Index = slice(None)) -> np.ndarray:
        """Return some rows as a dense array."""
        some: np.ndarray = self.X[rows].toarray()
        return some

    def dense_columns(self, index: Index) -> np.ndarray:
        """Return some columns as a dense array."""
        columns: np.ndarray = self.X[:, index].toarray()
        return columns


def _stored_in_columns(X: sp.csr_matrix | sp.csc_matrix) -> np.ndarray:
    """Return the number of stored values of each column."""
    if X.format == "csc":
        return np.diff(X.indptr)
    count = np.zeros(X.shape[1], dtype=np.intp)
    for begin in range(0, X.nnz, _CHUNK_VALUES):
        count += np.bincount(X.indices[begin : begin + _CHUNK_VALUES], minlength=X.shape[1])
    return count


def squares_about(
    mean: np.ndarray, X: sp.csr_matrix | sp.csc_matrix, weight: np.ndarray, sum_weights: float
) -> np.ndarray:
    """Return weighted sums of squares of the columns about `mean`: stored values, then zeros.

    Without cancellation, whatever the means. `sum_weights` is the sum of `weight`.
    """
    p = X.shape[1]
    stored, squares = np.zeros(p), np.zeros(p)
    major = np.repeat(np.arange(len(X.indptr) - 1), np.diff(X.indptr))
    rows, columns = (major, X.indices) if X.format == "csr" else (X.indices, major)
    for begin in range(0, X.nnz, _CHUNK_VALUES):
        some = slice(begin, begin + _CHUNK_VALUES)
        w, column = weight[rows[some]], columns[some]
        deviation = X.data[some].astype(np.float64) - mean[column]
        deviation[w == 0.0] = 0.0  # squares of what does not count may overflow
        stored += np.bincount(column, w, p)
        squares += np.bincount(column, w * deviation**2, p)
    zeros = sum_weights - stored
    zeros[zeros < 1e-12 * sum_weights] = 0.0  # a column stored whole, to rounding
    found: np.ndarray = squares + zeros * mean**2
    return found
