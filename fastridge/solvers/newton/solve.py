"""Choose how to minimise a smooth loss with an L2 penalty, or with an L1 penalty as well.

All stop where ``g'H^-1 g <= tol^2 F``, of the gradient g and the Hessian H of the objective F, or
where as little is promised by a step with an L1 penalty: a Newton step would lower F by half of it.
"""

from typing import Any

import numpy as np

from fastridge.designs.design import Design
from fastridge.losses.multinomial import ClassesOfRows
from fastridge.losses.smooth import LossOfRows
from fastridge.penalties.elastic_net import Bounds
from fastridge.solvers.newton import dual, primal
from fastridge.solvers.newton.active_newton import ActiveNewton
from fastridge.solvers.newton.in_cache import minimise_in_cache
from fastridge.solvers.newton.iterate import Weights
from fastridge.solvers.newton.multinomial import minimise_classes
from fastridge.solvers.newton.problem import NewtonResult, SmoothProblem
from fastridge.solvers.newton.products import ProductsObjective

_MOST_FACTORED = 3000  # features, or rows, of a system that is factored
_LOST = 1e-11  # of an objective: more is not the rounding of linear predictors


def solve(
    problem: SmoothProblem,
    start: Weights | None = None,
    *,
    l1: np.ndarray | None = None,
    bounds: Bounds | None = None,
    tol: float,
    max_iter: int,
) -> NewtonResult:
    """Minimise from a start, coefficients and intercept, or from the null model.

    `l1` holds the L1 penalty of each feature, in addition to the L2 penalty of the problem, and
    `bounds` the least and the largest coefficients.
    """
    design = problem.design
    n, p = design.n_counted, design.shape[1]
    if not is_smooth(l1, bounds):
        options: dict[str, Any] = {"bounds": bounds, "tol": tol, "max_iter": max_iter}
        return ActiveNewton(design, problem.loss, start, **options).to(l1, problem.penalty)
    objective = primal.Objective(problem)
    if p > n > len(problem.free) and n <= _MOST_FACTORED:
        found = dual.minimise(problem, tol=tol, max_iter=max_iter)
        if found is not None and _is_attained(objective, found):
            return found
        if p > _MOST_FACTORED:
            objective = ProductsObjective(problem)
    elif p > _MOST_FACTORED and n > _MOST_FACTORED:
        objective = ProductsObjective(problem)
    else:
        quick = minimise_in_cache(problem, start, tol=tol, max_iter=max_iter)
        if quick is not None:
            return quick
    return primal.minimise(objective, start, tol=tol, max_iter=max_iter)


def factors_hessian(
    problem: SmoothProblem, l1: np.ndarray | None, bounds: Bounds | None = None
) -> bool:
    """Return whether `solve` would factor Hessians of the coefficients."""
    if not is_smooth(l1, bounds):
        return False
    n, p = problem.design.n_counted, problem.design.shape[1]
    if p > n > len(problem.free) and n <= _MOST_FACTORED:
        return False
    return p <= _MOST_FACTORED or n <= _MOST_FACTORED


def _is_attained(objective: primal.Objective, found: NewtonResult) -> bool:
    """Return whether the coefficients attain the objective that the rows' Gram matrix gave.

    They do not where columns differ so much in length that it holds the longest alone.
    """
    pilot = objective.problem.design.pilot
    weights = Weights(found.coef, found.intercept + float(pilot @ found.coef))
    here = objective.at(weights, second=False)
    lost = here.objective - found.objective  # infinite, or NaN, where the objective overflows
    return bool(lost <= _LOST * here.size < np.inf)


def solve_classes(
    design: Design,
    loss: ClassesOfRows,
    penalty: np.ndarray,
    start: Weights | None = None,
    *,
    l1: np.ndarray | None = None,
    bounds: Bounds | None = None,
    tol: float,
    max_iter: int,
) -> NewtonResult:
    """Minimise the multinomial loss with ``1/2 sum_kj penalty_j coef_kj^2`` for all classes.

    Bounds are those of all classes, or have a row for each.
    """
    if not is_smooth(l1, bounds):
        options: dict[str, Any] = {"bounds": bounds, "tol": tol, "max_iter": max_iter}
        return ActiveNewton(design, loss, start, **options).to(l1, penalty)
    return minimise_classes(design, loss, penalty, start, tol=tol, max_iter=max_iter)


def solve_rows(
    design: Design,
    loss: LossOfRows | ClassesOfRows,
    penalty: np.ndarray,
    start: Weights | None = None,
    **options: Any,
) -> NewtonResult:
    """Minimise the loss of rows with one linear predictor, or with one for each class."""
    if isinstance(loss, ClassesOfRows):
        return solve_classes(design, loss, penalty, start, **options)
    return solve(SmoothProblem(design, loss, penalty), start, **options)


def is_smooth(l1: np.ndarray | None, bounds: Bounds | None) -> bool:
    """Return whether a penalty has neither an L1 part nor bounds."""
    return bounds is None and (l1 is None or not l1.any())
