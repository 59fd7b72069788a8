"""Rows in coordinates of their own, for several classes and more features than rows.

If all features have a penalty, the coefficients of a minimum are ``w = S^-1 X'a``, S the diagonal
matrix of the penalties. With ``K = X S^-1 X' = L L'`` (Cholesky with pivots, of the rank of K) and
``theta = L'a`` the linear predictors are ``L theta`` and the penalty is ``theta'theta / 2``: the
same problem with the rows of L, of which there are as many columns as rows at most.
"""

from typing import Any

import numpy as np
import scipy.linalg

from fastridge.designs.dense import DenseDesign
from fastridge.designs.design import Design
from fastridge.runtime.threads import call_lapack
from fastridge.statistics.accumulate import symmetric

_MOST_ROWS = 2000  # whose Gram matrix costs less than Newton steps on X


class RowSpace:
    """Coordinates of the rows with weight of a design, about its centre.

    Attributes
    ----------
    design : DenseDesign
        Of the rows in these coordinates, whose coefficients have a penalty of 1.
    """

    def __init__(self, design: Design, inverse: np.ndarray, lower: np.ndarray, pivot: Any) -> None:
        self._of, self._inverse = design, inverse
        rank = lower.shape[1]
        self._pivot, self._corner = pivot[:rank], lower[:rank]
        rows = np.empty_like(lower)
        rows[pivot] = lower
        weight = None if design.weight is None else design.weight[design.counted]
        self.design = DenseDesign(rows, weight, design.fit_intercept, design.n_threads)

    @classmethod
    def of(cls, design: Design, penalty: np.ndarray) -> "RowSpace | None":
        """Return the coordinates; None where X itself is better, or where they overflow."""
        n, p = design.n_counted, design.shape[1]
        if not n < p or n > _MOST_ROWS:
            return None
        with np.errstate(all="ignore"):
            inverse = 1.0 / penalty
            K = symmetric(design.outer_gram(inverse, design.counted))
        if not np.isfinite(K).all():
            return None
        factor, pivot, rank, _ = call_lapack(n, scipy.linalg.lapack.dpstrf, K, lower=1)
        if rank < 1:
            return None
        return cls(design, inverse, np.tril(factor)[:, :rank], pivot - 1)

    def coordinates(self, coef: np.ndarray) -> np.ndarray:
        """Return the coordinates of coefficients: those with the same linear predictors."""
        eta = self._of.predict(coef)[self._of.counted][self._pivot]
        found: np.ndarray = scipy.linalg.solve_triangular(self._corner, eta, lower=True)
        return found.T

    def coef(self, theta: np.ndarray) -> np.ndarray:
        """Return the coefficients of coordinates, of shape (n_classes, n_features)."""
        a = np.zeros((self._of.n_counted, len(theta)))
        a[self._pivot] = scipy.linalg.solve_triangular(self._corner, theta.T, lower=True, trans="T")
        coef: np.ndarray = self._of.correlate(self._of.among_all_rows(a)) * self._inverse
        return coef
