"""Newton's method in the coefficients, with a Hessian that is kept while it serves.

A pass over the rows makes the loss and its gradient at a point, and, where it is asked for, the
Hessian X'diag(h)X about the means of the columns with the curvatures h as weights, so that the
intercept stands apart. A Hessian, also that of a sample of the rows, is kept for the next points as
long as its steps lower the decrement fast, and is made anew where they do not.
"""

from typing import NamedTuple

import numpy as np

from fastridge.designs.expansion import Expansion
from fastridge.solvers.direct.cholesky import Factor
from fastridge.solvers.direct.graded_svd import rounding
from fastridge.solvers.newton.problem import NewtonResult, SmoothProblem
from fastridge.solvers.problem import problem_of
from fastridge.solvers.solver_selection import solve as solve_ridge
from fastridge.penalties.l2 import L2Penalty
from fastridge.statistics.accumulate import CentredProducts

_KEPT = 0.05  # of a decrement, as the most that a step may leave for its Hessian to be kept
_SUFFICIENT = 1e-4  # of the decrease that the gradient promises
_MOST_HALVINGS = 40
_ROUNDING = 1e-13  # of the objective: what counts as no increase
_LEAST_SAMPLE = 20  # rows of a sample, as a multiple of the features
_SAMPLED_VALUES = 1 << 20  # of X: with fewer, no sample is taken
_SAMPLE = 16  # the part of the rows in a sample
_SAMPLE_TOL = 1e-3


class Hessian(NamedTuple):
    """The factored Hessian of a pass over the rows, about the means of the columns.

    It is `scale` times that of the rows and the penalty given.
    """

    products: CentredProducts
    factor: Factor | None
    penalty: np.ndarray
    scale: float
    fit_intercept: bool

    def step(self, gradient: np.ndarray, total: float, pilot: np.ndarray) -> "Step":
        """Return the Newton step at a point with this gradient about the pilot."""
        if not self.fit_intercept:
            coef = -self._solved(gradient)
            return Step(coef, 0.0, -float(gradient @ coef))
        away = self.products.x_mean - pilot
        about = gradient - away * total
        coef = -self._solved(about)
        weights = self.scale * self.products.sum_weights
        intercept = -total / weights
        decrement = -float(about @ coef) + total * total / weights
        return Step(coef, intercept - float(away @ coef), decrement)

    def _solved(self, gradient: np.ndarray) -> np.ndarray:
        gradient = gradient / self.scale
        if self.factor is not None:
            return self.factor.solve(gradient[None])[0]
        xy = gradient[:, None]
        products = self.products._replace(xy=xy, y_mean=np.zeros(1), yy=np.ones(1))
        if not self.fit_intercept:
            products = products._replace(x_mean=np.zeros_like(gradient))
        penalty = L2Penalty(factors=self.penalty)
        return solve_ridge(problem_of(products, penalty)).coef[0]


class Step(NamedTuple):
    """A step, and the decrement: twice the decrease of the quadratic model."""

    coef: np.ndarray
    intercept: float
    decrement: float


class Point:
    """Coefficients, the intercept at the pilot, and the objective with its gradient there."""

    def __init__(
        self, problem: SmoothProblem, coef: np.ndarray, intercept: float, expansion: Expansion
    ) -> None:
        self.coef, self.intercept, self.expansion = coef, intercept, expansion
        self.objective = expansion.value - problem.least_value + problem.penalty_of(coef)
        self.gradient = expansion.gradient + problem.penalty * coef
        self.total = expansion.total if problem.design.fit_intercept else 0.0


def minimise(
    problem: SmoothProblem,
    start: tuple[np.ndarray, float] | None = None,
    *,
    tol: float,
    max_iter: int,
) -> NewtonResult:
    """Minimise from a start, or the null model, until ``g'H^-1 g <= tol^2 F``."""
    return _Run(problem, tol, max_iter).from_start(start)


class _Run:
    def __init__(self, problem: SmoothProblem, tol: float, max_iter: int) -> None:
        self.problem, self.tol, self.max_iter = problem, tol, max_iter
        self.design = problem.design
        self.n_iter = 0

    def from_start(self, start: tuple[np.ndarray, float] | None) -> NewtonResult:
        if start is None:
            coef, intercept = np.zeros(self.design.shape[1]), self.problem.null_predictor
        else:
            coef, intercept = start[0], start[1] + float(self.design.pilot @ start[0])
        hessian = None
        sampled = self._sampled()
        if sampled is not None:
            run = _Run(sampled, _SAMPLE_TOL, self.max_iter)
            found, hessian = run.until_converged(run.expand(coef, intercept, second=True), None)
            coef, intercept = found.coef, found.intercept + float(
                (self.design.pilot - sampled.design.pilot) @ found.coef
            )
            hessian = hessian and self._grown(hessian, sampled)
        point = self.expand(coef, intercept, second=hessian is None)
        point, hessian = self.until_converged(point, hessian)
        return self._result(point, hessian)

    def expand(self, coef: np.ndarray, intercept: float, *, second: bool) -> Point:
        with np.errstate(all="ignore"):
            expansion = self.design.expand(self.problem.loss, coef, intercept, second=second)
            return Point(self.problem, coef, intercept, expansion)

    def _hessian(self, expansion: Expansion, scale: float = 1.0) -> Hessian:
        products = expansion.products
        assert products is not None
        penalty, intercept = self.problem.penalty, self.design.fit_intercept
        upper = products.upper if intercept else products.upper_about_zero()
        factor = Factor(upper, penalty, self.design.n_threads)
        if not factor.rcond > rounding(len(penalty)):
            return Hessian(products, None, penalty, scale, intercept)
        return Hessian(products, factor, penalty, scale, intercept)

    def until_converged(
        self, point: Point, hessian: Hessian | None
    ) -> tuple[Point, Hessian]:
        """Take steps from a point; of the Hessian, or of the point's own."""
        fresh = hessian is None
        if hessian is None:
            hessian = self._hessian(point.expansion)
        step = hessian.step(point.gradient, point.total, self.design.pilot)
        contraction = 1.0 if fresh else 0.0
        self.converged = False
        while self.n_iter < self.max_iter:
            if step.decrement <= self.tol**2 * abs(point.objective) or step.decrement <= 0.0:
                self.converged = True
                break
            self.n_iter += 1
            second = contraction > _KEPT
            new = self._after(point, step, second=second)
            if new is None:
                if fresh:  # rounding stops all progress
                    self.converged = step.decrement <= 1e-20 * abs(point.objective)
                    break
                point = self.expand(point.coef, point.intercept, second=True)
                hessian, fresh, contraction = self._hessian(point.expansion), True, 1.0
                step = hessian.step(point.gradient, point.total, self.design.pilot)
                continue
            fresh = new.expansion.products is not None
            if fresh:
                hessian = self._hessian(new.expansion)
            following = hessian.step(new.gradient, new.total, self.design.pilot)
            contraction = following.decrement / step.decrement
            point, step = new, following
        self.step = step
        return point, hessian

    def _after(self, point: Point, step: Step, *, second: bool) -> Point | None:
        """Return the point after a step, halved until it is low enough; None if it never is."""
        problem, part = self.problem, 1.0
        bound = point.objective + _ROUNDING * abs(point.objective)
        new = self.expand(point.coef + step.coef, point.intercept + step.intercept, second=second)
        if new.objective <= bound - _SUFFICIENT * step.decrement:
            return new
        away = new.expansion.eta - point.expansion.eta
        derivative, curvature = np.empty((2, len(away)))
        for _ in range(_MOST_HALVINGS):
            part *= 0.5
            eta = point.expansion.eta + part * away
            value = problem.loss.expand(eta, self.design.weight, derivative, curvature)[0]
            coef = point.coef + part * step.coef
            objective = value - problem.least_value + problem.penalty_of(coef)
            if objective <= bound - _SUFFICIENT * part * step.decrement:
                return self.expand(coef, point.intercept + part * step.intercept, second=True)
        return None

    # ---- samples ----

    def _sampled(self) -> SmoothProblem | None:
        n, p = self.design.shape
        if n * p < _SAMPLED_VALUES or n < _LEAST_SAMPLE * _SAMPLE * p or not self.design.has_rows:
            return None
        rows = slice(None, None, _SAMPLE)
        design, loss = self.design.rows(rows), self.problem.loss.rows(rows)
        part = design.sum_weights / self.design.sum_weights
        return SmoothProblem(design, loss, self.problem.penalty * part)

    def _grown(self, hessian: Hessian, sampled: SmoothProblem) -> Hessian:
        """Return the Hessian of a sample as that of all rows."""
        part = sampled.design.sum_weights / self.design.sum_weights
        return hessian._replace(scale=1.0 / part)

    def _result(self, point: Point, hessian: Hessian) -> NewtonResult:
        problem = self.problem
        gap = None
        if not len(problem.free):
            gap = 0.5 * float((point.gradient**2 / problem.penalty).sum())
        warning = None
        if not self.converged:
            warning = (
                f"Newton's method stopped after {self.n_iter} iterations before it reached the "
                "tolerance: raise max_iter or tol."
            )
        intercept = 0.0
        if self.design.fit_intercept:
            intercept = point.intercept - float(self.design.pilot @ point.coef)
        rcond = None if hessian.factor is None else hessian.factor.rcond
        return NewtonResult(
            point.coef,
            intercept,
            point.objective,
            max(self.step.decrement, 0.0),
            gap,
            self.n_iter,
            "newton-cholesky",
            rcond,
            warning,
        )
