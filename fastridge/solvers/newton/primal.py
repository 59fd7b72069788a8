"""Newton's method in the coefficients.

A pass over the rows makes the loss and its gradient at a point, and, if requested, the
Hessian X'diag(h)X about the means of the columns with the curvatures h as weights, so that the
intercept stands apart. The first steps are taken on a sample of the rows.
"""

from typing import Any, NamedTuple

import numpy as np

from fastridge.designs.expansion import Expansion
from fastridge.penalties.l2 import L2Penalty
from fastridge.solvers.direct.cholesky import Factor
from fastridge.solvers.direct.graded_svd import rounding
from fastridge.solvers.newton.iterate import Found, Weights, iterate
from fastridge.solvers.newton.problem import NewtonResult, SmoothProblem, not_converged
from fastridge.solvers.problem import problem_of
from fastridge.solvers.solver_selection import solve as solve_ridge
from fastridge.statistics.accumulate import CentredProducts

LEAST_SAMPLE = 20
"""Rows of a sample, as a multiple of the unknowns: fewer have another Hessian."""
SAMPLED_VALUES = 1 << 20
"""Values of X: with fewer, no sample is taken."""
SAMPLE = 17
"""A sample has one of this number of rows."""
SAMPLE_TOL = 1e-3
_LEAST_RCOND = 1e-4  # of a Hessian summed in single precision
COLUMNS_AT_ONCE = 20.0
"""Columns of a Gram matrix that are made in the time of reading X."""


def minimise(
    objective: "Objective", start: Weights | None = None, *, tol: float, max_iter: int
) -> NewtonResult:
    """Minimise from a start, or the null model, until ``g'H^-1 g <= tol^2 F``."""
    weights, hessian = beginning(objective, start, tol=tol, max_iter=max_iter)
    found = iterate(objective, weights, hessian, tol=tol, max_iter=max_iter, trusting=True)
    return result_of(objective.problem, found)


def beginning(
    objective: "Objective", start: Weights | None = None, *, tol: float, max_iter: int
) -> tuple[Weights, Any]:
    """Return the weights, about the pilot, and the Hessian that a sample of the rows gives.

    Where no sample is taken these are the start and None.
    """
    problem = objective.problem
    design = problem.design
    if start is None:
        weights = Weights(np.zeros(design.shape[1]), problem.null_predictor)
    else:
        weights = at_pilot(start, design.pilot)
    sampled = None if objective.hessian_cost is None else _sampled(problem)
    if sampled is None:
        return weights, None
    found = iterate(Objective(sampled), weights, tol=max(tol, SAMPLE_TOL), max_iter=max_iter)
    away = design.pilot - sampled.design.pilot
    weights = at_pilot(found.evaluation.weights, away)
    if found.hessian.factor is None:  # the sample may leave a direction out
        return weights, None
    part = sampled.design.sum_weights / design.sum_weights
    return weights, found.hessian._replace(scale=1.0 / part, pilot=design.pilot)


def result_of(problem: SmoothProblem, found: Found) -> NewtonResult:
    """Return the result of an iteration about the pilot."""
    design, here, hessian = problem.design, found.evaluation, found.hessian
    gap = None
    if not len(problem.free) and hessian.name != "newton-cd":
        gap = 0.5 * found.part * float((here.gradient.coef**2 / problem.penalty).sum())
    coef, intercept = at_pilot(found.weights, -design.pilot)
    return NewtonResult(
        coef,
        intercept if design.fit_intercept else 0.0,
        found.objective,
        found.decrement,
        gap,
        found.n_iter,
        hessian.name,
        None if hessian.factor is None else hessian.factor.rcond,
        None if found.converged else not_converged(found.n_iter, found.stuck),
    )


def at_pilot(weights: Weights, pilot: np.ndarray) -> Weights:
    """Return weights for rows from which this vector is subtracted."""
    return Weights(weights.coef, weights.intercept + float(pilot @ weights.coef))


def _sampled(problem: SmoothProblem) -> SmoothProblem | None:
    """Return the problem of a sample of the rows; None if they are too few."""
    design = problem.design
    n, p = design.shape
    if n * p < SAMPLED_VALUES or n < LEAST_SAMPLE * SAMPLE * p or not design.has_rows:
        return None
    sampled = problem.rows(slice(None, None, SAMPLE))
    return sampled if sampled.design.n_counted >= LEAST_SAMPLE * p else None


class Evaluation:
    """The objective and its gradient, about the pilot."""

    def __init__(self, problem: SmoothProblem, weights: Weights, expansion: Expansion) -> None:
        self.weights, self._expansion = weights, expansion
        coef = weights.coef
        self.eta, self.products = expansion.eta, expansion.products
        self.single = expansion.single
        penalty = problem.penalty_of(coef)
        self.objective = expansion.value - problem.least_value + penalty
        self.size = abs(expansion.value) + abs(problem.least_value) + penalty
        total = expansion.total if problem.design.fit_intercept else 0.0
        self.gradient = Weights(expansion.gradient + problem.penalty * coef, total)

    def with_penalty(self, problem: SmoothProblem) -> "Evaluation":
        """Return the evaluation at the same weights of the same rows with another penalty."""
        return Evaluation(problem, self.weights, self._expansion)


class Objective:
    """The objective about the pilot, whose Hessian is factored."""

    hessian_cost: float | None
    hessian_rate = 0.0

    def __init__(self, problem: SmoothProblem) -> None:
        self.problem = problem
        self.hessian_cost = problem.design.shape[1] / COLUMNS_AT_ONCE

    def at(self, weights: Weights, *, second: bool) -> Evaluation:
        """Return the evaluation at these weights; with a Hessian if `second`."""
        problem = self.problem
        with np.errstate(all="ignore"):
            if second:
                expansion = problem.design.expand_roughly(problem.loss, *weights)
            else:
                expansion = problem.design.expand(problem.loss, *weights, second=False)
            return Evaluation(problem, weights, expansion)

    def between(self, first: Evaluation, last: Evaluation, part: float) -> float:
        """Return the objective on the way between two evaluations, without reading X."""
        problem, eta = self.problem, first.eta
        eta = eta + part * (last.eta - eta)
        value = problem.loss.value_of(eta, problem.design.weight)
        coef = first.weights.coef
        coef = coef + part * (last.weights.coef - coef)
        return value - problem.least_value + problem.penalty_of(coef)

    def hessian_at(self, evaluation: Evaluation) -> Any:
        """Return the Hessian of an evaluation that was made with one."""
        found = self._hessian_of(evaluation.products)
        rough = found.factor is None or not found.factor.rcond > _LEAST_RCOND
        if evaluation.single and rough:
            problem = self.problem
            with np.errstate(all="ignore"):
                made = problem.design.expand(problem.loss, *evaluation.weights, second=True)
            found = self._hessian_of(made.products)
        return found

    def _hessian_of(self, products: CentredProducts | None) -> "_Hessian":
        design, penalty = self.problem.design, self.problem.penalty
        assert products is not None
        return hessian_of(
            products, penalty, design.pilot, design.fit_intercept, design.n_threads, 1.0
        )


class _Hessian(NamedTuple):
    """`scale` times the Hessian of a pass over the rows, about the means of the columns."""

    products: CentredProducts
    factor: Factor | None
    penalty: np.ndarray
    pilot: np.ndarray
    fit_intercept: bool
    scale: float

    def with_penalty(self, penalty: np.ndarray, n_threads: int) -> "_Hessian":
        """Return the Hessian with another penalty; the rows are not read."""
        return hessian_of(
            self.products, penalty, self.pilot, self.fit_intercept, n_threads, self.scale
        )

    @property
    def name(self) -> str:
        """Name of the solver that used it."""
        return "newton-eigh" if self.factor is None else "newton-cholesky"

    def solve(self, gradient: Weights, objective: float, goal: float) -> Weights:
        """Return the inverse Hessian times a gradient."""
        if not self.fit_intercept:
            return Weights(self._solved(gradient.coef), 0.0)
        away = self.products.x_mean - self.pilot
        coef = self._solved(gradient.coef - away * gradient.intercept)
        intercept = gradient.intercept / (self.scale * self.products.sum_weights)
        return Weights(coef, intercept - float(away @ coef))

    def _solved(self, gradient: np.ndarray) -> np.ndarray:
        gradient = gradient / self.scale
        if self.factor is not None:
            return self.factor.solve(gradient[None])[0]
        products = self.products._replace(xy=gradient[:, None], y_mean=np.zeros(1), yy=np.ones(1))
        penalty = L2Penalty(factors=self.penalty)
        if not self.penalty.any():  # the limit as all penalties go to 0
            penalty = L2Penalty(np.zeros(1))
        problem = problem_of(products, penalty, fit_intercept=self.fit_intercept)
        coef: np.ndarray = solve_ridge(problem).coef[0]
        return coef


def hessian_of(
    products: CentredProducts,
    penalty: np.ndarray,
    pilot: np.ndarray,
    fit_intercept: bool,
    n_threads: int,
    scale: float,
) -> _Hessian:
    """Return `scale` times the Hessian of a pass with the penalty over `scale`, factored."""
    penalty = penalty / scale
    upper = products.upper if fit_intercept else products.upper_about_zero()
    if not np.isfinite(upper.diagonal()).all():
        raise np.linalg.LinAlgError("the Hessian overflows")
    factor: Factor | None = Factor(upper, penalty, n_threads)
    if factor is not None and not factor.rcond > rounding(len(penalty)):
        factor = None
    return _Hessian(products, factor, penalty, pilot, fit_intercept, scale)
