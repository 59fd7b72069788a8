"""Choose how to minimise a smooth loss with an L2 penalty."""

import numpy as np

from fastridge.solvers.newton import primal
from fastridge.solvers.newton.problem import NewtonResult, SmoothProblem


def solve(
    problem: SmoothProblem,
    start: tuple[np.ndarray, float] | None = None,
    *,
    tol: float,
    max_iter: int,
) -> NewtonResult:
    """Minimise from a start, coefficients and intercept, or from the null model.

    Stops where ``g'H^-1 g <= tol^2 F``, of the gradient g and the Hessian H of the objective F: a
    Newton step would lower F by half of that.
    """
    return primal.minimise(problem, start, tol=tol, max_iter=max_iter)
