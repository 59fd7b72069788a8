"""Newton's method with an L1 penalty on rows that every pass reads again.

Every pass makes a Hessian. The loss expanded to second order has the statistics of a squared loss,
so that each step is an elastic net on a Gram matrix.
"""

from typing import Any

import numpy as np

from fastridge._kernels.attributes import computed_once
from fastridge.designs.expansion import Expansion
from fastridge.penalties.elastic_net import Bounds, Penalty, penalty_within
from fastridge.solvers.direct.cholesky import Factor
from fastridge.solvers.newton.iterate import Found, Weights
from fastridge.solvers.newton.primal import Evaluation
from fastridge.solvers.newton.problem import NewtonResult
from fastridge.solvers.newton.proximal import FIRST_INNER, INNER, net_minimum, within
from fastridge.solvers.newton.streamed import PenaltyOf, StreamedObjective, StreamedProblem
from fastridge.solvers.problem import problem_of

_RIDGE = 1e-9  # of the diagonal, for a residual that is not too small


class StreamedL1Objective(StreamedObjective):
    """The objective about the pilot, with an L1 penalty and bounds.

    Parameters
    ----------
    problem : StreamedProblem
        With the L2 penalty.
    l1_of : callable, optional
        The L1 penalty of each feature, from the totals; by default none.
    bounds : (lower, upper), optional
    """

    def __init__(
        self,
        problem: StreamedProblem,
        l1_of: PenaltyOf | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        super().__init__(problem)
        self.hessian_cost = None
        self._l1_of, self._bounds = l1_of, bounds
        self.decrement = np.inf  # of the last step

    @computed_once
    def penalty(self) -> Penalty:
        """Both penalties, at alpha = 1."""
        l1 = None if self._l1_of is None else self._l1_of(self.rows.totals)
        return penalty_within(l1, self.problem.penalty, self._bounds)

    def evaluation(self, weights: Weights, expansion: Expansion) -> Evaluation:
        """Return the evaluation that sums of all rows give."""
        here = super().evaluation(weights, expansion)
        here.objective += self.l1_norm(weights.coef)
        return here

    def objective_of(self, value: float, coef: np.ndarray) -> float:
        """Return the objective where the losses have this sum."""
        return super().objective_of(value, coef) + self.l1_norm(coef)

    def hessian_at(self, evaluation: Evaluation) -> Any:
        """Return the expansion at an evaluation."""
        return _Model(self)

    def result(self, found: Found) -> NewtonResult:
        """Return the result of an iteration, within the bounds."""
        return within(super().result(found), self.penalty, found.evaluation.gradient.coef)

    def l1_norm(self, coef: np.ndarray) -> float:
        """Return the L1 penalty of coefficients."""
        return float(self.penalty.l1 @ np.abs(coef))


class _Model:
    """The expansion of the loss, whose minimum with the penalty is the next step."""

    factor = None
    name = "newton-cd"

    def __init__(self, objective: StreamedL1Objective) -> None:
        self._objective = objective

    def step(self, here: Evaluation) -> tuple[Weights, float]:
        """Return the step to the minimum of the model, and the decrease that it promises."""
        objective = self._objective
        rows, penalty = objective.rows, objective.penalty
        coef, products = here.weights.coef, here.products
        assert products is not None
        total = products.sum_weights
        away = products.x_mean - rows.pilot
        gradient = here.gradient.coef - penalty.l2 * coef
        upper = products.upper
        if rows.fit_intercept:
            gradient = gradient - away * here.gradient.intercept
        else:
            upper = products.upper_about_zero()
        whole = np.triu(upper) + np.triu(upper, 1).T
        image = whole @ coef
        ridge = _RIDGE * whole.diagonal()
        ridge[ridge == 0.0] = 1.0
        least = float(gradient @ Factor(whole, ridge, rows.n_threads).solve(gradient[None])[0])
        size = float(coef @ image - 2.0 * (coef @ gradient)) + 2.0 * max(least, 0.0)
        if not size > 0.0:
            return Weights(np.zeros_like(coef), 0.0), 0.0
        held = products._replace(
            n_samples=rows.totals.n_counted,
            xy=(image - gradient)[:, None],
            y_mean=np.zeros(1),
            yy=np.array([size]),
        )
        inner = min(FIRST_INNER, INNER * objective.decrement / size)
        inside = problem_of(held, fit_intercept=rows.fit_intercept, n_threads=rows.n_threads)
        new = net_minimum(inside, penalty.at(1.0 / total), coef, inner)
        change = new - coef
        intercept = 0.0
        if rows.fit_intercept:
            intercept = -here.gradient.intercept / total - float(away @ change)
        step = Weights(change, intercept)
        promised = here.gradient.dot(step)
        promised += float(penalty.l1 @ (np.abs(new) - np.abs(coef)))
        objective.decrement = max(-promised, 0.0)
        return step, -promised
