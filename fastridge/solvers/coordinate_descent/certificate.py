"""Bound the excess of the objective over its minimum, without an l1 penalty and bounds.

    P(w) = |y - X w|^2 / 2 + sum_j l2_j w_j^2 / 2,   h = X'(y - X w) - l2 w,   H = X'X + diag(l2)

P(w) - min P = h' H^-1 h / 2. If H is well conditioned, its Cholesky factor gives that. Otherwise it
is computed as half the square of the projection of the residual (y - X w, -sqrt(l2) w) onto the
columns of (X, sqrt(diag(l2))), from an orthogonal basis of these. With fewer rows than columns,
any theta that is orthogonal to the columns F without a penalty gives

    P(w) - min P <= |r - theta|^2 / 2 + sum_j (<x_j, theta> - l2_j w_j)^2 / (2 l2_j),   j not in F

(Fenchel's duality), and P(w) itself is another bound. All of these are sums of squares; a bound on
the rounding of the residual is added to them. Directions along which X is zero to rounding are
left out, as in the minimum-norm solution.
"""

import numpy as np

from fastridge.losses.squared import SquaredLoss
from fastridge.runtime.threads import call_lapack
from fastridge.solvers.direct.cholesky import Factor
from fastridge.solvers.direct.triangle import triangle
from fastridge.solvers.problem import Problem
from fastridge.statistics.accumulate import symmetric

_EPS = float(np.finfo(np.float64).eps)
_CONDITIONED = 1e-10  # a reciprocal condition number with which the factor is trusted
_BASIS_WORK = 1e11  # multiplications that a basis of the columns may take
_BASIS_VALUES = 1 << 25


def excess(
    problem: Problem,
    target: int,
    coef: np.ndarray,
    l2: np.ndarray,
    target_square: float,
    tolerance: float,
) -> float:
    """Return a bound on how far the objective, a sum over the rows, is above its minimum.

    NaN where that would take more time or memory than the fit, or where statistics alone do not
    tell. `l2`, `target_square`, which is |y|^2, and the tolerated gap are sums over the rows.
    """
    n, p = problem.design.shape
    size = target_square**0.5
    if not problem.design.has_rows or (n >= p and problem.design.statistics is not None):
        gap, primal = _by_products(problem, target, coef, l2, size, tolerance)
        return primal if np.isnan(gap) and primal <= tolerance else gap
    return _by_rows(problem, target, coef, l2, size)


def _rounding(size: float, n_terms: int) -> float:
    return 4.0 * _EPS * size * float(n_terms) ** 0.5


def _by_products(
    problem: Problem,
    target: int,
    coef: np.ndarray,
    l2: np.ndarray,
    size: float,
    tolerance: float,
) -> tuple[float, float]:
    """Return the bound, and the objective itself."""
    upper, xy = problem.design.gram, problem.xy
    p = len(upper)
    length = np.sqrt(upper.diagonal())
    used = np.flatnonzero(length > 0.0)
    if not len(used):
        return 0.0, 0.5 * size * size
    G = symmetric(upper)
    if len(used) < p:
        G = G[np.ix_(used, used)]
    length, w, ridge = length[used], coef[used], l2[used]
    total_length = np.sqrt(length * length + ridge)
    total = size + float(length @ np.abs(w))
    hidden = _rounding(total, p)
    h = xy[used, target] - G @ w - ridge * w
    if (ridge > 0.0).all():
        # Fenchel's bound needs no factor
        gap = 0.5 * float(((np.abs(h) + hidden * length) ** 2 / ridge).sum())
        if gap <= tolerance:
            return gap, np.inf
    factor = Factor(G, ridge, problem.design.n_threads)
    if factor.rcond >= _CONDITIONED:
        square = max(0.0, float(h @ factor.solve(h[None])[0]))
        return 0.5 * (square**0.5 + hidden / factor.rcond**0.5) ** 2, np.inf
    if problem.design.has_rows:
        return _by_triangle(problem, target, coef, l2, size), np.inf
    residual_target = size * size - float(w @ xy[used, target])
    primal = 0.5 * (residual_target - float(w @ h)) + hidden * (total + hidden)
    h /= total_length
    G[np.diag_indices_from(G)] += ridge
    G /= total_length
    G /= total_length[:, None]
    values, vectors = call_lapack(len(used), np.linalg.eigh, G)
    lost = 8.0 * p * _EPS * values[-1]  # of the Gram's eigenvalues to its rounding
    values = values - lost
    if not values[0] > lost:
        return np.nan, max(primal, 0.0)  # equal columns, or columns that the rows tell apart
    along = np.abs(vectors.T @ h) + hidden
    return 0.5 * float((along * along / values).sum()), max(primal, 0.0)


def _residual(problem: Problem, target: int, coef: np.ndarray) -> np.ndarray:
    residual = problem.residual(coef[None], np.array([target]))[:, 0]
    if problem.design.weight is not None:
        residual[problem.design.weight == 0.0] = 0.0
    return residual


def lengths(problem: Problem) -> np.ndarray:
    """Return the lengths of the columns about their centre."""
    square = problem.design.variances
    if not problem.design.fit_intercept:
        square = square + problem.design.mean**2
    root: np.ndarray = np.sqrt(square * problem.design.sum_weights)
    return root


def _by_triangle(
    problem: Problem, target: int, coef: np.ndarray, l2: np.ndarray, size: float
) -> float:
    residual = _residual(problem, target, coef)
    size += float(lengths(problem) @ np.abs(coef))
    unit = float(np.abs(residual).max())
    if not unit > 0.0:
        return 0.5 * (_rounding(size, 1)) ** 2
    # in units that do not underflow; centred, where there is an intercept, as the residual is
    design = problem.design.with_statistics(None)
    R, C = triangle(Problem(design, SquaredLoss(residual / unit), problem.penalty))
    root = np.sqrt(l2)
    stacked = np.vstack([R, np.diag(root)]) if root.any() else R
    right = np.concatenate([C[:, 0] * unit, -root * coef if root.any() else []])
    along = _projected(stacked, right)
    return 0.5 * (along + _rounding(size, 1)) ** 2


def _projected(columns: np.ndarray, right: np.ndarray) -> float:
    """Return the length of the projection of `right` onto the columns."""
    length = np.sqrt((columns * columns).sum(axis=0))
    used = length > 0.0
    if not used.any():
        return 0.0
    basis, values, _ = call_lapack(
        min(columns.shape), np.linalg.svd, columns[:, used] / length[used], full_matrices=False
    )
    kept = values > max(columns.shape) * _EPS * values[0]
    return float(np.linalg.norm(basis[:, kept].T @ right))


def _by_rows(problem: Problem, target: int, coef: np.ndarray, l2: np.ndarray, size: float) -> float:
    n, p = problem.design.shape
    residual = _residual(problem, target, coef)
    root = np.sqrt(problem.design.row_weights)
    size += float(lengths(problem) @ np.abs(coef))
    hidden = _rounding(size, 1)
    theta = residual * root
    primal = 0.5 * (float(np.linalg.norm(theta)) + hidden) ** 2
    primal += 0.5 * float(l2 @ (coef * coef))
    free = np.flatnonzero((l2 == 0.0) & (lengths(problem) > 0.0))
    gap = 0.0
    if len(free):
        if n * len(free) > _BASIS_VALUES or n * len(free) * min(n, len(free)) > _BASIS_WORK:
            return np.nan
        columns = problem.design.centred_columns(free, problem.design.root)
        columns /= np.sqrt((columns * columns).sum(axis=0))
        basis, values, _ = call_lapack(
            min(columns.shape), np.linalg.svd, columns, full_matrices=False
        )
        basis = basis[:, values > max(columns.shape) * _EPS * values[0]]
        along = basis.T @ theta
        theta = theta - basis @ along
        gap = 0.5 * (float(np.linalg.norm(along)) + hidden) ** 2
    if len(free) < p:
        held = l2 > 0.0
        z = problem.design.correlate((theta * root)[:, None])[0]
        h = np.abs(z - l2 * coef)[held] + 2.0 * _EPS * lengths(problem)[held] * size
        gap += 0.5 * float((h * h / l2[held]).sum())
    return min(primal, gap)
