"""Newton's method with products of X and vectors only, for many rows and many features."""

from typing import Any

import numpy as np

from fastridge.solvers.newton.conjugate import newton_step
from fastridge.solvers.newton.iterate import Weights
from fastridge.solvers.newton.primal import Evaluation, Objective
from fastridge.solvers.newton.problem import SmoothProblem


class ProductsObjective(Objective):
    """The objective about the pilot, whose Hessian is multiplied by vectors."""

    def __init__(self, problem: SmoothProblem) -> None:
        super().__init__(problem)
        self.hessian_cost = None

    def at(self, weights: Weights, *, second: bool) -> Evaluation:
        """Return the evaluation at these weights, from which the Hessian is made."""
        return super().at(weights, second=False)

    def hessian_at(self, evaluation: Evaluation) -> Any:
        """Return the Hessian of an evaluation."""
        return _Hessian(self.problem, evaluation)


class _Hessian:
    name = "newton-cg"
    factor = None

    def __init__(self, problem: SmoothProblem, here: Evaluation) -> None:
        self._design, self._penalty = problem.design, problem.penalty
        derivative, self._curvature = np.empty((2, len(here.eta)))
        problem.loss.expand(here.eta, self._design.weight, derivative, self._curvature)
        total = float(self._curvature.sum())
        squares = self._design.squares * (total / self._design.sum_weights)
        self._diagonal = np.append(squares + self._penalty, max(total, 1e-300))
        self._diagonal[self._diagonal == 0.0] = 1.0

    def solve(self, gradient: Weights, objective: float, goal: float) -> Weights:
        """Return the inverse Hessian times a gradient, as far as the objective is from its end."""
        away = self._design.centre - self._design.pilot
        about = np.append(gradient.coef - away * gradient.intercept, gradient.intercept)
        found = newton_step(self._times, self._diagonal, about, objective, goal)
        return Weights(found[:-1], float(found[-1] - away @ found[:-1]))

    def _times(self, v: np.ndarray) -> np.ndarray:
        design = self._design
        intercept = float(v[-1]) if design.fit_intercept else 0.0
        image, total = design.weighted_products(self._curvature, v[:-1], intercept)
        image += self._penalty * v[:-1]
        return np.append(image, total if design.fit_intercept else 0.0)
