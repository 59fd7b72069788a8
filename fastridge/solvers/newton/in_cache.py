"""Newton's method for few rows and features, compiled as a whole."""

import numpy as np

from fastridge._kernels import newton_in_cache
from fastridge.designs.dense import DenseDesign
from fastridge.solvers.direct.graded_svd import rounding
from fastridge.solvers.newton import iterate
from fastridge.solvers.newton.iterate import Weights
from fastridge.solvers.newton.problem import NewtonResult, SmoothProblem, not_converged
from fastridge.statistics.accumulate import is_native

_MOST_VALUES = 1 << 14  # of X: some 128 kB
_MOST_FEATURES = 32
_NONE = np.empty(0)
_GOALS = {
    "sufficient": iterate.SUFFICIENT,
    "rounding": iterate.ROUNDING,
    "nothing": iterate.NOTHING,
    "exact": iterate.EXACT,
    "stalled": iterate.STALLED,
}


def minimise_in_cache(
    problem: SmoothProblem, start: Weights | None, *, tol: float, max_iter: int
) -> NewtonResult | None:
    """Minimise from a start or the null model; None if the data are too many or ill-conditioned."""
    design, loss, penalty = problem.design, problem.loss, problem.penalty
    n, p = design.shape
    if not isinstance(design, DenseDesign) or n * p > _MOST_VALUES or p > _MOST_FEATURES:
        return None
    if not is_native(design.X):
        return None
    weights, gradient = np.zeros(p + 1), np.empty(p)
    if start is None:
        weights[p] = problem.null_predictor
    else:
        weights[:p], weights[p] = start
    found = newton_in_cache.minimise(
        design.X,
        loss.y,
        _NONE if loss.offset is None else loss.offset,
        _NONE if design.weight is None else design.weight,
        loss.number,
        loss.loss.power,
        penalty,
        design.fit_intercept,
        {"tol": tol, "least_value": problem.least_value, **_GOALS},
        max_iter,
        weights,
        gradient,
        np.empty((p + 4, n)),
        np.empty((2 * p + 6, p)),
    )
    if found is None or not found[2] > rounding(p) or not np.isfinite(gradient @ gradient):
        return None
    objective, decrement, rcond, n_iter, enough = found
    gap = None if len(problem.free) else 0.5 * float((gradient**2 / penalty).sum())
    intercept = float(weights[p]) if design.fit_intercept else 0.0
    warning = None if enough else not_converged(n_iter, n_iter < max_iter)
    return NewtonResult(
        weights[:p], intercept, objective, decrement, gap, n_iter, "newton-cholesky", rcond, warning
    )
