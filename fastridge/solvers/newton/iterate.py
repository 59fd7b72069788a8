"""Newton steps with a Hessian that is kept while it serves, and step control.

The steps since a Hessian was made correct it (BFGS): after each, the inverse gives the change of
the weights for the change of the gradient (Nocedal, "Updating quasi-Newton matrices with limited
storage", 1980). So the Hessian of a sample of the rows, or of weights some steps ago, serves long.
"""

from collections import deque
from collections.abc import Generator
from math import log
from typing import Any, NamedTuple, Protocol

import numpy as np

MOST_HALVINGS = 40
SUFFICIENT = 1e-4  # of the decrease that the gradient promises
ROUNDING = 1e-13  # of the terms of the objective: what counts as no increase
_NEWTON_STEPS = 2  # passes that a new Hessian needs to converge
NOTHING = 1e-20  # of these terms: a decrement below which only rounding may be left
EXACT = 1e-30  # of these terms: a decrement that is the square of rounding
STALLED = 0.5  # of a decrement: if a step leaves more, and so little, only rounding is left
_NEAR = 1e4  # of the decrement to reach: from there a last step may be trusted
_SAFETY = 4.0  # of the decrement that it is expected to leave
_UNKNOWN = -1.0  # rate of steps
_MOST_PAIRS = 12  # of steps that correct a Hessian


class Weights(NamedTuple):
    """Coefficients and intercepts, a step of them, or a gradient."""

    coef: np.ndarray
    intercept: Any  # float, or ndarray of shape (n_classes,)

    def moved(self, step: "Weights", part: float) -> "Weights":
        """Return these weights and a part of a step."""
        return Weights(self.coef + part * step.coef, self.intercept + part * step.intercept)

    def dot(self, other: "Weights") -> float:
        """Return the inner product."""
        total = float(np.vdot(self.coef, other.coef))
        return total + float(np.vdot(self.intercept, other.intercept))


class Evaluation(Protocol):
    """The objective at some weights, with its gradient and what the Hessian needs."""

    weights: Weights
    objective: float
    size: float  # of the terms whose difference the objective is: rounding is relative to this
    gradient: Weights


class Hessian(Protocol):
    """A Hessian that was factored, or that can be multiplied by vectors."""

    def solve(self, gradient: Weights, objective: float, goal: float) -> Weights:
        """Return the inverse Hessian times a gradient, found where the objective has this value.

        It is near enough if the step leaves a decrement below the goal.
        """


class Objective(Protocol):
    """The function to minimise.

    `hessian_cost` is what a Hessian costs in addition, in passes that make a gradient; None if a
    Hessian is never kept, because a step is all that it gives. `hessian_rate` is by what each step
    with the same new Hessian multiplies the decrement; 0 if the Hessian is exact.
    """

    hessian_cost: float | None
    hessian_rate: float

    def at(self, weights: Weights, *, second: bool) -> Any:
        """Return the evaluation at these weights; with a Hessian if `second`."""

    def between(self, first: Any, last: Any, part: float) -> float:
        """Return the objective on the way between two evaluations, without reading X."""

    def hessian_at(self, evaluation: Any) -> Any:
        """Return the Hessian of an evaluation that was made with one."""


class Found(NamedTuple):
    """The end of an iteration: an evaluation, and a last step that was not evaluated, if any.

    The decrement is that which the last step leaves, or is expected to leave. An iteration is
    stuck where rounding, and not `max_iter`, ends it before it converges.
    """

    evaluation: Any
    hessian: Any
    decrement: float
    n_iter: int
    converged: bool
    unseen: Weights | None = None
    stuck: bool = False

    @property
    def weights(self) -> Weights:
        """The weights at the end."""
        weights: Weights = self.evaluation.weights
        return weights if self.unseen is None else weights.moved(self.unseen, 1.0)

    @property
    def part(self) -> float:
        """By what the last step is expected to multiply the decrement."""
        if self.unseen is None:
            return 1.0
        return self.decrement / -self.evaluation.gradient.dot(self.unseen)

    @property
    def objective(self) -> float:
        """The objective at the end, as the gradient promises it."""
        here = self.evaluation
        promised = 0.0 if self.unseen is None else 0.5 * here.gradient.dot(self.unseen)
        return float(here.objective + promised)


def low_enough(objective: float, before: float, decrement: float, size: float) -> bool:
    """Return whether a step lowers the objective, by enough of what its decrement promises."""
    return objective <= before - SUFFICIENT * decrement + ROUNDING * size


def is_rounding(decrement: float, before: float, size: float) -> bool:
    """Return whether a step left as much as there was before, and that is next to nothing."""
    return STALLED * before < decrement <= NOTHING * size


def goal_of(objective: float, size: float, tol: float) -> float:
    """Return the decrement that is small enough; the objective of a perfect fit is zero."""
    return max(tol**2 * abs(objective), EXACT * size)


class _Kept:
    """A Hessian, corrected by the steps since it was made."""

    def __init__(self, hessian: Any) -> None:
        self.hessian = hessian
        self._pairs: deque[tuple[Weights, Weights, float]] = deque(maxlen=_MOST_PAIRS)

    def correct(self, step: Weights, change: Weights) -> None:
        """Take in a step and the change of the gradient."""
        product = step.dot(change)
        if product > 0.0:
            self._pairs.append((step, change, product))

    def step(self, here: Any, tol: float) -> tuple[Weights, float]:
        """Return the step at an evaluation, and the decrement: twice what it promises."""
        if not hasattr(self.hessian, "solve"):
            return self.hessian.step(here)
        left, parts = here.gradient, []
        for step, change, product in reversed(self._pairs):
            parts.append(step.dot(left) / product)
            left = left.moved(change, -parts[-1])
        found = self.hessian.solve(left, here.objective, goal_of(here.objective, here.size, tol))
        for (step, change, product), part in zip(self._pairs, reversed(parts), strict=True):
            found = found.moved(step, part - change.dot(found) / product)
        return Weights(-found.coef, -found.intercept), here.gradient.dot(found)


def iterate(
    objective: Objective,
    weights: Weights,
    hessian: Any = None,
    *,
    tol: float,
    max_iter: int,
    trusting: bool = False,
) -> Found:
    """Take Newton steps until the decrement is at most ``tol^2`` of the objective, or rounding.

    `hessian` may be that of other weights or of a sample of the rows. A new one is made if the
    steps with the present one are expected to take longer. If `trusting`, a last step is not
    evaluated that ends there if it wins as much, relative to the one before, as that did.
    """
    run = iteration(objective, weights, hessian, tol=tol, max_iter=max_iter, trusting=trusting)
    wanted, second = next(run)
    while True:
        try:
            wanted, second = run.send(objective.at(wanted, second=second))
        except StopIteration as end:
            found: Found = end.value
            return found


def iteration(
    objective: Objective,
    weights: Weights,
    hessian: Any = None,
    *,
    tol: float,
    max_iter: int,
    trusting: bool = False,
) -> Generator[tuple[Weights, bool], Any, Found]:
    """Do as `iterate`, but yield weights to be sent their evaluations, with a Hessian or without.

    So evaluations of several runs can be made together.
    """
    fresh = hessian is None
    here = yield weights, fresh
    kept = _Kept(objective.hessian_at(here) if hessian is None else hessian)
    exact = objective.hessian_cost is not None and hasattr(kept.hessian, "solve")
    step, decrement = kept.step(here, tol)
    first, n_steps, n_iter, stalled, rate = decrement, 0, 0, False, _UNKNOWN
    while not abs(decrement) <= (goal := goal_of(here.objective, here.size, tol)):
        if n_iter == max_iter:
            return Found(here, kept.hessian, abs(decrement), n_iter, False)
        n_iter += 1
        near = 0.0 < decrement <= _NEAR * tol**2 * abs(here.objective)
        if trusting and exact and near and rate > 0.0:
            left = max(_SAFETY * rate * decrement, EXACT * here.size)
            if left <= goal:
                return Found(here, kept.hessian, left, n_iter, True, step)
        there = None
        if decrement > 0.0:  # rounding can make it negative
            contraction = (decrement / first) ** (1.0 / n_steps) if n_steps else float(fresh)
            second = stalled or _pays(objective, contraction, decrement, goal)
            there = yield from _after(objective, here, step, decrement, second=second)
        if there is None:
            if fresh:  # rounding stops all progress
                done = abs(decrement) <= NOTHING * here.size
                return Found(here, kept.hessian, abs(decrement), n_iter, done, stuck=not done)
            here, fresh, n_steps = (yield here.weights, True), True, 0
            kept = _Kept(objective.hessian_at(here))
            step, decrement = kept.step(here, tol)
            first, rate = decrement, _UNKNOWN
            continue
        before, (here, fresh) = here, there
        if fresh:
            kept = _Kept(objective.hessian_at(here))
        else:
            moved = here.weights.moved(before.weights, -1.0)
            kept.correct(moved, here.gradient.moved(before.gradient, -1.0))
        last = decrement
        step, decrement = kept.step(here, tol)
        rate = max(_UNKNOWN if fresh else rate, decrement / last)
        n_steps += 1
        if fresh:  # of a new Hessian, the last step tells how fast the next will be
            first, n_steps = last, 1
        stalled = is_rounding(decrement, last, here.size)
        if fresh and stalled:
            break
    return Found(here, kept.hessian, max(decrement, 0.0), n_iter, True)


def _pays(objective: Objective, contraction: float, decrement: float, goal: float) -> bool:
    """Return whether a new Hessian costs less than the steps that the present one will need."""
    cost, rate = objective.hessian_cost, objective.hessian_rate
    if cost is None or contraction >= 1.0:
        return True
    if contraction <= 0.0 or goal <= 0.0:
        return False
    left = log(goal / decrement)
    new = _NEWTON_STEPS if rate == 0.0 else max(_NEWTON_STEPS, left / log(rate))
    return left / log(contraction) > cost + new


def _after(
    objective: Objective, here: Any, step: Weights, decrement: float, *, second: bool
) -> Generator[tuple[Weights, bool], Any, tuple[Any, bool] | None]:
    """Return the evaluation after a step, halved until it is low enough; None if it never is.

    Also whether it has a Hessian.
    """
    there = yield here.weights.moved(step, 1.0), second
    if low_enough(there.objective, here.objective, decrement, here.size):
        return there, second
    part = 1.0
    for _ in range(MOST_HALVINGS):
        part *= 0.5
        lower = objective.between(here, there, part)
        if low_enough(lower, here.objective, part * decrement, here.size):
            second = objective.hessian_cost is None or part < 0.5
            there = yield here.weights.moved(step, part), second
            return there, second
    return None
