"""The elastic net inside Newton's steps on rows that every pass reads again, and its bounds."""

import numpy as np

from fastridge.penalties.elastic_net import Penalty
from fastridge.solvers.coordinate_descent.problem import ElasticNetProblem
from fastridge.solvers.newton.problem import LEAST_PENALTY, NewtonResult
from fastridge.solvers.problem import Problem

INNER = 0.01  # of the decrement before, the gap that coordinate descent may leave
FIRST_INNER = 1e-3
_LEAST_INNER = 1e-15
_MOST_SWEEPS = 100_000


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
