"""The squared hinge loss with an L1 penalty: a smooth loss for Newton's method.

A penalised intercept is the coefficient of one more column, of which X is copied with it.
"""

import numpy as np
import scipy.sparse as sp

from fastridge._typing import Matrix
from fastridge.designs import design_of
from fastridge.losses.smooth import LossOfRows
from fastridge.losses.squared_hinge import SquaredHinge
from fastridge.solvers.newton.problem import SmoothProblem
from fastridge.solvers.newton.solve import solve
from fastridge.solvers.svm.problem import MarginResult


def minimise(
    X: Matrix,
    y: np.ndarray,
    weight: np.ndarray,
    scaling: float,
    n_threads: int,
    *,
    tol: float,
    max_iter: int,
) -> MarginResult:
    """Minimise ``|w|_1 + |b| / scaling`` plus the weighted losses; y is -1 and 1.

    The intercept has no penalty with an infinite `scaling`, and there is none if that is zero.
    """
    free, n = scaling == np.inf, X.shape[0]
    if scaling > 0.0 and not free:
        column = np.full((n, 1), scaling, dtype=X.dtype)
        X = np.hstack([X, column]) if isinstance(X, np.ndarray) else sp.hstack([X, column], "csr")
    design = design_of(X, weight, free, n_threads)
    p = X.shape[1]
    problem = SmoothProblem(design, LossOfRows(SquaredHinge(), y), np.zeros(p))
    found = solve(problem, l1=np.ones(p), tol=tol, max_iter=max_iter)
    coef, intercept = found.coef, float(found.intercept)
    if scaling > 0.0 and not free:
        coef, intercept = coef[:-1], scaling * float(coef[-1])
    return MarginResult(
        coef, intercept, found.objective, np.nan, found.n_iter, found.solver, found.not_converged
    )
