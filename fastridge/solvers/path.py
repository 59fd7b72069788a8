"""Ridge at many alphas from one factorisation.

With S the penalty of each feature beside alpha and S^-1/2 X'WX S^-1/2 = V diag(l) V':
coef(alpha) = S^-1/2 V diag(1 / (l + alpha)) V' S^-1/2 X'Wy. Features that no penalty touches
are projected out first.
"""

from typing import NamedTuple

import numpy as np

from fastridge._accumulate import CentredProducts, symmetric
from fastridge._threads import call_lapack
from fastridge.solvers.orthogonal import dual_spectrum
from fastridge.solvers.problem import RidgeProblem
from fastridge.statistics import GramStatistics

_EPS = float(np.finfo(float).eps)


class PathResult(NamedTuple):
    """Coefficients for every alpha; `spectrum` holds the penalised Gram's eigenvalues."""

    alphas: np.ndarray  # (n_alphas,)
    coefs: np.ndarray  # (n_alphas, n_targets, n_features)
    intercepts: np.ndarray  # (n_alphas, n_targets)
    spectrum: np.ndarray


def problem_of(
    products: CentredProducts,
    *,
    fit_intercept: bool = True,
    alpha_scale: str = "sum",
    standardize: bool = False,
    penalty_factors: np.ndarray | None = None,
) -> RidgeProblem:
    """A problem given by products alone; its alphas are set by who solves it."""
    return RidgeProblem(
        None,
        None,
        None,
        np.zeros(1),
        alpha_scale,
        fit_intercept,
        standardize,
        penalty_factors,
        given_products=products,
    )


def solve_path(problem: RidgeProblem, alphas: np.ndarray) -> PathResult:
    """Coefficients of `problem` at every alpha (on the problem's own `alpha_scale`)."""
    n, p = problem.shape
    alphas = np.asarray(alphas, dtype=float)
    summed = alphas * (problem.sum_weights if problem.alpha_scale == "mean" else 1.0)
    free = np.flatnonzero(problem.scale == 0.0)
    if problem.X is not None and p > n and not len(free):
        values, V, loadings, expand = dual_spectrum(problem)
        shrunk = _shrink(loadings, values, summed, max(n, p))  # (n_alphas, n, t)
        t = shrunk.shape[2]
        dual = np.matmul(V, shrunk).transpose(1, 0, 2).reshape(n, -1)
        coefs = expand(dual).reshape(len(alphas), t, p)
    else:
        values, coefs = _primal_path(problem, summed, free)
    intercepts = problem.intercept(coefs)
    return PathResult(alphas, coefs, intercepts, values)


def _shrink(loadings: np.ndarray, values: np.ndarray, alphas: np.ndarray, order: int) -> np.ndarray:
    """loadings / (values + alpha) for each alpha, without directions lost in rounding."""
    denominator = values + alphas[:, None]
    top = denominator.max(axis=1, initial=0.0)[:, None]
    kept = denominator > order * _EPS * top
    inverse = np.divide(1.0, denominator, out=np.zeros_like(denominator), where=kept)
    return inverse[:, :, None] * loadings


def _primal_path(
    problem: RidgeProblem, alphas: np.ndarray, free: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    upper, xy = problem.moments
    p, t = xy.shape
    G = symmetric(upper)
    order = max(problem.shape)
    rest = np.flatnonzero(problem.scale > 0.0)
    inverse = cross = None
    if len(free):
        inverse = np.linalg.pinv(G[np.ix_(free, free)], rcond=order * _EPS, hermitian=True)
        cross = G[np.ix_(free, rest)]
        free_xy = xy[free]
        G = G[np.ix_(rest, rest)] - cross.T @ inverse @ cross
        xy = xy[rest] - cross.T @ (inverse @ free_xy)
    root = np.sqrt(problem.scale[rest])
    G /= root
    G /= root[:, None]
    values, V = call_lapack(len(G), np.linalg.eigh, G)
    values = np.maximum(values, 0.0)
    shrunk = _shrink(V.T @ (xy / root[:, None]), values, alphas, order)
    flat = shrunk.transpose(0, 2, 1).reshape(len(alphas) * t, len(rest))
    solved = (flat @ V.T).reshape(len(alphas), t, len(rest)) / root
    if not len(free):
        return values, solved
    assert inverse is not None
    assert cross is not None
    coefs = np.empty((len(alphas), t, p))
    coefs[:, :, rest] = solved
    coefs[:, :, free] = (free_xy.T - solved @ cross.T) @ inverse
    return values, coefs


def statistics_path(
    stats: GramStatistics,
    alphas: np.ndarray,
    *,
    fit_intercept: bool = True,
    alpha_scale: str = "sum",
    standardize: bool = False,
    penalty_factors: np.ndarray | None = None,
) -> PathResult:
    """Ridge coefficients at every alpha from statistics alone.

    Parameters
    ----------
    stats : GramStatistics
    alphas : array-like of shape (n_alphas,)
    fit_intercept, alpha_scale, standardize, penalty_factors
        As for `fastridge.Ridge`.

    Returns
    -------
    PathResult
    """
    problem = problem_of(
        stats._held(),
        fit_intercept=fit_intercept,
        alpha_scale=alpha_scale,
        standardize=standardize,
        penalty_factors=penalty_factors,
    )
    return solve_path(problem, np.asarray(alphas, dtype=float))


def default_alphas(
    stats: GramStatistics,
    n_alphas: int = 100,
    *,
    alpha_scale: str = "sum",
    standardize: bool = False,
    penalty_factors: np.ndarray | None = None,
) -> np.ndarray:
    """Increasing alphas from nearly no shrinkage to nearly all, by the spectrum of the Gram.

    They reach from 1e-6 of the mean eigenvalue to 10 times the largest, evenly in the log.
    """
    problem = problem_of(stats._held(), standardize=standardize, penalty_factors=penalty_factors)
    keep = np.flatnonzero(problem.scale > 0.0)
    root = np.sqrt(problem.scale[keep])
    G = symmetric(problem.moments[0])[np.ix_(keep, keep)] / root / root[:, None]
    values = call_lapack(len(G), np.linalg.eigvalsh, G) if len(keep) else np.ones(1)
    top = float(values[-1]) if values[-1] > 0.0 else 1.0
    mean = max(float(values.mean()), top * 1e-10)
    scale = stats.sum_weights if alpha_scale == "mean" else 1.0
    return np.geomspace(1e-6 * mean, 10.0 * top, n_alphas) / scale
