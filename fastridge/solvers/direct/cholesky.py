"""Cholesky of the penalised Gram (primal) or of the Gram of the samples (dual), refined.

    primal:  coef = (X'WX + diag(penalty))^-1 X'Wy
    dual:    coef = S^-1 X' R (K + alpha I)^-1 R y,   K = R X S^-1 X' R,  R = W^1/2,
             S = diag(penalty / alpha)

Where the condition number eats digits, `refine` wins them back from X.
"""

from typing import Any

import numpy as np
import scipy.sparse as sp

from fastridge import _kernels
from fastridge.designs.ridge_problem import RidgeProblem, Solution
from fastridge.runtime.threads import call_once_over
from fastridge.solvers.direct.blocked_cholesky import factor_scaled
from fastridge.solvers.direct.graded_svd import rounding
from fastridge.solvers.direct.refine import refine
from fastridge.statistics.accumulate import outer_products, symmetric

ACCURATE = 1e-8  # a reciprocal condition number that leaves eight digits
_REFINED = 1e-6  # what is below this is refined where the rows are at hand
_LEAST_SQUARES = 1e-2  # likewise without a penalty
_DUAL, _DUAL_REFINED = 1e-7, 1e-4  # the dual's residuals count by the root of its condition more
_LEAST_ROW = 1e-10  # squared length of a row over the longest: of shorter ones too little is left
_MAX_DUAL_STEPS = 4
_SMALL = 100  # up to this order LAPACK takes one thread and less than a slice
_EPS = float(np.finfo(float).eps)


class Factor:
    """Equilibrated Cholesky factor of a symmetric matrix plus a diagonal.

    LAPACK makes it where the matrix is small, our own blocks and threads where it is large.
    """

    def __init__(self, upper: np.ndarray, penalty: np.ndarray, n_threads: int) -> None:
        p = len(penalty)
        self._scale = np.empty(p)
        self._large = p > _SMALL
        if self._large:
            self._factor, self.rcond = factor_scaled(upper, penalty, self._scale, n_threads)
            return
        self._factor = np.empty((p, p))
        work, iwork = np.empty(3 * p), np.empty(p, dtype=np.intc)
        self.rcond = _kernels.cholesky.factor_penalised(
            upper, penalty, self._factor, self._scale, work, iwork
        )

    def solve(self, rows: np.ndarray) -> np.ndarray:
        """(G + diag(penalty))^-1 applied to every row of a new array."""
        rows = np.array(rows, dtype=float, order="C")
        if rows.size:
            cholesky, eliminate = _kernels.cholesky, _kernels.eliminate
            kernel = eliminate.solve_eliminated if self._large else cholesky.solve_factored
            call_once_over(rows.size * rows.shape[1], kernel, self._factor, self._scale, rows)
        return rows


def alpha_groups(alphas: np.ndarray) -> list[tuple[float, Any]]:
    """Each distinct alpha with an index of the targets that have it."""
    if len(alphas) == 1 or alphas.strides == (0,):
        return [(float(alphas[0]), slice(None))]
    values, inverse = np.unique(alphas, return_inverse=True)
    return [(float(v), np.flatnonzero(inverse == k)) for k, v in enumerate(values)]


def solve_primal(problem: RidgeProblem) -> Solution | None:
    """Cholesky of the p x p system, or None where its digits do not suffice."""
    upper, xy = problem.moments
    p, t = xy.shape
    coef = xy.T.copy()
    worst, n_iter = 1.0, np.empty(t, dtype=np.intc)
    n_iter.fill(1)
    for alpha, targets in alpha_groups(problem.alphas):
        penalty = alpha * problem.scale
        factor = Factor(upper, penalty, problem.n_threads)
        worst = min(worst, factor.rcond)
        if factor.rcond < _REFINED and factor.rcond < rounding(p) * problem.gram_loss:
            return None
        coef[targets] = factor.solve(coef[targets])
        if problem.X is not None and factor.rcond < (_REFINED if alpha else _LEAST_SQUARES):
            steps = refine(problem, factor, penalty, coef, targets)
            if steps is None:
                return None
            n_iter[targets] += steps
    return Solution(coef, "cholesky", worst, n_iter)


def solve_dual(problem: RidgeProblem) -> Solution | None:
    """Cholesky of the n x n system, or None where its digits do not suffice."""
    n, p = problem.shape
    scale = problem.scale
    free = np.flatnonzero(scale == 0.0)
    if len(free) >= problem.n_counted:
        return None
    inverse = problem.inverse_scale
    root = None if problem.weight is None else np.sqrt(problem.weight)
    K = sample_gram(problem, inverse)
    Yc = problem.Y - problem.centre[1]
    if root is not None:
        Yc *= root[:, None]
    basis = None
    if len(free):
        basis = _free_basis(problem, free, root)
        if basis is None:
            return None
    counted = problem.counted
    if problem.n_counted < n:  # rows without weight would leave K singular
        K, Yc = K[np.ix_(counted, counted)], Yc[counted]
        root = None if root is None else root[counted]
        basis = None if basis is None else basis[counted]
        n = problem.n_counted
    if basis is not None:
        # Project the features without a penalty out of K and y, as if they were the intercept.
        K = symmetric(K)
        before = float(np.trace(K))
        K -= basis @ (basis.T @ K)
        K -= (K @ basis) @ basis.T
        Yc -= basis @ (basis.T @ Yc)
        if not np.trace(K) > ACCURATE * before:
            return None  # cancelled: nearly all of the penalised features is in that space
    if problem.fit_intercept:
        # Centring makes K singular along the weights' roots, to which y is orthogonal: any
        # eigenvalue put there leaves the solution as it is.
        if root is None:
            K += np.trace(K) / n / n
        else:
            K += np.outer(np.trace(K) / n / (root @ root) * root, root)
    coef = np.empty((Yc.shape[1], p))
    worst = 1.0
    for alpha, targets in alpha_groups(problem.alphas):
        factor = Factor(K, np.full(n, alpha), problem.n_threads)
        worst = min(worst, factor.rcond)
        if factor.rcond < max(_DUAL, n * _EPS):
            return None
        # rows of very different length make g as different, whatever the unit diagonal hides
        diagonal = K.diagonal() + alpha
        if diagonal.min() < _LEAST_ROW * diagonal.max():
            return None
        well = factor.rcond * diagonal.min() >= _DUAL_REFINED * diagonal.max()
        parts = (problem, factor, alpha, Yc.T[targets], root, basis)
        found = _coef_by_dual(*parts, well=well)
        if found is None:
            return None
        coef[targets] = found
    if len(free):
        fit_free(problem, coef)
    return Solution(coef, "cholesky", worst)


def _coef_by_dual(
    problem: RidgeProblem,
    factor: Factor,
    alpha: float,
    targets: np.ndarray,
    root: np.ndarray | None,
    basis: np.ndarray | None,
    *,
    well: bool,
) -> np.ndarray | None:
    """S^-1 X'R g with (K + alpha I) g = R y, for targets in rows; None where that is not found.

    With few digits in K (unless `well`), residuals are formed from X: what y holds that the rows
    do not span is large in g, and must cancel in the coefficients.
    """

    def solved(right: np.ndarray) -> np.ndarray:
        dual = factor.solve(right)
        return dual if basis is None else dual - (dual @ basis) @ basis.T

    def coefficients(dual: np.ndarray) -> np.ndarray:
        weighted = dual if root is None else dual * root
        every = problem.among_all_rows(weighted.T)
        return problem.correlate_centred(every) * problem.inverse_scale

    dual = solved(targets)
    coef = coefficients(dual)
    if well and basis is None:
        return coef
    last = np.inf
    for _ in range(_MAX_DUAL_STEPS):
        residual = targets - alpha * dual
        predicted = problem.predict_centred(coef)[problem.counted].T
        residual -= predicted if root is None else predicted * root
        if basis is not None:
            residual -= (residual @ basis) @ basis.T
        correction = solved(residual)
        size = np.abs(correction).max(initial=0.0)
        if not size <= 0.5 * last and last > 1e-9 * np.abs(dual).max(initial=0.0):
            return None  # not shrinking
        dual += correction
        coef = coefficients(dual)
        if (np.abs(correction) <= 4.0 * _EPS * np.abs(dual)).all():
            break
        last = size
    return coef


def sample_gram(problem: RidgeProblem, inverse: np.ndarray) -> np.ndarray:
    """K = R Xc diag(inverse) Xc' R on and above its diagonal; R holds the weights' roots."""
    K = outer_gram(problem.X, problem.centre[0], inverse, problem.n_threads)
    if problem.weight is not None:
        root = np.sqrt(problem.weight)
        K *= root[:, None] * root
    return K


def outer_gram(X: Any, mean: np.ndarray, inverse: np.ndarray, n_threads: int) -> np.ndarray:
    """(X - mean) diag(inverse) (X - mean)' on and above its diagonal, X dense or sparse."""
    if sp.issparse(X):
        return _sparse_sample_gram(X, mean, np.sqrt(inverse))
    return outer_products(X, mean, np.sqrt(inverse), n_threads)


def _sparse_sample_gram(X: Any, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(X - mean) diag(scale)^2 (X - mean)' of sparse X.

    Columns stored in most rows, whose means may be large beside their spread, are centred
    before they are multiplied, some at a time; for the others that costs no digits later.
    """
    X = X.tocsc()
    often = np.diff(X.indptr) > X.shape[0] // 2
    seldom = np.flatnonzero(~often)
    Z = X[:, seldom].multiply(scale[seldom]).tocsr()
    shift = (mean * scale)[seldom]
    cross = np.asarray(Z @ shift).ravel()
    K = np.asarray((Z @ Z.T).todense()) + shift @ shift
    K -= cross[:, None] + cross
    columns = np.flatnonzero(often)
    for begin in range(0, len(columns), 256):
        some = columns[begin : begin + 256]
        block = (X[:, some].toarray() - mean[some]) * scale[some]
        K += block @ block.T
    return K


def free_columns(problem: RidgeProblem, free: np.ndarray, root: np.ndarray | None) -> np.ndarray:
    """The features without a penalty, centred, times the roots of the weights."""
    columns = problem.X[:, free]
    if problem.sparse:
        columns = columns.toarray()
    columns = columns.astype(float) - problem.centre[0][free]
    columns[:, problem.column_squares[free] == 0.0] = 0.0  # constant, to rounding of the mean
    return columns if root is None else columns * root[:, None]


def _free_basis(
    problem: RidgeProblem, free: np.ndarray, root: np.ndarray | None
) -> np.ndarray | None:
    columns = free_columns(problem, free, root)
    length = np.sqrt((columns**2).sum(axis=0))
    if not length.all():
        return None
    basis, triangle = np.linalg.qr(columns / length)
    return basis if np.abs(np.diagonal(triangle)).min() > 1e-10 else None


def fit_free(problem: RidgeProblem, coef: np.ndarray) -> None:
    """Least squares of what the penalised features leave, on those without a penalty."""
    free = np.flatnonzero(problem.scale == 0.0)
    root = None if problem.weight is None else np.sqrt(problem.weight)
    coef[:, free] = 0.0
    residual = problem.residual(coef)
    if root is not None:
        residual *= root[:, None]
    columns = free_columns(problem, free, root)
    length = np.sqrt((columns**2).sum(axis=0))
    length = np.where(length > 0.0, length, 1.0)  # units decide no rank
    columns /= length
    if problem.fit_intercept:  # takes what rounding left of the means
        ones = np.ones((len(columns), 1)) if root is None else root[:, None]
        columns = np.hstack([columns, ones / np.linalg.norm(ones)])
    cut = rounding(max(columns.shape))
    found = np.linalg.lstsq(columns, residual, rcond=cut)[0][: len(free)]
    coef[:, free] = (found / length[:, None]).T
