"""The objective of a linear support vector machine, and its dual.

    F(w, b) = 1/2 |w|^2 + 1/2 pi b^2 + sum_i v_i loss(y_i, x_i'w + b)

pi is the penalty of the intercept: infinite without one, zero where it is free. With eta = X w + b,
each loss is a sum of terms, the largest value of ``r z - z^2 / (2 h)`` over ``l <= z <= u``, of
residuals ``r = q - s eta``:

    loss                   q               s        (l, u)                           h
    hinge                  y               1        (0, v) for y = 1, (-v, 0) for -1 infinite
    squared hinge          y               1        (0, inf), (-inf, 0)              2 v
    absolute value         y               1        (-v, v)                          infinite
    epsilon-insensitive    +-y - epsilon   1, -1    (0, v)                           infinite
    squared, epsilon       +-y - epsilon   1, -1    (0, inf)                         2 v

The dual maximises ``q'z - z'z / (2 h) - 1/2 |X'beta|^2 - 1/2 (1'beta)^2 / pi`` over the same z,
where ``beta = sum s z``. At its maximum ``w = X'beta`` and ``pi b = 1'beta``. For any w, b and z

    F - D = sum (loss - r z + z^2 / (2 h)) + 1/2 |w - X'beta|^2 + 1/2 (pi b - 1'beta)^2 / pi

is a sum of positive terms, so that a gap keeps its digits near zero.
"""

from typing import NamedTuple

import numpy as np

from fastridge.designs.design import Design


class MarginProblem:
    """Rows, the terms of their losses, and the penalty of the intercept. Immutable.

    Parameters
    ----------
    design : Design
        About zero and without weights, which are in the bounds.
    q, lower, upper : ndarray of shape (n_terms, n_samples)
    sign : ndarray of shape (n_terms, 1)
    curvature : ndarray of shape (n_samples,) or None
        h; None where it is infinite.
    intercept_penalty : float
    """

    def __init__(
        self,
        design: Design,
        q: np.ndarray,
        sign: np.ndarray,
        lower: np.ndarray,
        upper: np.ndarray,
        curvature: np.ndarray | None,
        intercept_penalty: float,
    ) -> None:
        self.design, self.q, self.sign = design, q, sign
        self.lower, self.upper, self.curvature = lower, upper, curvature
        self.intercept_penalty = intercept_penalty

    @property
    def is_regression(self) -> bool:
        """Return whether targets are numbers."""
        return len(self.q) == 2 or bool((self.lower * self.upper != 0.0).any())

    @property
    def target(self) -> np.ndarray:
        """Labels or numbers, with which the linear predictors are compared."""
        return self.q[0] if len(self.q) == 1 else 0.5 * (self.q[0] - self.q[1])

    @property
    def has_intercept(self) -> bool:
        """Return whether there is an intercept."""
        return self.intercept_penalty < np.inf

    @property
    def has_free_intercept(self) -> bool:
        """Return whether there is an intercept without a penalty."""
        return self.intercept_penalty == 0.0

    @property
    def finite_penalty(self) -> float:
        """Penalty of an intercept, zero without one."""
        return self.intercept_penalty if self.has_intercept else 0.0

    def residual(self, eta: np.ndarray) -> np.ndarray:
        """Return ``q - s eta``."""
        return self.q - self.sign * eta

    def beta(self, z: np.ndarray) -> np.ndarray:
        """Return ``sum s z``: minus the derivatives of the losses."""
        return z[0] if len(z) == 1 else z[0] - z[1]

    def balanced(self, z: np.ndarray) -> np.ndarray:
        """Return z moved to where ``1'beta = 0``, if a free intercept demands it."""
        if not self.has_free_intercept:
            return z
        beta = self.sign * z
        total = float(beta.sum())
        side = (beta > 0.0) if total > 0.0 else (beta < 0.0)
        part = float(beta[side].sum())
        return np.where(side, z * (1.0 - total / part), z) if part != 0.0 else z

    def loss(self, r: np.ndarray) -> float:
        """Return the sum of the losses of residuals."""
        if self.curvature is None:
            return float((np.where(r > 0.0, self.upper, self.lower) * r).sum())
        inside = np.where(self.upper > 0.0, np.maximum(r, 0.0), np.minimum(r, 0.0))
        return float((0.5 * self.curvature * inside**2).sum())

    def penalty_of(self, coef: np.ndarray, intercept: float) -> float:
        """Return the penalty of coefficients and intercept."""
        penalty = 0.5 * float(coef @ coef)
        if self.has_intercept:
            penalty += 0.5 * self.intercept_penalty * intercept**2
        return penalty

    def shortfall(self, r: np.ndarray, z: np.ndarray) -> float:
        """Return the sum of ``loss - r z + z^2 / (2 h)``."""
        if self.curvature is None:
            return float(((np.where(r > 0.0, self.upper, self.lower) - z) * r).sum())
        best = np.clip(self.curvature * r, self.lower, self.upper)
        rest = r * (best - z) - 0.5 * (best**2 - z**2) / self.curvature
        return float(np.maximum(rest, 0.0).sum())

    def rows(self, index: slice, factor: float) -> "MarginProblem":
        """Return the problem of some rows, with bounds and curvatures multiplied by `factor`."""
        curvature = None if self.curvature is None else factor * self.curvature[index]
        return MarginProblem(
            self.design.rows(index),
            self.q[:, index],
            self.sign,
            factor * self.lower[:, index],
            factor * self.upper[:, index],
            curvature,
            self.intercept_penalty,
        )


def classification(
    design: Design, y: np.ndarray, weight: np.ndarray, intercept_penalty: float, *, squared: bool
) -> MarginProblem:
    """Return the problem of a hinge loss, of y = -1 and 1 with weights above 0."""
    positive, most = y > 0.0, np.full(len(y), np.inf) if squared else weight
    lower, upper = np.where(positive, 0.0, -most)[None], np.where(positive, most, 0.0)[None]
    curvature = 2.0 * weight if squared else None
    return MarginProblem(
        design, y[None], np.ones((1, 1)), lower, upper, curvature, intercept_penalty
    )


def regression(
    design: Design,
    y: np.ndarray,
    weight: np.ndarray,
    epsilon: float,
    intercept_penalty: float,
    *,
    squared: bool,
) -> MarginProblem:
    """Return the problem of an epsilon-insensitive loss, with weights above 0."""
    curvature = 2.0 * weight if squared else None
    if epsilon == 0.0 and not squared:
        q, sign, lower, upper = y[None], np.ones((1, 1)), -weight[None], weight[None]
    else:
        q, sign = np.stack([y - epsilon, -y - epsilon]), np.array([[1.0], [-1.0]])
        lower = np.zeros_like(q)
        upper = np.full_like(q, np.inf) if squared else np.stack([weight, weight])
    return MarginProblem(design, q, sign, lower, upper, curvature, intercept_penalty)


class MarginResult(NamedTuple):
    """Coefficients and how they were found.

    Attributes
    ----------
    coef : ndarray of shape (n_features,)
    intercept : float
    objective : float
        F there.
    gap : float
        The most by which this is above the minimum.
    n_iter : int
    solver : str
    not_converged : str or None
    stalled : bool
        Whether rounding ended it before the tolerance.
    """

    coef: np.ndarray
    intercept: float
    objective: float
    gap: float
    n_iter: int
    solver: str
    not_converged: str | None
    stalled: bool = False
