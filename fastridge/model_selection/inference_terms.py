"""Variances of a ridge fit, from the spectrum of its statistics and blocks of its rows.

With A = X'WX + alpha S about the means, and in the directions of `spectrum`
(T'X'WX T = diag(l), F'X'WX F = I, T'X'WX F = 0):

    A^-1          = T diag(1 / (l + alpha)) T' + F F'
    A^-1 X'WX A^-1 = T diag(l / (l + alpha)^2) T' + F F'

which is the covariance of the coefficients over sigma^2 (Hoerl and Kennard, "Ridge regression:
biased estimation for nonorthogonal problems", Technometrics 12, 1970).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from fastridge._typing import Matrix
from fastridge.model_selection.high_leverage import LEAST_LEFT, spectrum_without
from fastridge.model_selection.leave_one_out import LeaveOneOut
from fastridge.penalties.l2 import L2Penalty
from fastridge.runtime.threads import call_lapack
from fastridge.solvers.direct.spectrum import Spectrum
from fastridge.solvers.direct.spectrum_selection import spectrum_of
from fastridge.solvers.problem import Problem, problem_of
from fastridge.statistics.accumulate import kernel_rows, symmetric

_BLOCK_VALUES = 1 << 19
_OTHER_DATA = 1e-2  # difference of fits, in lengths of y, that no solver's tolerance explains
_EPS = float(np.finfo(float).eps)
_SUSPECT = 1e-8  # an eigenvalue of the correlations below this is found again from the rows
_COMPONENT = 1e-6  # of a null vector, in units of the columns: below this it is rounding


@dataclass
class Unpenalised:
    """(X'WX)^-1 of some features, and the combinations of them that no row determines.

    Attributes
    ----------
    half : ndarray of shape (n_features, rank)
        Times its transpose the inverse; a generalised one, where some are not determined.
    null : ndarray of shape (n_features, n_null)
        Combinations w with X w = 0, about the means.
    undetermined : ndarray of shape (n_features,) of bool
        Features with a part in some of them.
    """

    half: np.ndarray
    null: np.ndarray
    undetermined: np.ndarray

    @property
    def rank(self) -> int:
        return self.half.shape[1]


def unpenalised(problem: Problem, features: np.ndarray) -> Unpenalised:
    """`Unpenalised` from eigenvectors of the correlations, or singular values of the rows."""
    p = len(features)
    G = symmetric(problem.design.gram)[np.ix_(features, features)]
    length = np.sqrt(G.diagonal())
    # the length of a constant column is only the rounding of its mean
    variances = problem.design.variances[features] if problem.design.fit_intercept else length
    length[~(variances > 0.0)] = 0.0
    unit = np.divide(1.0, length, out=np.zeros(p), where=length > 0.0)
    values, V = call_lapack(p, np.linalg.eigh, G * unit * unit[:, None])
    kept = values > max(problem.design.shape) * _EPS * max(values[-1], 0.0)
    some = length > 0.0
    if problem.design.has_rows and some.any():
        suspect = np.count_nonzero(values <= _SUSPECT * values[-1]) > np.count_nonzero(~some)
        if suspect and problem.design.n_counted >= p:
            from fastridge.solvers.direct.triangle import triangle

            R = triangle(problem)[0][:, features] * unit
            _, s, Vt = call_lapack(p, np.linalg.svd, R)
            values = np.zeros(p)
            values[: len(s)] = s**2
            V = Vt.T
            kept = np.sqrt(values) > max(problem.design.shape) * _EPS * s[0]
    half = unit[:, None] * V[:, kept] / np.sqrt(values[kept])
    null = np.where(some, unit, 1.0)[:, None] * V[:, ~kept]
    undetermined = (np.abs(V[:, ~kept]) > _COMPONENT).any(axis=1) | ~some
    return Unpenalised(half, null, undetermined)


def has_part(Z: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return whether each row of Z has a component along a column of `null`, beyond rounding."""
    along, size = np.abs(Z @ null), np.abs(Z) @ np.abs(null)
    return np.asarray((along > _COMPONENT * size).any(axis=1))


def rows_with_part(X: Matrix, mean: np.ndarray, null: np.ndarray) -> np.ndarray:
    """`has_part` of the rows of X about the mean."""
    out = np.empty(X.shape[0], dtype=bool)
    for rows, block in _dense_blocks(X):
        out[rows] = has_part(block - mean, null)
    return out


class Precision:
    """A^-1 at each alpha, and what neither rows nor penalty determine.

    Parameters
    ----------
    problem : Problem
    spectrum : Spectrum
        Primal.
    alphas : ndarray of shape (n_alphas,)
        Where an alpha is zero no feature has a penalty, elsewhere those with a factor of zero.
    """

    def __init__(self, problem: Problem, spectrum: Spectrum, alphas: np.ndarray) -> None:
        self.spectrum = spectrum
        p = len(problem.scale)
        free = np.flatnonzero(problem.scale == 0.0)
        self._n_features, self._free = p, free
        self._some = unpenalised(problem, free) if len(free) and alphas.any() else None
        self._all = None if alphas.all() else unpenalised(problem, np.arange(p))

    def half(self, alpha: float) -> np.ndarray:
        """Return L with L L' = A^-1."""
        if alpha == 0.0 and self._all is not None:
            return self._all.half
        L = self.spectrum.directions * np.sqrt(self.spectrum.inverse(np.array([alpha])))
        F = self.spectrum.free_directions
        return L if F is None else np.hstack([L, F])

    def inverse(self, alpha: float) -> np.ndarray:
        """Return A^-1, of shape (n_features, n_features)."""
        L = self.half(alpha)
        return L @ L.T

    def covariance_half(self, alpha: float) -> np.ndarray:
        """Return H with H H' = A^-1 X'WX A^-1."""
        if alpha == 0.0 and self._all is not None:
            return self._all.half
        weights = np.sqrt(self.spectrum.values) * self.spectrum.inverse(np.array([alpha]))
        H, F = self.spectrum.directions * weights, self.spectrum.free_directions
        return H if F is None else np.hstack([H, F])

    def rank(self, alpha: float) -> int:
        """Return the rank of the features without a penalty."""
        found = self._all if alpha == 0.0 else self._some
        return 0 if found is None else found.rank

    def null(self, alpha: float) -> np.ndarray:
        """Return the combinations of features that are not determined, (n_features, n_null)."""
        if alpha == 0.0 and self._all is not None:
            return self._all.null
        n_null = 0 if self._some is None else self._some.null.shape[1]
        null = np.zeros((self._n_features, n_null))
        if self._some is not None:
            null[self._free] = self._some.null
        return null

    def undetermined(self, alpha: float) -> np.ndarray:
        """Return whether each feature has a component in one of these combinations."""
        if alpha == 0.0 and self._all is not None:
            return self._all.undetermined
        lost = np.zeros(self._n_features, dtype=bool)
        if self._some is not None:
            lost[self._free] = self._some.undetermined
        return lost


def _dense_blocks(X: Matrix) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield the rows of X as float64, some at a time."""
    n, p = X.shape
    X = X if isinstance(X, np.ndarray) else X.tocsr()
    step = max(1, _BLOCK_VALUES // max(p, 1))
    for begin in range(0, n, step):
        rows = slice(begin, min(begin + step, n))
        if isinstance(X, np.ndarray):
            block = kernel_rows(X, rows.start, rows.stop)
        else:
            block = X[rows].toarray()
        yield rows, np.asarray(block, dtype=np.float64)


def without_rows(problem: Problem) -> Problem:
    """Return the same problem, known by its statistics alone."""
    design, held = problem.design, problem.accumulated().design.statistics
    assert held is not None
    return problem_of(held, problem.penalty, fit_intercept=design.fit_intercept)


def residuals(problem: Problem, coef: np.ndarray) -> np.ndarray:
    """Return y - X coef about the centre, of shape (n_samples, n_targets), in float64.

    Rows of weight zero, which may be anywhere, have residuals of zero.
    """
    x_mean, y_mean = problem.centre
    out = problem.loss.Y - y_mean
    for rows, block in _dense_blocks(problem.design.X):
        out[rows] -= (block - x_mean) @ coef.T
    if problem.design.weight is not None:
        out[problem.design.weight == 0.0] = 0.0
    return np.asarray(out)


def is_fit(problem: Problem, spectrum: Spectrum, alphas: np.ndarray, coef: np.ndarray) -> bool:
    """Return whether these coefficients give the same fit as those of the problem."""
    difference = spectrum.coef(alphas) - coef
    squares = np.einsum("ij,ij->i", difference @ symmetric(problem.design.gram), difference)
    wrong = squares > _OTHER_DATA**2 * np.maximum(problem.target_squares, 1e-300)
    certain = (alphas == 0.0) | spectrum.inverse(alphas).all(axis=1)
    return not (wrong & certain).any()


def squared_scores(
    problem: Problem,
    spectrum: Spectrum,
    alphas: np.ndarray,
    residual: np.ndarray,
    cov_type: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Return (w_i r_i)^2 of every target, corrected for leverage as in HC2 and HC3, and 1 - h."""
    weight = problem.design.weight
    w = np.ones((len(residual), 1)) if weight is None else weight[:, None]
    if cov_type in ("HC0", "HC1"):
        return (w * residual) ** 2, np.ones_like(residual)
    # r = (1 - h) e with the leave-one-out error e, which does not cancel where h is near one
    errors, left = left_out(problem, spectrum, alphas)
    omega = (w * errors) ** 2
    if cov_type == "HC2":
        omega *= left
    return np.where((left > 0.0) | (w == 0.0), omega, np.nan), left


def _fixed_penalty(problem: Problem, alphas: np.ndarray) -> Problem:
    """Return the same problem with a penalty that does not change when rows are left out."""
    scale = problem.scale
    if not alphas.any():  # no penalty: so that columns of any units look alike
        diagonal = problem.design.gram.diagonal()
        scale = np.where(diagonal > 0.0, diagonal, 1.0)
    return problem.penalised(L2Penalty(factors=scale))


def left_out(
    problem: Problem, spectrum: Spectrum, alphas: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Leave-one-out errors and 1 - h of all rows, each target at its own alpha.

    Both of shape (n_samples, n_targets), and without cancellation where h is near one. The
    penalty of each feature stays what it is.
    """
    n, p = problem.design.shape
    fixed = _fixed_penalty(problem, alphas)
    if p >= 0.8 * problem.design.n_counted or spectrum.dual or not alphas.any():
        spectrum = spectrum_of(fixed, float(alphas.min()), leverage=True)
    else:
        spectrum = replace(spectrum, problem=fixed)
    distinct, which = np.unique(alphas, return_inverse=True)
    loo = LeaveOneOut(spectrum, distinct)
    errors, left = np.empty((n, len(alphas))), np.empty((n, len(alphas)))
    for rows, targets, block in loo.blocks():
        of = which[targets]
        errors[rows, targets] = block[:, of, np.arange(block.shape[2])]
        left[rows, targets] = loo.left[:, of]
    return errors, left


def moved_far(
    problem: Problem,
    alphas: np.ndarray,
    whole: np.ndarray,
    omega: np.ndarray,
    left: np.ndarray,
) -> np.ndarray:
    """Return how far each row of high leverage moves the fit, (n_rows, n_targets, p + 2).

    That is how far it moves the coefficients, the intercept, and the fit at the mean of all rows.
    The term of a row in HC3 is the square of that, A^-1 z_i w_i e_i. Multiplying matrices would
    lose its digits if z_i is large, so its term in `omega` is set to zero. `whole` holds each
    target's coefficients and intercept.
    """
    high = ((left < LEAST_LEFT) & np.isfinite(omega)).any(axis=1)
    x_mean, y_mean = problem.centre
    moved = np.empty((np.count_nonzero(high), len(whole), whole.shape[1] + 1))
    for out, row in zip(moved, np.flatnonzero(high), strict=True):
        rows = np.array([row])
        fixed = _fixed_penalty(problem, alphas)
        # by singular values: the mean may be far along a direction that the Gram rounds away
        others = spectrum_without(fixed, rows, float(alphas.min()), "svd")
        coef = others.coef(alphas)
        out[:, :-1] = whole - np.column_stack([coef, others.problem.intercept(coef)])
        other_x, other_y = others.problem.centre
        out[:, -1] = y_mean - other_y - coef @ (x_mean - other_x)
    omega[high] *= 0.0  # NaN stays
    return moved


def combine_columns(X: Matrix, v: np.ndarray) -> np.ndarray:
    """Return X v in float64; dense X of another dtype is converted some rows at a time."""
    if sp.issparse(X):
        return np.asarray(X @ v)
    out = np.empty(X.shape[0])
    for rows, block in _dense_blocks(X):
        out[rows] = block @ v
    return out


def root(M: np.ndarray) -> np.ndarray:
    """Return L with L L' = M, which is positive semidefinite or holds NaN."""
    if not np.isfinite(M).all():
        return np.full_like(M, np.nan)
    values, V = call_lapack(len(M), np.linalg.eigh, M)
    return np.asarray(V * np.sqrt(np.maximum(values, 0.0)))


def squares_along(
    X: Matrix, mean: np.ndarray, L: np.ndarray, shift: np.ndarray | float = 0.0
) -> np.ndarray:
    """Return |L'(x - mean) + shift|^2 for every row x."""
    out = np.empty(X.shape[0])
    for rows, block in _dense_blocks(X):
        Z = (block - mean) @ L + shift
        out[rows] = np.einsum("ij,ij->i", Z, Z)
    return out


def outer_sum(X: Matrix, mean: np.ndarray, L: np.ndarray, omega: np.ndarray) -> np.ndarray:
    """Return sum_i omega_i z_i z_i' with z_i = (L'(x_i - mean), 1), of shape (r + 1, r + 1).

    Along the columns of L a row far from the others keeps its digits.
    """
    r = L.shape[1]
    total = np.zeros((r + 1, r + 1))
    for rows, block in _dense_blocks(X):
        Z = np.ones((len(block), r + 1))
        np.matmul(block - mean, L, out=Z[:, :r])
        total += Z.T @ (Z * omega[rows, None])
    return total
