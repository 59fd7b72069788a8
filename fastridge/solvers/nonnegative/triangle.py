"""Solve A = Z'Z + diag(penalty) without forming any square.

The system keeps Z itself if it has few rows, otherwise a triangle with the same Gram. Minima come
from singular values of Z_F in which every column counts by its own length (`graded_svd`), so that
directions that only rounding tells apart are left out, however small the penalty is.
"""

import numpy as np
import scipy.linalg

from fastridge.runtime.threads import call_lapack, product
from fastridge.solvers.direct.cholesky import Factor
from fastridge.solvers.direct.graded_svd import (
    PivotedQR,
    column_lengths,
    graded_svd,
    pivoted_qr,
    rounding,
)
from fastridge.solvers.direct.triangle import triangle
from fastridge.solvers.nonnegative.systems import LEAST_DUAL, System, power_of_two
from fastridge.solvers.problem import Problem
from fastridge.statistics.accumulate import symmetric

_EPS = float(np.finfo(float).eps)


class TriangleSystem(System):
    """A by Z, and singular values of Z_F."""

    def __init__(self, problem: Problem, alpha: float) -> None:
        super().__init__(problem, alpha)
        n, p = problem.design.shape
        if not problem.design.has_rows:
            Z, self._C = _root_of_gram(problem)
        elif p > n:
            Z, self._C = _centred_rows(problem)
        else:
            Z, self._C = triangle(problem)
        squares = (Z**2).sum(axis=0)
        squares[problem.design.squares == 0.0] = 0.0
        self._measure(squares)
        self._Z = Z[:, self.columns] / self.unit
        self._lengths = column_lengths(self._Z)
        self._cut = rounding(max(problem.design.n_counted, p) if problem.design.has_rows else p)
        self.shifted = np.maximum(self.penalty, LEAST_DUAL)

    def set_target(self, k: int) -> None:
        self.y_size = power_of_two(float(self._C[:, k] @ self._C[:, k]))
        self._y = self._C[:, k] / self.y_size

    @property
    def y(self) -> np.ndarray:
        """The target, of shape (n_rows, 1)."""
        return self._y[:, None]

    def correlate(self, u: np.ndarray) -> np.ndarray:
        """Return Z'u."""
        return u[:, 0] @ self._Z

    def residual_of(self, index: np.ndarray, D: np.ndarray) -> np.ndarray:
        """Return (I + Z_F D_F^-1 Z_F')^-1 y for the columns F = `index`, of shape (n_rows, 1)."""
        Z = self._Z[:, index] / np.sqrt(D[index])
        K = product(Z, Z.T)
        return Factor(K, np.ones(len(K)), self.problem.design.n_threads).solve(self._y[None, :]).T

    def gradient(self, v: np.ndarray) -> np.ndarray:
        gradient: np.ndarray = (self._y - self._Z @ v) @ self._Z - self.penalty * v
        return gradient

    def curvature(self, s: np.ndarray) -> float:
        fitted = self._Z @ s
        return float(fitted @ fitted + (self.penalty * s) @ s)

    def newton(self, index: np.ndarray, v: np.ndarray, g: np.ndarray) -> np.ndarray:
        """Return the step to the minimum over F; a gradient step would miss small directions."""
        return self.minimiser(index) - v[index]

    def _prepare(self, index: np.ndarray) -> None:
        Z, root, length = self._Z[:, index], self.root_penalty[index], self._lengths[index]
        factors = pivoted_qr(Z.copy(), length, self._cut)
        full = factors.rank == len(index)
        self._inverse = (_Triangular if full else _Spectral)(Z, factors, root, length, self._cut)
        self.rcond = self._inverse.rcond

    def _solve_target(self, index: np.ndarray) -> np.ndarray:
        return self._inverse.solve(self._y)


class _Triangular:
    """(Z'Z + diag(root^2))^-1 Z' by QR, where the columns are independent."""

    def __init__(
        self, Z: np.ndarray, factors: PivotedQR, root: np.ndarray, length: np.ndarray, cut: float
    ) -> None:
        self._order, n = factors.order, len(root)
        self._left, T = factors.Q[:, :n], factors.R
        if root.any():
            stacked = np.vstack([T, np.diag(root[self._order])])
            Q, T = call_lapack(n, np.linalg.qr, stacked)
            self._left = product(self._left, Q[:n])
        self._T = T
        s = call_lapack(n, np.linalg.svd, T, compute_uv=False)
        self.rcond = float(s[-1] / s[0])

    def solve(self, y: np.ndarray) -> np.ndarray:
        out = np.empty(len(self._order))
        right = self._left.T @ y
        out[self._order] = scipy.linalg.solve_triangular(self._T, right, check_finite=False)
        return out


class _Spectral:
    """The same in the limit of ever smaller penalties, where columns depend on others.

    Columns without a penalty are projected out of the others, which are divided by its root.
    """

    rcond = 0.0

    def __init__(
        self, Z: np.ndarray, factors: PivotedQR, root: np.ndarray, length: np.ndarray, cut: float
    ) -> None:
        self._free, self._rest = np.flatnonzero(root == 0.0), np.flatnonzero(root > 0.0)
        A = Z[:, self._rest]
        if len(self._rest):
            factors = pivoted_qr(Z[:, self._free], length[self._free], cut)
        self._Q, self._n_free = factors.Q, factors.rank
        self._F = factors.pseudo_inverse(np.eye(factors.rank))
        A = self._Q.T @ A
        self._cross, A = A[: factors.rank], A[factors.rank :]
        most = float(root.max(initial=0.0)) or 1.0
        self._root = root[self._rest] / most
        kept = factors.rounded_lengths(self._cross, length[self._rest])
        svd = graded_svd(A / self._root, kept / self._root, cut)
        s = svd.values
        self._left, self._right = svd.left[:, : len(s)], svd.right
        self._share = s / (s * s + most * most)
        if not len(self._free) and len(s):
            self.rcond = float(most / np.hypot(s[-1], most))

    def solve(self, y: np.ndarray) -> np.ndarray:
        y = self._Q.T @ y
        along, y = y[: self._n_free], y[self._n_free :]
        out = np.empty(len(self._free) + len(self._rest))
        out[self._rest] = self._right @ (self._share * (self._left.T @ y)) / self._root
        out[self._free] = self._F @ (along - self._cross @ out[self._rest])
        return out


def _centred_rows(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows with weight, times its root, centred again to remove rounding."""
    design = problem.design
    counted = design.counted
    Z = np.array(design.dense(counted), dtype=float) - design.centre
    C = problem.loss.Y[counted] - problem.y_centre
    weight = np.ones(len(Z)) if design.weight is None else design.weight[counted]
    if design.fit_intercept:
        share = weight / weight.sum()
        Z -= share @ Z
        C -= share @ C
    root = np.sqrt(weight)[:, None]
    Z *= root
    C *= root
    return Z, C


def _root_of_gram(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Return R and C with R'R = X'WX and R'C = X'WY, from eigenvectors."""
    upper, xy = problem.design.gram, problem.xy
    length = np.sqrt(np.maximum(np.diagonal(upper), 0.0))
    length[length == 0.0] = 1.0
    unit = symmetric(upper) / length / length[:, None]
    values, V = call_lapack(len(unit), np.linalg.eigh, unit)
    kept = values > len(unit) * _EPS * values[-1:]
    root, V = np.sqrt(values[kept])[:, None], V[:, kept]
    return root * V.T * length, V.T @ (xy / length[:, None]) / root
