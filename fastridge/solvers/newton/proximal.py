"""The elastic net inside Newton's steps on rows that every pass reads again."""

import numpy as np

from fastridge.penalties.elastic_net import Penalty
from fastridge.solvers.coordinate_descent.problem import ElasticNetProblem
from fastridge.solvers.problem import Problem

INNER = 0.01  # of the decrement before, the gap that coordinate descent may leave
FIRST_INNER = 1e-3
_LEAST_INNER = 1e-15
_MOST_SWEEPS = 100_000


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

    def penalty(self, l1_ratio: float) -> Penalty:
        """Return the penalty, constant columns held at zero."""
        return self.given_penalty.without(self.sources[0].constant)
