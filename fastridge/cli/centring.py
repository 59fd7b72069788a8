"""Rows about a centre, dense or sparse, as far as sums over them need that."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from fastridge._typing import Matrix


def dense(X: Matrix) -> np.ndarray:
    """Return rows as an array."""
    return X if isinstance(X, np.ndarray) else X.toarray()


class CentredRows:
    """X - centre; dense X is overwritten.

    Sparse X stays sparse, but for columns that most rows have a value of: their means may be far
    larger than their standard deviations, and what is left of both would be rounding.
    """

    def __init__(self, X: Matrix, centre: np.ndarray) -> None:
        self._X: sp.csr_matrix | None = None
        self._centre = centre
        self._some: slice | np.ndarray = slice(None)
        if isinstance(X, np.ndarray):
            X -= centre
            self._dense = X
            return
        n, p = X.shape
        self._X, self._some = X, np.flatnonzero(2 * np.bincount(X.indices, minlength=p) > n)
        self._dense = X[:, self._some].toarray() - centre[self._some]

    def predict(self, W: np.ndarray) -> np.ndarray:
        """Return (X - centre) W."""
        product: np.ndarray = self._dense @ W[self._some]
        if self._X is not None:
            rest = W.copy()
            rest[self._some] = 0.0
            product = product + (self._X @ rest - self._centre @ rest)
        return product

    def correlate(self, u: np.ndarray) -> np.ndarray:
        """Return (X - centre)' u."""
        product: np.ndarray = self._dense.T @ u
        if self._X is not None:
            whole = self._X.T @ u - self._centre * u.sum()
            whole[self._some] = product
            product = whole
        return product
