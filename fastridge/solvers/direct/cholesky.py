"""Cholesky of the penalised Gram (primal) or of the Gram of the samples (dual), refined.

    primal:  coef = (X'WX + diag(penalty))^-1 X'Wy
    dual:    coef = S^-1 X' R (K + alpha I)^-1 R y,   K = R X S^-1 X' R,  R = W^1/2,
             S = diag(penalty / alpha)

Where the condition number eats digits, `refine` wins them back from X.
"""

import numpy as np

from fastridge import _kernels
from fastridge._typing import Index
from fastridge.runtime.threads import call_once_over
from fastridge.solvers.direct.blocked_cholesky import factor_scaled
from fastridge.solvers.direct.graded_svd import rounding
from fastridge.solvers.direct.refine import refine
from fastridge.solvers.problem import Problem
from fastridge.solvers.result import Result
from fastridge.statistics.accumulate import symmetric

ACCURATE = 1e-8  # a reciprocal condition number that leaves eight digits
_REFINED = 1e-6  # below this, coefficients are refined if the rows are available
_LEAST_SQUARES = 1e-2  # the same without a penalty
_DUAL, _DUAL_REFINED = 1e-7, 1e-4  # the dual's residuals count by the root of its condition more
_DIGITS = 1e-9  # relative rounding of coefficients that a dual may leave
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
        self._large = p > _SMALL
        if self._large:
            self._scale = np.empty(p)
            self._factor, self.rcond = factor_scaled(upper, penalty, self._scale, n_threads)
        else:
            self._factor = np.empty((p + 5, p))
            self.rcond = _kernels.cholesky.factor_penalised(upper, penalty, self._factor)

    def solve(self, rows: np.ndarray) -> np.ndarray:
        """Apply (G + diag(penalty))^-1 to every row of a new array."""
        rows = rows.copy()  # in C order
        if not self._large and rows.size:
            _kernels.cholesky.solve_factored(self._factor, rows)
        elif rows.size:
            kernel = _kernels.eliminate.solve_eliminated
            call_once_over(rows.size * rows.shape[1], kernel, self._factor, self._scale, rows)
        return rows


def alpha_groups(alphas: np.ndarray) -> list[tuple[float, Index]]:
    """Yield each distinct alpha with an index of the targets that have it."""
    if len(alphas) == 1 or alphas.strides == (0,):
        return [(float(alphas[0]), slice(None))]
    values, inverse = np.unique(alphas, return_inverse=True)
    return [(float(v), np.flatnonzero(inverse == k)) for k, v in enumerate(values)]


def solve_primal(problem: Problem) -> Result | None:
    """Solve by Cholesky of the p x p system; None if its digits do not suffice."""
    problem = problem.accumulated()
    design, xy = problem.design, problem.xy
    p, t = xy.shape
    coef, n_iter, worst = np.empty((t, p)), np.empty(t, dtype=np.intc), 1.0
    n_iter.fill(1)
    for alpha, targets in alpha_groups(problem.alphas):
        penalty = problem.scale_at(alpha)
        factor = Factor(design.gram, penalty, design.n_threads)
        worst = min(worst, factor.rcond)
        if factor.rcond < _REFINED and factor.rcond < rounding(p) * design.gram_loss:
            return None
        coef[targets] = factor.solve(xy.T[targets])
        refined = (_REFINED if alpha else _LEAST_SQUARES) * design.gram_loss
        if design.has_rows and factor.rcond < refined:
            steps = refine(problem, factor, penalty, coef, targets)
            if steps is None:
                return None
            n_iter[targets] += steps
    return Result(coef, problem.centre, "cholesky", worst, n_iter)


def solve_dual(problem: Problem) -> Result | None:
    """Solve by Cholesky of the n x n system; None if its digits do not suffice."""
    design, n, p = problem.design, problem.design.n_counted, problem.design.shape[1]
    free = np.flatnonzero(problem.scale == 0.0)
    if len(free) >= n:
        return None
    basis = None
    if len(free):
        basis = _free_basis(problem, free)
        if basis is None:
            return None
    K, Yc = row_gram(problem), weighted_targets(problem)
    root = None if design.root is None else design.root[design.counted]
    if basis is not None:
        K = symmetric(K)
        before = float(np.trace(K))
        project_out(K, basis)
        Yc -= basis @ (basis.T @ Yc)
        if not np.trace(K) > ACCURATE * before:
            return None  # cancelled: nearly all of the penalised features is in that space
    if design.fit_intercept:
        # Centring makes K singular along the weights' roots, to which y is orthogonal: any
        # eigenvalue put there leaves the solution as it is.
        if root is None:
            K += np.trace(K) / n / n
        else:
            K += np.outer(np.trace(K) / n / (root @ root) * root, root)
    coef = np.empty((Yc.shape[1], p))
    worst = 1.0
    for alpha, targets in alpha_groups(problem.alphas):
        factor = Factor(K, np.full(n, alpha), design.n_threads)
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
        if found is None or not (well or _coef_has_digits(problem, K, *found)):
            return None
        coef[targets] = found[0]
    if len(free):
        fit_free(problem, coef)
    return Result(coef, problem.centre, "cholesky", worst)


def _coef_by_dual(
    problem: Problem,
    factor: Factor,
    alpha: float,
    targets: np.ndarray,
    root: np.ndarray | None,
    basis: np.ndarray | None,
    *,
    well: bool,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return S^-1 X'R g and g with (K + alpha I) g = R y, for targets in rows, or None.

    With few digits in K (unless `well`), residuals are formed from X: what y holds that the rows
    do not span is large in g, and must cancel in the coefficients.
    """

    def solved(right: np.ndarray) -> np.ndarray:
        dual = factor.solve(right)
        return dual if basis is None else dual - (dual @ basis) @ basis.T

    def coefficients(dual: np.ndarray) -> np.ndarray:
        weighted = dual if root is None else dual * root
        every = problem.design.among_all_rows(weighted.T)
        return problem.design.correlate(every) * problem.inverse_scale

    dual = solved(targets)
    coef = coefficients(dual)
    if well and basis is None:
        return coef, dual
    last = np.inf
    for _ in range(_MAX_DUAL_STEPS):
        residual = targets - alpha * dual
        predicted = problem.design.predict(coef)[problem.design.counted].T
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
    return coef, dual


def _coef_has_digits(problem: Problem, K: np.ndarray, coef: np.ndarray, dual: np.ndarray) -> bool:
    """Return whether the terms of S^-1 X'R g, which may cancel, leave the coefficients digits."""
    squares = problem.design.squares
    terms = np.sqrt((squares * problem.inverse_scale).max())  # of the longest column and row
    terms = terms * (np.abs(dual) * np.sqrt(K.diagonal())).max(axis=1)
    whole = np.abs(coef * np.sqrt(squares)).max(axis=1)
    return bool((_EPS * terms <= _DIGITS * whole).all())


def row_gram(problem: Problem) -> np.ndarray:
    """Return K of the rows with weight; other rows would be directions of their own."""
    design = problem.design
    K = design.outer_gram(problem.inverse_scale, design.counted)
    if design.root is not None:
        root = design.root[design.counted]
        K *= root[:, None] * root
    return K


def weighted_targets(problem: Problem) -> np.ndarray:
    """Return the centred targets of the rows with weight, times the root of the weight."""
    design = problem.design
    Yc = problem.loss.Y[design.counted] - problem.y_centre
    if design.root is not None:
        Yc *= design.root[design.counted, None]
    return Yc


def project_out(K: np.ndarray, basis: np.ndarray) -> None:
    """Project orthonormal columns out of symmetric K, as if they were the intercept."""
    K -= basis @ (basis.T @ K)
    K -= (K @ basis) @ basis.T


def _free_basis(problem: Problem, free: np.ndarray) -> np.ndarray | None:
    """Return an orthonormal basis of the features without a penalty, for the rows with weight."""
    columns = problem.design.centred_columns(free, problem.design.root)
    length = np.sqrt((columns**2).sum(axis=0))
    if not length.all():
        return None
    basis, triangle = np.linalg.qr(columns / length)
    if not np.abs(np.diagonal(triangle)).min() > 1e-10:
        return None
    counted: np.ndarray = basis[problem.design.counted]
    return counted


def fit_free(problem: Problem, coef: np.ndarray) -> None:
    """Fit the features without a penalty to the residual of the penalised ones by least squares."""
    free = np.flatnonzero(problem.scale == 0.0)
    root = problem.design.root
    coef[:, free] = 0.0
    residual = problem.residual(coef)
    if root is not None:
        residual *= root[:, None]
    columns = problem.design.centred_columns(free, root)
    length = np.sqrt((columns**2).sum(axis=0))
    flat = length == 0.0
    length[flat] = 1.0
    columns /= length  # units decide no rank
    if problem.design.fit_intercept:  # takes what rounding left of the means
        ones = np.ones((len(columns), 1)) if root is None else root[:, None]
        columns = np.hstack([columns, ones / np.linalg.norm(ones)])
    cut = rounding(max(columns.shape))
    found = np.linalg.lstsq(columns, residual, rcond=cut)[0][: len(free)]
    found[flat] = 0.0  # exactly: the mean may be far
    coef[:, free] = (found / length[:, None]).T
