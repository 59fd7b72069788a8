"""Standardise features: turn rows, and models both ways, into units of standard deviations."""

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp

from fastridge._kernels import sgd_order
from fastridge._typing import Index, Matrix
from fastridge.solvers.sgd.order import rows_with_weight
from fastridge.solvers.sgd.row_views import GatheredRows, SparseRows
from fastridge.solvers.sgd.settings import Model, Plan, Rest, Rows

_CHUNK_VALUES = 1 << 20
_ENTRIES = 1 << 16  # of sparse rows, looked at together
_CONSTANT = 8.0 * np.finfo(float).eps
"""A standard deviation that is less than this part of the mean is rounding."""


class Standardisation:
    """Means and standard deviations of rows so far; of sparse rows about zero, not centred.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_features,)
        A feature that is constant has its size as `scale`, or 1 where it is zero.
    constant : ndarray of bool of shape (n_features,)
    """

    def __init__(self, moments: list[np.ndarray] | None = None) -> None:
        self.moments = moments

    def see(self, X: Matrix, weight: np.ndarray | None) -> list[np.ndarray]:
        """Take in rows, some at a time, so that no copy of X is made; the moments from then on.

        Those are means, variances and the sum of weights. Rows of weight zero are not looked at.
        """
        n, p = X.shape
        counted = rows_with_weight(weight)
        n = n if counted is None else len(counted)
        mean, square, total = np.zeros(p), np.zeros(p), 0.0
        if self.moments is not None:
            mean, total = self.moments[0], float(self.moments[2])
            square = total * self.moments[1]
        step = max(1, _CHUNK_VALUES // p)
        if sp.issparse(X):  # only the values are copied, if any
            step = max(1, n if X.dtype == np.float64 else _CHUNK_VALUES * n // max(1, X.size))
        for begin in range(0, n, step):
            part = slice(begin, begin + step)
            some: Index = part if counted is None else counted[part]
            rows = X if counted is None and step >= n else X[some]
            w = np.ones(rows.shape[0]) if weight is None else weight[some]
            if sp.issparse(X):
                own, own_square = _sparse_moments(rows, w)
            else:
                own, own_square = _moments(np.array(rows, dtype=np.float64, order="C"), w)
            # Chan, Golub and LeVeque, "Algorithms for computing the sample variance" (1983)
            own_total = float(w.sum())
            share, away = own_total / (total + own_total), own - mean
            square = square + own_square + total * share * away * away if total else own_square
            mean = mean + share * away if total else own
            total += own_total
        variance = square / total if total else square
        size, scale = np.abs(mean), np.sqrt(variance)
        self.constant = scale <= _CONSTANT * size
        self.scale = np.where(self.constant, np.where(size > 0.0, size, 1.0), scale)
        self.mean = np.zeros_like(mean) if sp.issparse(X) else mean
        self.moments = [mean, variance, np.asarray(total)]
        return self.moments

    def enter(self, coef: np.ndarray, intercept: np.ndarray) -> None:
        """Turn a model of the features into one of the standardised features, in place."""
        intercept += coef @ self.mean
        coef *= self.scale

    def leave(self, coef: np.ndarray, intercept: np.ndarray) -> None:
        """Invert `enter`."""
        coef /= self.scale
        intercept -= coef @ self.mean


def _moments(rows: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the means of rows, which are overwritten, and sums of squares about them."""
    total, first = weight.sum(), rows[0].copy()
    rows -= first
    mean = np.einsum("i,ij->j", weight, rows) / total
    rows -= mean
    rest = np.einsum("i,ij->j", weight, rows) / total  # what rounding left
    np.multiply(rows, rows, out=rows)
    square = np.einsum("i,ij->j", weight, rows) - total * rest * rest
    return first + (mean + rest), np.maximum(square, 0.0)


def _sparse_moments(rows: sp.csr_matrix, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the means and sums of squares of CSR rows, whose entries are unique."""
    p, total = rows.shape[1], weight.sum()
    sums, entered = np.zeros(p), np.zeros(p)
    for data, indices, each in _some_entries(rows, weight):
        sums += np.bincount(indices, each * data, p)
        entered += np.bincount(indices, each, p)
    mean = sums / total
    square, left = np.zeros(p), np.zeros(p)
    for data, indices, each in _some_entries(rows, weight):
        away = data - mean[indices]
        square += np.bincount(indices, each * away * away, p)
        left += np.bincount(indices, each * away, p)
    absent = np.maximum(total - entered, 0.0)  # weight of the rows without an entry
    left -= absent * mean  # what rounding of the mean left
    square += absent * mean**2 - left * left / total
    return mean + left / total, np.maximum(square, 0.0)


def _some_entries(
    rows: sp.csr_matrix, weight: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield values, indices and weights of the entries of CSR rows, some rows at a time."""
    step = max(1, _ENTRIES * rows.shape[0] // max(1, rows.nnz))
    for begin in range(0, rows.shape[0], step):
        indptr = rows.indptr[begin : begin + step + 1]
        some = slice(int(indptr[0]), int(indptr[-1]))
        each = np.repeat(weight[begin : begin + step], np.diff(indptr))
        yield rows.data[some].astype(np.float64, copy=False), rows.indices[some], each


class StandardizedRows(GatheredRows):
    """Dense X; a tile of rows is copied and standardised at a time."""

    def __init__(
        self, X: np.ndarray, plan: Plan, n_outputs: int, standardisation: Standardisation
    ) -> None:
        super().__init__(X, plan, n_outputs)
        self.mean = standardisation.mean.astype(X.dtype)
        inverse = np.where(standardisation.constant, 0.0, 1.0 / standardisation.scale)
        self.first, self.inverse = _factors(inverse, X.dtype)

    def step(self, order: np.ndarray, *rest: *Rest) -> int:
        tile = self.tile[: len(order)]
        sgd_order.gather_rows(self.X, order, tile)
        tile -= self.mean
        if self.first is not None:
            tile *= self.first
        tile *= self.inverse
        return self.kernel.step_dense(tile, True, order, *rest)


class ScaledSparseRows(SparseRows):
    """CSR X; the rows of a slice are copied and scaled at a time."""

    def __init__(
        self,
        X: sp.csr_matrix,
        plan: Plan,
        n_outputs: int,
        standardisation: Standardisation,
        counted: np.ndarray | None = None,
    ) -> None:
        super().__init__(X, plan, n_outputs, counted)
        self.X = X
        self.first, self.inverse = _factors(1.0 / standardisation.scale, X.dtype)
        self.kind = self.csr_arrays[1].dtype

    def step(self, order: np.ndarray, y: np.ndarray, weight: np.ndarray, *rest: *Model) -> int:
        some = self.X[order]
        indices = some.indices.astype(self.kind, copy=False)
        data = some.data if self.first is None else some.data * self.first[indices]
        return self.kernel.step_csr(
            data * self.inverse[indices],
            indices,
            some.indptr.astype(self.kind, copy=False),
            np.arange(len(order), dtype=np.intp),
            y[order],
            weight[order] if len(weight) else weight,
            *rest,
        )


def _factors(inverse: np.ndarray, dtype: np.dtype) -> tuple[np.ndarray | None, np.ndarray]:
    """Return two factors of each number that `dtype` holds exactly; the first is None for 1.

    The first are powers of two, so that products with both round as with their product.
    """
    exponent = np.frexp(inverse)[1]
    if np.abs(exponent).max(initial=0) < -np.finfo(dtype).minexp - 2:
        return None, inverse.astype(dtype)
    half = exponent // 2
    first = np.ldexp(np.ones(len(inverse)), half)
    return first.astype(dtype), np.ldexp(inverse, -half).astype(dtype)


def standardized_rows(
    X: Matrix,
    plan: Plan,
    n_outputs: int,
    standardisation: Standardisation,
    counted: np.ndarray | None = None,
) -> Rows:
    """Return X as rows for the kernels of a plan, standardised as they are read; see `rows_of`."""
    if not isinstance(X, np.ndarray):
        return ScaledSparseRows(X, plan, n_outputs, standardisation, counted)
    return StandardizedRows(X, plan, n_outputs, standardisation)
