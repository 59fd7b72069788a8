"""Choose how to minimise a smooth loss with an L2 penalty."""

from fastridge.solvers.newton import dual, primal
from fastridge.solvers.newton.iterate import Weights
from fastridge.solvers.newton.problem import NewtonResult, SmoothProblem


def solve(
    problem: SmoothProblem,
    start: Weights | None = None,
    *,
    tol: float,
    max_iter: int,
) -> NewtonResult:
    """Minimise from a start, coefficients and intercept, or from the null model.

    Stops where ``g'H^-1 g <= tol^2 F``, of the gradient g and the Hessian H of the objective F: a
    Newton step would lower F by half of that.
    """
    design = problem.design
    if design.has_rows and design.shape[1] > design.n_counted > len(problem.free):
        return dual.minimise(problem, tol=tol, max_iter=max_iter)
    return primal.minimise(problem, start, tol=tol, max_iter=max_iter)
