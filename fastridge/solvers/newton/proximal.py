"""Newton's method with an L1 penalty: each step is an elastic net of weighted rows.

The loss is replaced by its expansion to second order, with the curvatures h as weights and the
targets ``z = eta - g / h``, and coordinate descent minimises it with the penalty (Lee, Sun and
Saunders, "Proximal Newton-type methods for minimizing composite functions", 2014).
"""

from typing import Any

import numpy as np

from fastridge.designs.design import Design
from fastridge.losses.squared import SquaredLoss
from fastridge.penalties.elastic_net import Penalty
from fastridge.solvers.coordinate_descent.problem import ElasticNetProblem
from fastridge.solvers.newton.iterate import Weights, iterate
from fastridge.solvers.newton.primal import Evaluation, Objective, at_pilot, result_of
from fastridge.solvers.newton.problem import LEAST_PENALTY, NewtonResult, SmoothProblem
from fastridge.solvers.problem import Problem

_LEAST_CURVATURE = 1e-9  # of the largest: less would make targets that only rounding tells apart
INNER = 0.01  # of the decrement before, the gap that coordinate descent may leave
FIRST_INNER = 1e-3
_LEAST_INNER = 1e-15
_MOST_SWEEPS = 100_000


def minimise_within(
    problem: SmoothProblem,
    penalty: Penalty,
    start: Weights | None = None,
    *,
    tol: float,
    max_iter: int,
) -> NewtonResult:
    """Minimise with an L1 penalty and bounds, from a start or the null model."""
    if start is None:
        weights = Weights(np.zeros(problem.design.shape[1]), problem.null_predictor)
    else:
        weights = at_pilot(start._replace(coef=penalty.clip(start.coef)), problem.design.pilot)
    found = iterate(L1Objective(problem, penalty), weights, tol=tol, max_iter=max_iter)
    return within(result_of(problem, found), penalty, found.evaluation.gradient.coef)


def within(result: NewtonResult, penalty: Penalty, gradient: np.ndarray) -> NewtonResult:
    """Return a result with coefficients within the bounds, and the gap that follows from these.

    `gradient` is that of the loss and of the L2 penalty.
    """
    if not penalty.limited:
        return result
    return result._replace(  # a step to a bound may be rounded beyond it
        coef=penalty.clip(result.coef), gap=_gap(penalty, result.coef, gradient)
    )


def _gap(penalty: Penalty, coef: np.ndarray, gradient: np.ndarray) -> float | None:
    """Return a bound on what any other coefficients within the bounds would win.

    The loss is at least its tangent: each coefficient's part is the least of
    ``g (u - w) + l1 (|u| - |w|) + l2 (u - w)^2 / 2``. None where a part has no end.
    """
    l1, l2 = penalty.l1, penalty.l2
    with np.errstate(all="ignore"):
        there = coef - gradient / l2
        shrunk = np.sign(there) * np.maximum(np.abs(there) - l1 / l2, 0.0)
        ends = np.where(gradient < -l1, penalty.upper, np.where(gradient > l1, penalty.lower, 0.0))
        best = np.where(l2 > LEAST_PENALTY, penalty.clip(shrunk), ends)
        won = gradient * (coef - best) + l1 * (np.abs(coef) - np.abs(best))
        gap = float((won - 0.5 * l2 * (best - coef) ** 2).sum())
    return gap if np.isfinite(gap) else None


class L1Objective(Objective):
    """The objective about the pilot, with an L1 penalty and bounds.

    Parameters
    ----------
    problem : SmoothProblem
        With the L2 penalty.
    penalty : Penalty
        With the same L2 penalty; at alpha = 1.
    """

    def __init__(self, problem: SmoothProblem, penalty: Penalty) -> None:
        super().__init__(problem)
        self.hessian_cost = None
        self.penalty = penalty
        self._model: _Model | None = None  # the last one

    def at(self, weights: Weights, *, second: bool) -> Evaluation:
        """Return the evaluation at these weights."""
        here = super().at(weights, second=False)
        here.objective += self._l1_of(weights.coef)
        return here

    def between(self, first: Evaluation, last: Evaluation, part: float) -> float:
        """Return the objective on the way between two evaluations, without reading X."""
        coef = first.weights.coef + part * (last.weights.coef - first.weights.coef)
        return super().between(first, last, part) + self._l1_of(coef)

    def hessian_at(self, evaluation: Evaluation) -> Any:
        """Return the expansion at an evaluation."""
        self._model = _Model(self, evaluation, self._model)
        return self._model

    def _l1_of(self, coef: np.ndarray) -> float:
        return float(self.penalty.l1 @ np.abs(coef))


class _Model:
    """The expansion of the loss, whose minimum with the penalty is the next step."""

    factor = None
    name = "newton-cd"

    def __init__(self, objective: L1Objective, here: Evaluation, before: "_Model | None") -> None:
        self._objective, self._before = objective, before
        self.decrement = np.inf

    def step(self, here: Evaluation) -> tuple[Weights, float]:
        """Return the step to the minimum of the model, and the decrease that it promises."""
        problem, penalty = self._objective.problem, self._objective.penalty
        coef = here.weights.coef
        derivative, curvature = np.empty((2, len(here.eta)))
        problem.loss.expand(here.eta, problem.design.weight, derivative, curvature)
        moved = here.eta - here.weights.intercept
        if problem.loss.offset is not None:
            moved = moved - problem.loss.offset
        left = np.inf if self._before is None else self._before.decrement
        new = model_minimum(problem.design, penalty, coef, moved, derivative, curvature, left)
        about_pilot = new.intercept
        if problem.design.fit_intercept:
            about_pilot += float(problem.design.pilot @ new.coef)
        step = Weights(new.coef - coef, about_pilot)
        promised = here.gradient.dot(step)
        promised += float(penalty.l1 @ (np.abs(new.coef) - np.abs(coef)))
        self.decrement = max(-promised, 0.0)
        return step, -promised


def model_minimum(
    design: Design,
    penalty: Penalty,
    coef: np.ndarray,
    moved: np.ndarray,
    derivative: np.ndarray,
    curvature: np.ndarray,
    left: float,
) -> Weights:
    """Return the minimum of a loss expanded to second order, with the penalty.

    Parameters
    ----------
    coef : ndarray of shape (n_features,)
        From which coordinate descent starts.
    moved : ndarray of shape (n_samples,)
        Linear predictors, less what is added to every one.
    derivative, curvature : ndarray of shape (n_samples,)
        Weighted derivatives of the losses.
    left : float
        What the last step promised: coordinate descent may leave a part of it.

    Returns
    -------
    Weights
        Coefficients, and the intercept to be added to the present one.
    """
    counted = curvature > 0.0 if design.weight is None else design.weight > 0.0
    largest = float(curvature.max()) or 1.0  # 0 of rows that are all fitted to underflow
    curvature = np.where(counted, np.maximum(curvature, _LEAST_CURVATURE * largest), 0.0)
    target = np.where(counted, moved - derivative / np.where(counted, curvature, 1.0), 0.0)
    total = float(curvature.sum())
    mean = float(curvature @ target) / total if design.fit_intercept else 0.0
    size = float(curvature @ (target - mean) ** 2)
    inner = min(FIRST_INNER, INNER * left / size) if size > 0.0 else FIRST_INNER
    weighted = design.reweighted(curvature)
    problem = Problem(weighted, SquaredLoss(target))
    new = net_minimum(problem, penalty.at(1.0 / total), coef, inner)
    return Weights(new, mean - float(weighted.mean @ new) if design.fit_intercept else 0.0)


def net_minimum(problem: Problem, penalty: Penalty, coef: np.ndarray, gap: float) -> np.ndarray:
    """Return the coefficients of an elastic net, from these on, to a gap relative to y'y."""
    model = _WeightedNet(problem, bounds=None, tol=max(gap, _LEAST_INNER), max_iter=_MOST_SWEEPS)
    model.given_penalty = penalty
    point = model.path([np.ones(1)], 1.0, coef[None])[0][0]
    new = np.zeros_like(coef)
    new[point.features] = point.coef
    return new


class _WeightedNet(ElasticNetProblem):
    """An elastic net with a penalty that is given."""

    given_penalty: Penalty
    _single = False  # coefficients keep all digits between steps

    def penalty(self, l1_ratio: float) -> Penalty:
        """Return the penalty, constant columns held at zero."""
        return self.given_penalty.without(self.sources[0].constant)
