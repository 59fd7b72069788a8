"""Choose how to minimise a smooth loss with an L2 penalty."""

from fastridge.solvers.newton import dual, primal
from fastridge.solvers.newton.iterate import Weights
from fastridge.solvers.newton.problem import NewtonResult, SmoothProblem
from fastridge.solvers.newton.products import ProductsObjective

_MOST_FACTORED = 3000  # features, or rows, of a system that is factored


def solve(
    problem: SmoothProblem, start: Weights | None = None, *, tol: float, max_iter: int
) -> NewtonResult:
    """Minimise from a start, coefficients and intercept, or from the null model.

    Stops where ``g'H^-1 g <= tol^2 F``, of the gradient g and the Hessian H of the objective F: a
    Newton step would lower F by half of that.
    """
    design = problem.design
    n, p = design.n_counted, design.shape[1]
    if p > n > len(problem.free) and n <= _MOST_FACTORED:
        return dual.minimise(problem, tol=tol, max_iter=max_iter)
    factored = p <= _MOST_FACTORED or n <= _MOST_FACTORED
    objective = primal.Objective(problem) if factored else ProductsObjective(problem)
    return primal.minimise(objective, start, tol=tol, max_iter=max_iter)
