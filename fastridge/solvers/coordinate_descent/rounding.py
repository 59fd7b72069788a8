"""Bound how much larger a gap may be than computed, because correlations and a Gram are rounded.

The product of a column with the residual has an error of about e |x_j|, where
e = eps (|y| + sum_k |x_k| |w_k|), and the objective one of e (|y| + sum_k |x_k| |w_k|). A dual
point r that is infeasible by a fraction s of l1_j has to shrink by s, which costs s^2 |r|^2 / 2; if
s is not small, there is no bound.
"""

import numpy as np

from fastridge.penalties.elastic_net import Penalty
from fastridge.solvers.coordinate_descent.gram_sources import Source
from fastridge.solvers.coordinate_descent.path import Point

_ROUNDING = 8.0 * float(np.finfo(np.float64).eps)
_LARGE = 8.0  # |x_j| |w_j| in sum, of |y|, up to which rounding is that of |y|^2
_SHARE = 0.1  # the largest error of a product, as a fraction of l1_j


class Rounding:
    """Bounds on the rounding of one target's gaps, which are means over the rows.

    Parameters
    ----------
    source : GramSource or RowSource
    penalty : Penalty
    """

    def __init__(self, source: Source, penalty: Penalty) -> None:
        square = source.square
        if source.sum_weights != 1.0:
            square = square / source.sum_weights
        self._source, self._penalty = source, penalty
        self._length = length = np.sqrt(square)
        self._length_of_all = length
        self._size = source.mean_square**0.5
        l1, l2 = penalty.l1, penalty.l2
        self._reach = self._ridge = 0.0
        if penalty.limited:
            moves = penalty.upper > penalty.lower
            held = moves & (l1 == 0.0) & (l2 == 0.0)
            reach = np.maximum(penalty.upper[held], -penalty.lower[held])
            finite = np.isfinite(reach)
            self._reach = float(length[held][finite] @ reach[finite])
            ridge = moves & (l2 > 0.0)
            self._ridge = 0.5 * float((length[ridge] ** 2 / l2[ridge]).sum())
            l1, length = np.where(moves, l1, np.inf), np.where(moves, length, 0.0)
        if not l1.all():
            l1 = np.where(l1 > 0.0, l1, np.inf)
        with np.errstate(divide="ignore", invalid="ignore"):
            self._least = float(np.nanmin(l1 / length, initial=np.inf))

    def is_zero(self, point: Point) -> bool:
        """Return whether zero is certainly the minimum: no column may enter, despite rounding."""
        if point.coef.any():
            return False
        gradient, penalty = self._source.xy * self._source.unit, self._penalty
        if self._source.sum_weights != 1.0:
            gradient = gradient / self._source.sum_weights
        limit = point.alpha * penalty.l1 - _ROUNDING * self._size * self._length_of_all
        held = (penalty.upper <= 0.0) | (gradient <= limit)
        held &= (penalty.lower >= 0.0) | (-gradient <= limit)
        return bool(held.all())

    def hidden(self, point: Point) -> float:
        """Return a bound on how much larger a point's gap may be than computed."""
        size, alpha = self._size, point.alpha
        total = size + float(np.abs(point.coef) @ self._length[point.features])
        error = _ROUNDING * total
        hidden = error * total if total > (1.0 + _LARGE) * size else 0.0
        hidden += error * self._reach
        if self._ridge > 0.0:
            hidden += error * error * self._ridge / alpha if alpha > 0.0 else np.inf
        if error > _SHARE * alpha * self._least:
            return np.inf
        if self._least < np.inf:
            shrunk = error / (alpha * self._least) * size
            hidden += 0.5 * shrunk * shrunk
        return hidden


def within_reach(point: Point, source: Source, penalty: Penalty) -> Point:
    """Return the point, or zero where rounding has carried it away and bounds allow zero.

    Its penalty alone is then above the objective at zero, or it is not finite.
    """
    at_zero = 0.5 * source.mean_square
    used = point.coef != 0.0
    features, coef = point.features[used], np.abs(point.coef[used])
    with np.errstate(over="ignore", invalid="ignore"):
        paid = penalty.l1[features] @ coef + 0.5 * penalty.l2[features] @ coef**2
    if point.alpha * paid <= at_zero * (1.0 + 1e-9):
        return point
    if (penalty.lower > 0.0).any() or (penalty.upper < 0.0).any():
        return point
    none, nothing = point.features[:0], point.coef[:0]
    return point._replace(features=none, coef=nothing, dual_gap=at_zero, status="not converged")
