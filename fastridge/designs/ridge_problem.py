"""The ridge problem on validated data, and what a solver returns for it.

minimise  sum_i weight_i ||Y_i - X_i coef' - b||^2 + sum_kj penalty_kj coef_kj^2
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from fastridge._validation import check_small_squares, raise_not_finite
from fastridge.statistics.accumulate import CentredProducts, combined_rows, kernel_rows
from fastridge.statistics.accumulate_sparse import MOST_LOST
from fastridge.statistics.gram_statistics import products_of_rows

_CHUNK_VALUES = 1 << 17  # values of X converted at a time where Python does the arithmetic
_FEW_TARGETS = 8  # up to so many, X is read from memory for all of them at once


class computed_once:  # noqa: N801  used as a decorator
    """`functools.cached_property` without its lock, which costs a tiny fit microseconds."""

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._compute(instance)
        return value


@dataclass
class Solution:
    """Coefficients of every target, and how they were found."""

    coef: np.ndarray  # (n_targets, n_features)
    solver: str
    rcond: float | None = None
    n_iter: np.ndarray | None = None
    not_converged: str | None = None  # which targets, and what to do


def penalty_scale(
    variance: np.ndarray | None, factors: np.ndarray | None, n_features: int
) -> np.ndarray:
    """What each feature's squared coefficient is multiplied by, beside alpha.

    Penalising the coefficients of standardised columns is penalising those of the columns as
    they are, times the variances; a column without spread counts as having variance one.
    """
    scale = np.empty(n_features)
    scale[...] = 1.0 if factors is None else factors
    if variance is not None:
        scale = scale * np.where(variance > 0.0, variance, 1.0)
    return scale


def variances(diagonal: np.ndarray, mean: np.ndarray, sum_weights: float) -> np.ndarray:
    """Variances from centred sums of squares; zero where the spread is only rounding."""
    variance = diagonal / sum_weights
    tiny = 10.0 * np.finfo(float).eps * np.abs(mean)
    return np.where(np.sqrt(variance) <= tiny, 0.0, variance)


@dataclass
class RidgeProblem:
    """Data, penalty and options of one fit.

    `alpha` is the penalty on the sum of squares, one a target; `products` may stand in for
    the data, and then X and Y are None.
    """

    X: Any
    y: np.ndarray | None
    weight: np.ndarray | None
    alpha: np.ndarray
    alpha_scale: str = "sum"
    fit_intercept: bool = True
    standardize: bool = False
    factors: np.ndarray | None = None
    n_threads: int = 1
    given_products: CentredProducts | None = None
    estimator: Any = None

    @computed_once
    def products(self) -> CentredProducts:
        if self.given_products is not None:
            return self.given_products
        assert self.y is not None
        return products_of_rows(self.X, self.y, self.weight, self.n_threads, self.estimator)

    @property
    def sparse(self) -> bool:
        return sp.issparse(self.X)

    @property
    def has_products(self) -> bool:
        return self.given_products is not None or "products" in self.__dict__

    @computed_once
    def shape(self) -> tuple[int, int]:
        if self.X is None:
            return self.products.n_samples, len(self.products.x_mean)
        return self.X.shape

    @computed_once
    def n_counted(self) -> int:
        """Number of rows with weight: rows without are not there."""
        return self.shape[0] if self.weight is None else int(np.count_nonzero(self.weight))

    @computed_once
    def counted(self) -> Any:
        """Index of the rows with weight."""
        if self.weight is None or self.n_counted == self.shape[0]:
            return slice(None)
        return np.flatnonzero(self.weight)

    def among_all_rows(self, values: np.ndarray) -> np.ndarray:
        """Values of the rows with weight, with zeros for the others between them."""
        if self.n_counted == self.shape[0]:
            return values
        out = np.zeros((self.shape[0], *values.shape[1:]))
        out[self.counted] = values
        return out

    @computed_once
    def Y(self) -> np.ndarray:
        """Targets as float64 of shape (n_samples, n_targets)."""
        assert self.y is not None
        Y = self.y[:, None] if self.y.ndim == 1 else self.y
        return Y if Y.dtype == np.float64 else Y.astype(np.float64)

    @computed_once
    def sum_weights(self) -> float:
        if self.has_products:
            return self.products.sum_weights
        return float(self.shape[0]) if self.weight is None else float(self.weight.sum())

    @computed_once
    def means(self) -> tuple[np.ndarray, np.ndarray]:
        """Weighted means of X's columns and of the targets."""
        if self.has_products:
            return self.products.x_mean, self.products.y_mean
        weight = np.full(self.shape[0], 1.0) if self.weight is None else self.weight
        counted = int(np.argmax(weight > 0.0))  # rows without weight may hold anything
        y_first = self.Y[counted]
        y_mean = y_first + weight @ (self.Y - y_first) / self.sum_weights
        if self.sparse:
            return np.asarray(self.X.T @ weight).ravel() / self.sum_weights, y_mean
        first = np.array(self.X[counted], dtype=np.float64, order="C")
        total = combined_rows(self.X, first, weight[:, None], self.n_threads)[0]
        return first + total / self.sum_weights, y_mean

    @computed_once
    def centre(self) -> tuple[np.ndarray, np.ndarray]:
        """What is subtracted from X and Y: the means, or zeros without an intercept."""
        x_mean, y_mean = self.means
        if self.fit_intercept:
            return x_mean, y_mean
        return np.zeros_like(x_mean), np.zeros_like(y_mean)

    @computed_once
    def column_variances(self) -> np.ndarray:
        if self.has_products:
            diagonal = np.diagonal(self.products.upper).copy()
            return variances(diagonal, self.products.x_mean, self.sum_weights)
        mean = self.means[0]
        weight = np.full(self.shape[0], 1.0) if self.weight is None else self.weight
        if self.sparse:
            return variances(self._sparse_spread(weight, mean), mean, self.sum_weights)
        total = np.zeros(self.shape[1])
        for begin, rows in self.row_chunks():
            some = weight[begin : begin + len(rows)]
            counted: Any = slice(None)
            if self.n_counted < self.shape[0]:  # squares of what does not count may overflow
                counted = some > 0.0
            total += some[counted] @ (rows[counted] - mean) ** 2
        return variances(total, mean, self.sum_weights)

    @computed_once
    def column_squares(self) -> np.ndarray:
        """Weighted sums of squares of X's columns about the centre, 0 where only rounding."""
        squares = self.column_variances * self.sum_weights
        return squares if self.fit_intercept else squares + self.sum_weights * self.means[0] ** 2

    @property
    def gram_loss(self) -> float:
        """How many times its rounding the Gram with unit diagonal has lost: by sparse centring.

        The products of sparse columns are made about zero, and their means' taken away; where
        that would lose more than `MOST_LOST`, rows are made dense some at a time.
        """
        if not (self.sparse and self.fit_intercept):
            return 1.0
        squares = self.column_squares
        about_zero = self.sum_weights * self.means[0] ** 2
        used = squares > 0.0
        return 1.0 + min(float((about_zero[used] / squares[used]).max(initial=0.0)), MOST_LOST)

    def _sparse_spread(self, weight: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """Weighted sums of squares about the means: of stored values, then of the zeros."""
        X, p = self.X, self.shape[1]
        stored, spread = np.zeros(p), np.zeros(p)
        major = np.repeat(np.arange(len(X.indptr) - 1), np.diff(X.indptr))
        rows, columns = (major, X.indices) if X.format == "csr" else (X.indices, major)
        for begin in range(0, X.nnz, _CHUNK_VALUES):
            some = slice(begin, begin + _CHUNK_VALUES)
            w, column = weight[rows[some]], columns[some]
            deviation = X.data[some].astype(np.float64) - mean[column]
            deviation[w == 0.0] = 0.0  # squares of what does not count may overflow
            stored += np.bincount(column, w, p)
            spread += np.bincount(column, w * deviation**2, p)
        zeros = self.sum_weights - stored
        zeros[zeros < 1e-12 * self.sum_weights] = 0.0  # a column stored whole, to rounding
        return spread + zeros * mean**2

    @computed_once
    def scale(self) -> np.ndarray:
        """Penalty of each feature beside alpha: its factor, times its variance if asked."""
        variance = self.column_variances if self.standardize else None
        if variance is not None and not self.fit_intercept:
            # a constant column is one without an intercept, in any units
            variance = np.where(variance > 0.0, variance, self.means[0] ** 2)
        return penalty_scale(variance, self.factors, self.shape[1])

    @computed_once
    def inverse_scale(self) -> np.ndarray:
        """1 / `scale`, and 0 where no penalty touches a feature."""
        scale = self.scale
        return np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0.0)

    def on_sums(self, alphas: np.ndarray) -> np.ndarray:
        """Alphas given on `alpha_scale` as penalties on the sum of squares."""
        return alphas * self.sum_weights if self.alpha_scale == "mean" else alphas

    @computed_once
    def alphas(self) -> np.ndarray:
        """Penalty on the sum of squares, one a target."""
        alpha = self.on_sums(self.alpha)
        return np.broadcast_to(alpha, (self.n_targets,)) if self.n_targets > 1 else alpha

    @property
    def n_targets(self) -> int:
        if self.y is None:
            return len(self.products.y_mean)
        return 1 if self.y.ndim == 1 else self.y.shape[1]

    @computed_once
    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """X'X (on and above its diagonal) and X'Y, about the means or about zero."""
        held = self.products
        if self.fit_intercept:
            return held.upper, held.xy
        weighted = held.sum_weights * held.x_mean
        upper = np.outer(weighted, held.x_mean)
        with np.errstate(invalid="ignore", over="ignore"):  # below the diagonal is anything
            upper += held.upper
        return upper, held.xy + np.outer(weighted, held.y_mean)

    @computed_once
    def target_squares(self) -> np.ndarray:
        """Weighted sums of squares of the targets, about the means or about zero."""
        held = self.products
        if self.fit_intercept:
            return held.yy
        return held.yy + held.sum_weights * held.y_mean**2

    def row_chunks(self, values: int = _CHUNK_VALUES):  # type: ignore[no-untyped-def]
        """(first row, rows as float64) of dense X, some rows at a time."""
        n, p = self.shape
        step = max(1, values // p)
        for begin in range(0, n, step):
            rows = kernel_rows(self.X, begin, min(begin + step, n))
            yield begin, rows if rows.dtype == np.float64 else rows.astype(np.float64)

    def predict_centred(self, V: np.ndarray) -> np.ndarray:
        """(X - centre) V' for V of shape (k, n_features), without a centred copy of X."""
        mean = self.centre[0]
        if self.sparse:
            return self.X @ V.T - mean @ V.T
        out = np.empty((self.shape[0], V.shape[0]))
        for begin, rows in self.row_chunks():
            np.matmul(rows - mean, V.T, out=out[begin : begin + len(rows)])
        return out

    def correlate_centred(self, U: np.ndarray) -> np.ndarray:
        """U' (X - centre) for U of shape (n_samples, k), without a centred copy of X."""
        mean = self.centre[0]
        if self.sparse:
            correlated = (self.X.T @ U).T - np.outer(U.sum(axis=0), mean)
            correlated[:, self.column_squares == 0.0] = 0.0  # constant: what is left is rounding
            return correlated
        if U.shape[1] <= _FEW_TARGETS:
            return combined_rows(self.X, mean, np.ascontiguousarray(U), self.n_threads)
        out = np.zeros((U.shape[1], self.shape[1]))
        for begin, rows in self.row_chunks():
            out += U[begin : begin + len(rows)].T @ (rows - mean)
        return out

    def residual(self, coef: np.ndarray, targets: Any = slice(None)) -> np.ndarray:
        """Y - X coef' about the centre, for the targets that `coef` has rows for."""
        return self.Y[:, targets] - self.centre[1][targets] - self.predict_centred(coef)

    def check_range(self) -> None:
        """ValueError where X or y are not finite, or squares leave the range of float64.

        For solvers that make no Gram, whose sums show that for the others.
        """
        x_mean, y_mean = self.means
        total = x_mean.sum() + y_mean.sum() + self.column_variances.sum()
        deviation = self.Y[self.counted] - y_mean
        squares = (deviation * deviation).sum(axis=0)
        if self.weight is not None:
            squares = self.weight[self.counted] @ (deviation * deviation)
        if not np.isfinite(total + squares.sum()):
            raise_not_finite(self.X, self.y, self.estimator)
        check_small_squares(self.X, self.column_variances, "X")
        check_small_squares(self.Y, squares, "y")

    def intercept(self, coef: np.ndarray) -> np.ndarray:
        """Intercepts for coefficients of shape (..., n_targets, n_features)."""
        if not self.fit_intercept:
            return np.zeros(coef.shape[:-1])
        x_mean, y_mean = self.means
        return y_mean - coef @ x_mean
