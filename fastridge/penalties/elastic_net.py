"""The penalty and bounds of an elastic net, one value per feature.

    l1_j = alpha l1_ratio f_j d_j,   l2_j = alpha (1 - l1_ratio) f_j d_j^2

f are the penalty factors, and d the standard deviations of the columns if they are standardised,
otherwise 1: this is the penalty of the coefficients of X / d, in the units of X. An infinite factor
keeps its coefficient at zero.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

LEAST_ALPHA = float(np.finfo(np.float64).resolution)

Bounds = tuple[np.ndarray, np.ndarray]
"""The least and the largest coefficient of each feature."""


@dataclass
class Penalty:
    """Penalty at alpha = 1, and bounds."""

    l1: np.ndarray
    l2: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    @cached_property
    def limited(self) -> bool:
        """True if any coefficient has a bound."""
        return bool(np.isfinite(self.lower).any() or np.isfinite(self.upper).any())

    def at(self, alpha: float) -> Self:
        """Return the penalty at this alpha."""
        return replace(self, l1=self.l1 * alpha, l2=self.l2 * alpha)

    def of_class(self, k: int) -> Self:
        """Return the penalty of one class, where each has bounds of its own."""
        if self.lower.ndim == 1:
            return self
        return replace(self, lower=self.lower[k], upper=self.upper[k])

    def clip(self, coef: np.ndarray) -> np.ndarray:
        """Return coefficients moved within the bounds."""
        return np.clip(coef, self.lower, self.upper) if self.limited else coef

    def without(self, features: np.ndarray) -> Self:
        """Return the penalty with the coefficients of some features held at zero."""
        if not features.any():
            return self
        lower, upper = self.lower.copy(), self.upper.copy()
        lower[features] = upper[features] = 0.0
        return replace(self, lower=lower, upper=upper)

    def in_units(self, sum_weights: float, unit: float) -> Self:
        """Return the penalty for y / `unit` and an objective summed over the rows."""
        if sum_weights == unit == 1.0:
            return self
        ends = (self.lower, self.upper) if unit == 1.0 else (self.lower / unit, self.upper / unit)
        return type(self)(self.l1 * (sum_weights / unit), self.l2 * sum_weights, *ends)


def penalty_of(
    n_features: int,
    l1_ratio: float,
    *,
    factors: np.ndarray | None = None,
    squares: np.ndarray | None = None,
    bounds: Bounds | None = None,
) -> Penalty:
    """Return the penalty of these options; `squares` are d^2 where columns are standardised."""
    excluded = None
    if factors is None:
        square = np.ones(n_features)
    else:
        excluded = np.isinf(factors)
        square = np.where(excluded, 1.0, factors)
    root = square
    if squares is not None:
        square, root = square * squares, square * np.sqrt(squares)
    if bounds is None:
        bounds = np.full(n_features, -np.inf), np.full(n_features, np.inf)
    penalty = Penalty(l1_ratio * root, (1.0 - l1_ratio) * square, *bounds)
    return penalty if excluded is None else penalty.without(excluded)


def penalty_within(l1: np.ndarray | None, l2: np.ndarray, bounds: Bounds | None) -> Penalty:
    """Return the penalty with these parts and bounds, where None is none."""
    if bounds is None:
        bounds = np.full(len(l2), -np.inf), np.full(len(l2), np.inf)
    return Penalty(np.zeros(len(l2)) if l1 is None else l1, l2, *bounds)


def largest_alpha(penalty: Penalty, gradient: np.ndarray, *, raised: bool = False) -> float:
    """Return the least alpha at which every penalised coefficient is zero, from the gradient there.

    To rounding, or `raised` so far that they are.
    """
    possible = ((gradient > 0.0) & (penalty.upper > 0.0)) | (
        (gradient < 0.0) & (penalty.lower < 0.0)
    )
    counted = possible & (penalty.l1 > 0.0)
    if not counted.any():
        return 0.0
    size, l1 = np.abs(gradient[counted]), penalty.l1[counted]
    alpha = float((size / l1).max())
    while raised and (alpha * l1 < size).any():  # the quotient may be rounded down
        alpha = float(np.nextafter(alpha, np.inf))
    return alpha


def alpha_grid(largest: float, eps: float, n_alphas: int, least: float = LEAST_ALPHA) -> np.ndarray:
    """Return decreasing alphas from the largest to `eps` times it, evenly in the log.

    Where the largest is zero, all of them are `least`.
    """
    if not largest > 0.0:
        return np.full(n_alphas, least)
    return np.geomspace(largest, largest * eps, num=n_alphas)
