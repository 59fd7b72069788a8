"""Choose how to minimise the objective of a support vector machine with an L2 penalty."""

from collections.abc import Callable

import numpy as np

from fastridge.solvers.svm import dual_coordinate_descent, interior_point, semismooth
from fastridge.solvers.svm.problem import MarginProblem, MarginResult

_MOST_FACTORED = 3000  # features, or rows, of a system that is factored


def solve(
    problem: MarginProblem,
    epsilon: float,
    generator: Callable[[], np.random.Generator],
    *,
    tol: float,
    max_iter: int,
) -> MarginResult:
    """Minimise until the gap is at most tol times the objective.

    `generator` makes the source of the order of the rows, where they have one.
    """
    n, p = problem.design.shape
    if min(n, p) > _MOST_FACTORED:
        return dual_coordinate_descent.minimise(
            problem, epsilon, generator(), tol=tol, max_iter=max_iter
        )
    found = semismooth.minimise(problem, by_rows=p > n, tol=tol, max_iter=max_iter)
    if found.stalled and problem.curvature is None and p <= _MOST_FACTORED:
        other = interior_point.minimise(problem, tol=tol)
        if other.gap < found.gap:
            return other._replace(n_iter=found.n_iter + other.n_iter)
    return found
