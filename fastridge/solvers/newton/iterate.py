"""Newton steps with a Hessian that is kept while it serves, and step control."""

from typing import Any, NamedTuple, Protocol

import numpy as np

MOST_HALVINGS = 40
_SUFFICIENT = 1e-4  # of the decrease that the gradient promises
_ROUNDING = 1e-13  # of the objective: what counts as no increase
_KEPT = 0.05  # of a decrement, as the most that a step may leave for its Hessian to be kept
_NOTHING = 1e-20  # of the objective: a decrement below which only rounding is left


class Weights(NamedTuple):
    """Coefficients and intercepts, or a step of them."""

    coef: np.ndarray
    intercept: Any  # float, or ndarray of shape (n_classes,)

    def moved(self, step: "Weights", part: float) -> "Weights":
        """Return these weights and a part of a step."""
        return Weights(self.coef + part * step.coef, self.intercept + part * step.intercept)


class Evaluation(Protocol):
    """The objective at some weights, with what its gradient and Hessian need."""

    weights: Weights
    objective: float


class Hessian(Protocol):
    """A Hessian that was factored, or that can be multiplied by vectors."""

    def step(self, evaluation: Any) -> tuple[Weights, float]:
        """Return the Newton step at an evaluation, and the decrement: twice what it promises."""


class Objective(Protocol):
    """The function to minimise. A Hessian that costs nothing is made at every point."""

    keeps_hessian: bool

    def at(self, weights: Weights, *, second: bool) -> Any:
        """Return the evaluation at these weights; with a Hessian if `second`."""

    def between(self, first: Any, last: Any, part: float) -> float:
        """Return the objective on the way between two evaluations, without reading X."""

    def hessian_at(self, evaluation: Any) -> Hessian:
        """Return the Hessian of an evaluation that was made with one."""


class Found(NamedTuple):
    """The end of an iteration."""

    evaluation: Any
    hessian: Any
    decrement: float
    n_iter: int
    converged: bool


def low_enough(objective: float, before: float, decrement: float) -> bool:
    """Return whether a step lowers the objective, by enough of what its decrement promises."""
    return objective <= before - _SUFFICIENT * decrement + _ROUNDING * abs(before)


def iterate(
    objective: Objective,
    weights: Weights,
    hessian: Hessian | None = None,
    *,
    tol: float,
    max_iter: int,
) -> Found:
    """Take Newton steps until the decrement is at most ``tol^2`` of the objective.

    `hessian` may be that of other weights or of a sample of the rows. It is made again where a step
    leaves more than `_KEPT` of the decrement.
    """
    fresh = hessian is None
    here = objective.at(weights, second=fresh)
    if hessian is None:
        hessian = objective.hessian_at(here)
    step, decrement = hessian.step(here)
    contraction = 1.0 if fresh else 0.0
    n_iter = 0
    while not decrement <= tol**2 * abs(here.objective):
        if n_iter == max_iter:
            return Found(here, hessian, decrement, n_iter, False)
        n_iter += 1
        second = contraction > _KEPT or not objective.keeps_hessian
        there = _after(objective, here, step, decrement, second=second)
        if there is None:
            if fresh:  # rounding stops all progress
                done = decrement <= _NOTHING * abs(here.objective)
                return Found(here, hessian, decrement, n_iter, done)
            here, fresh, contraction = objective.at(here.weights, second=True), True, 1.0
            hessian = objective.hessian_at(here)
            step, decrement = hessian.step(here)
            continue
        fresh, here = there[1], there[0]
        if fresh:
            hessian = objective.hessian_at(here)
        before = decrement
        step, decrement = hessian.step(here)
        contraction = decrement / before
    return Found(here, hessian, max(decrement, 0.0), n_iter, True)


def _after(
    objective: Objective, here: Any, step: Weights, decrement: float, *, second: bool
) -> tuple[Any, bool] | None:
    """Return the evaluation after a step, halved until it is low enough; None if it never is.

    Also whether it has a Hessian.
    """
    there = objective.at(here.weights.moved(step, 1.0), second=second)
    if low_enough(there.objective, here.objective, decrement):
        return there, second
    part = 1.0
    for _ in range(MOST_HALVINGS):
        part *= 0.5
        if low_enough(objective.between(here, there, part), here.objective, part * decrement):
            return objective.at(here.weights.moved(step, part), second=True), True
    return None
