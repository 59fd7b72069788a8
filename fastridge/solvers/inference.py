"""Variances of a ridge fit, from the spectrum of its statistics and blocks of its rows.

With A = X'WX + alpha S about the means, and in the directions of `spectrum`
(T'X'WX T = diag(l), F'X'WX F = I, T'X'WX F = 0):

    A^-1          = T diag(1 / (l + alpha)) T' + F F'
    A^-1 X'WX A^-1 = T diag(l / (l + alpha)^2) T' + F F'

which is the covariance of the coefficients over sigma^2 (Hoerl and Kennard, "Ridge regression:
biased estimation for nonorthogonal problems", Technometrics 12, 1970).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

from fastridge._accumulate import kernel_rows
from fastridge.solvers.spectrum import Spectrum

_BLOCK_VALUES = 1 << 19


def inverse(spectrum: Spectrum, alpha: float) -> np.ndarray:
    """A^-1 of shape (n_features, n_features)."""
    T = spectrum.directions
    return _with_free(spectrum, (T * spectrum.inverse(np.array([alpha]))) @ T.T)


def covariance_factor(spectrum: Spectrum, alpha: float) -> np.ndarray:
    """A^-1 X'WX A^-1 of shape (n_features, n_features)."""
    T = spectrum.directions
    weights = spectrum.values * spectrum.inverse(np.array([alpha])) ** 2
    return _with_free(spectrum, (T * weights) @ T.T)


def _with_free(spectrum: Spectrum, penalised: np.ndarray) -> np.ndarray:
    F = spectrum.free_directions
    return penalised if F is None else penalised + F @ F.T


def dense_blocks(X: Any) -> Iterator[tuple[slice, np.ndarray]]:
    """Rows of X as float64, some at a time."""
    n, p = X.shape
    X = X.tocsr() if sp.issparse(X) and X.format != "csr" else X
    step = max(1, _BLOCK_VALUES // max(p, 1))
    for begin in range(0, n, step):
        rows = slice(begin, min(begin + step, n))
        block = X[rows].toarray() if sp.issparse(X) else kernel_rows(X, rows.start, rows.stop)
        yield rows, np.asarray(block, dtype=np.float64)


def combine_columns(X: Any, v: np.ndarray) -> np.ndarray:
    """X v in float64; dense X of another dtype is converted some rows at a time."""
    if sp.issparse(X):
        return np.asarray(X @ v)
    out = np.empty(X.shape[0])
    for rows, block in dense_blocks(X):
        out[rows] = block @ v
    return out


def quadratic_forms(X: Any, mean: np.ndarray, M: np.ndarray) -> np.ndarray:
    """(x - mean)' M (x - mean) for every row x."""
    out = np.empty(X.shape[0])
    for rows, block in dense_blocks(X):
        Z = block - mean
        out[rows] = np.einsum("ij,ij->i", Z @ M, Z)
    return out


def outer_sum(X: Any, mean: np.ndarray, omega: np.ndarray) -> np.ndarray:
    """sum_i omega_i z_i z_i' with z_i = (x_i - mean, 1), of shape (p + 1, p + 1)."""
    p = X.shape[1]
    total = np.zeros((p + 1, p + 1))
    for rows, block in dense_blocks(X):
        Z = np.ones((len(block), p + 1))
        np.subtract(block, mean, out=Z[:, :p])
        total += Z.T @ (Z * omega[rows, None])
    return total
