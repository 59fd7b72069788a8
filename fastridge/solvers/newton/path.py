"""Newton's method at many strengths of a penalty, each from the minimum before.

The strongest comes first. Where a Hessian is factored, the last one is kept: only its penalty
changes, and the gradient at the last minimum is known but for its penalty. So a minimum costs the
steps from its neighbour and often no Hessian of its own.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastridge.designs.design import Design
from fastridge.losses.multinomial import ClassesOfRows
from fastridge.losses.smooth import LossOfRows
from fastridge.penalties.elastic_net import Bounds
from fastridge.solvers.newton import primal
from fastridge.solvers.newton.active_newton import ActiveNewton
from fastridge.solvers.newton.iterate import Found, Weights, iterate
from fastridge.solvers.newton.problem import NewtonResult, SmoothProblem
from fastridge.solvers.newton.solve import factors_hessian, is_smooth, solve_rows


class UnitPenalty(NamedTuple):
    """The penalty at strength 1: of each feature the factor of the L2 part, and of the L1 part.

    `bounds` are the least and the largest coefficients.
    """

    l2: np.ndarray
    l1: np.ndarray | None
    bounds: Bounds | None = None

    def at(self, strength: float) -> "UnitPenalty":
        """Return the penalty at a strength."""
        l1 = None if self.l1 is None or strength == 0.0 else strength * self.l1
        return self._replace(l2=strength * self.l2, l1=l1)


def solve_path(
    design: Design,
    loss: LossOfRows | ClassesOfRows,
    penalty: UnitPenalty,
    strengths: Sequence[float],
    start: Weights | None = None,
    *,
    tol: float,
    max_iter: int,
) -> list[NewtonResult]:
    """Minimise at each strength, in their order; a start is that of the strongest."""
    walk = Walk(design, loss, start, tol=tol, max_iter=max_iter)
    found: dict[int, NewtonResult] = {}
    for k in sorted(range(len(strengths)), key=lambda k: -strengths[k]):
        found[k] = walk.to(penalty.at(strengths[k]))
    return [found[k] for k in range(len(strengths))]


class Walk:
    """Minima of a loss at one penalty after the other.

    Parameters
    ----------
    design : Design
    loss : LossOfRows or ClassesOfRows
    start : Weights, optional
        From which the first minimum is sought; None is the null model.
    """

    def __init__(
        self,
        design: Design,
        loss: LossOfRows | ClassesOfRows,
        start: Weights | None = None,
        *,
        tol: float,
        max_iter: int,
    ) -> None:
        self.design, self.loss, self.start = design, loss, start
        self.tol, self.max_iter = tol, max_iter
        self._last: Found | None = None
        self._active: ActiveNewton | None = None

    def to(self, penalty: UnitPenalty) -> NewtonResult:
        """Return the minimum with a penalty."""
        result = self._minimum(penalty)
        self.start = Weights(result.coef, result.intercept)
        return result

    def _minimum(self, penalty: UnitPenalty) -> NewtonResult:
        options: dict[str, Any] = {"tol": self.tol, "max_iter": self.max_iter}
        if not is_smooth(penalty.l1, penalty.bounds):
            if self._active is None:
                options["bounds"] = penalty.bounds
                self._active = ActiveNewton(self.design, self.loss, self.start, **options)
            return self._active.to(penalty.l1, penalty.l2)
        if isinstance(self.loss, LossOfRows):
            problem = SmoothProblem(self.design, self.loss, penalty.l2)
            if factors_hessian(problem, penalty.l1, penalty.bounds):
                return self._continued(problem)
        self._last = None
        return solve_rows(self.design, self.loss, penalty.l2, self.start, **options)

    def _continued(self, problem: SmoothProblem) -> NewtonResult:
        """Return the minimum from the last one, with its Hessian."""
        objective = primal.Objective(problem)
        if self._last is not None:
            here = self._last.evaluation
            objective, weights = _Continued(problem, here), here.weights
            hessian = self._last.hessian.with_penalty(problem.penalty, self.design.n_threads)
        else:
            weights, hessian = primal.beginning(
                objective, self.start, tol=self.tol, max_iter=self.max_iter
            )
        self._last = iterate(
            objective, weights, hessian, tol=self.tol, max_iter=self.max_iter, trusting=True
        )
        return primal.result_of(problem, self._last)


class _Continued(primal.Objective):
    """An objective that is known at one point with another penalty."""

    def __init__(self, problem: SmoothProblem, known: primal.Evaluation) -> None:
        super().__init__(problem)
        self._known = known

    def at(self, weights: Weights, *, second: bool) -> primal.Evaluation:
        """Return the evaluation at these weights; with a Hessian if `second`."""
        if weights is self._known.weights and not second:
            return self._known.with_penalty(self.problem)
        return super().at(weights, second=second)
