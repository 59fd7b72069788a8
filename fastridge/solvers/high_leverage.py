"""Exact leave-one-out where the leverage h of some rows is near one, so that 1 - h cancels.

The rows with high leverage, S, are set apart and the spectrum is that of the other rows. With b its
coefficients at some alpha, B the inverse of its penalised Gram (the intercept a free column), and
W the weights of S:

    M = W^-1 + X_S B X_S',   u = M^-1 (y_S - X_S b)
    e_i / (1 - h_i) = u_i / [M^-1]_ii                        for rows of S
    e_i = y_i - x_i b - x_i B X_S' u                         for the others
    h_i / w_i = x_i B x_i' - (X_S B x_i')' M^-1 (X_S B x_i')

These are the formulas of Sherman, Morrison and Woodbury. M is a sum of positive terms, and of the
others no leverage is high. M = R'R comes from an orthogonal factorisation with sorted rows and
pivoted columns, which keeps the digits of small rows beside large ones (Cox and Higham, "Stability
of Householder QR factorization for weighted least squares problems", 1998).
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg

from fastridge._threads import call_lapack, product
from fastridge.solvers.problem import RidgeProblem
from fastridge.solvers.spectrum import Spectrum, spectrum_of

LEAST_LEFT = 1e-2  # 1 - leverage below this costs digits


class _Factor(NamedTuple):
    """The triangle R of M at one alpha, its columns permuted."""

    R: np.ndarray
    order: np.ndarray


class RowsApart:
    """Rows of high leverage, seen by the fit to the other rows.

    Parameters
    ----------
    spectrum : Spectrum
        Primal, of the other rows.
    alphas : ndarray of shape (n_alphas,)
    X, Y, weight
        The rows set apart; weights are positive, or None.

    Attributes
    ----------
    errors : ndarray of shape (n_apart, n_alphas, n_targets)
        Leave-one-out errors of these rows.
    shrunk : ndarray of shape (n_directions, n_alphas, n_targets)
        What these rows add to the coefficients along the directions of the others.
    free_loadings : ndarray of shape (n_alphas, n_free, n_targets) or None
    shift : ndarray of shape (n_alphas, n_targets)
        What they add to the intercept, about the centre.
    """

    def __init__(
        self,
        spectrum: Spectrum,
        alphas: np.ndarray,
        X: np.ndarray,
        Y: np.ndarray,
        weight: np.ndarray | None,
    ) -> None:
        problem = spectrum.problem
        x_centre, y_centre = problem.centre
        s, n_alphas = len(X), len(alphas)
        Z, free = spectrum.predict_parts(np.asarray(X, dtype=float) - x_centre)
        target = np.asarray(Y, dtype=float) - y_centre
        if free is not None:
            assert spectrum.free_loadings is not None
            target = target - free @ spectrum.free_loadings
        kept = spectrum.inverse(alphas)
        # A direction that the other rows do not span has the penalty alone.
        lost = (kept == 0.0) & (alphas > 0.0)[:, None]
        inverse = np.divide(1.0, alphas[:, None], out=kept.copy(), where=lost)
        self._inverse, self._Z, self._free = inverse, Z, free
        self._root = np.ones(s) if weight is None else np.sqrt(weight)
        self._share = 1.0 / problem.sum_weights if problem.fit_intercept else 0.0
        self._factors: list[_Factor] = []
        u = np.empty((n_alphas, s, target.shape[1]))
        self.errors = np.empty((s, n_alphas, target.shape[1]))
        for a, d in enumerate(inverse):
            left = target - Z @ (kept[a][:, None] * spectrum.loadings)
            left *= self._root[:, None]
            factor = self._factor(d)
            self._factors.append(factor)
            solved = np.empty_like(left)
            half = scipy.linalg.solve_triangular(factor.R, left[factor.order], trans="T")
            solved[factor.order] = scipy.linalg.solve_triangular(factor.R, half)
            diagonal = np.empty(s)
            columns = scipy.linalg.solve_triangular(factor.R, np.eye(s))
            diagonal[factor.order] = (columns**2).sum(axis=1)
            self.errors[:, a] = solved / (self._root * diagonal)[:, None]
            u[a] = solved * self._root[:, None]
        self.shrunk = (inverse[:, :, None] * np.matmul(Z.T, u)).transpose(1, 0, 2)
        self.free_loadings = None if free is None else np.matmul(free.T, u)
        self.shift = self._share * u.sum(axis=1)

    def _factor(self, d: np.ndarray) -> _Factor:
        """R'R = I + W^1/2 X_S B X_S' W^1/2, its columns permuted."""
        s = len(self._Z)
        parts = [self._Z * np.sqrt(d)]
        if self._free is not None:
            parts.append(self._free)
        parts.append(np.full((s, 1), np.sqrt(self._share)))
        rows = np.vstack([(np.hstack(parts) * self._root[:, None]).T, np.eye(s)])
        rows = rows[np.argsort(-np.abs(rows).max(axis=1))]
        R, order = call_lapack(s, scipy.linalg.qr, rows, mode="r", pivoting=True)
        return _Factor(R[:s], order)

    def leverage_taken(self, Z: np.ndarray, free: np.ndarray | None) -> np.ndarray:
        """By how much these rows lower other rows' h / w, of shape (n_rows, n_alphas)."""
        taken = np.empty((len(Z), len(self._inverse)))
        for a, (d, factor) in enumerate(zip(self._inverse, self._factors, strict=True)):
            cross = product(Z, (d * self._Z).T)
            if free is not None:
                cross += free @ self._free.T  # type: ignore[union-attr]
            cross += self._share
            cross *= self._root
            half = scipy.linalg.solve_triangular(factor.R, cross[:, factor.order].T, trans="T")
            np.einsum("ij,ij->j", half, half, out=taken[:, a])
        return taken


def spectrum_without(problem: RidgeProblem, apart: np.ndarray, least_alpha: float) -> Spectrum:
    """The spectrum of all rows but some, whose weights become zero."""
    weight = np.ones(problem.shape[0]) if problem.weight is None else problem.weight.copy()
    weight[apart] = 0.0
    others = RidgeProblem(
        problem.X,
        problem.y,
        weight,
        problem.alpha,
        fit_intercept=problem.fit_intercept,
        standardize=problem.standardize,
        factors=problem.factors,
        n_threads=problem.n_threads,
        estimator=problem.estimator,
    )
    return spectrum_of(others, least_alpha)


def determines_less(others: Spectrum, whole: Spectrum, least_alpha: float) -> bool:
    """Whether some coefficient is determined by all rows, but not by the others."""
    if others.n_free < whole.n_free:
        return True
    if least_alpha > 0.0:
        return False
    ranks = [np.count_nonzero(one.inverse(np.zeros(1))) for one in (others, whole)]
    return bool(ranks[0] < ranks[1])
