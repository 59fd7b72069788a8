"""The objective of Newton's method, and its result.

F(w, b) = sum_i v_i loss(y_i, x_i'w + b + o_i) + 1/2 sum_j penalty_j w_j^2
"""

from typing import NamedTuple

import numpy as np

from fastridge._kernels.attributes import computed_once
from fastridge.designs.design import Design
from fastridge.losses.smooth import LossOfRows

LEAST_PENALTY = 1e-300
"""Below this, a penalty counts as none."""


class SmoothProblem:
    """A design, a loss of its rows, and the penalty of each feature. Immutable."""

    def __init__(self, design: Design, loss: LossOfRows, penalty: np.ndarray) -> None:
        self.design, self.loss, self.penalty = design, loss, penalty

    def rows(self, index: slice) -> "SmoothProblem":
        """Return the problem of some rows, with their part of the penalty."""
        design = self.design.rows(index)
        part = design.sum_weights / self.design.sum_weights
        return SmoothProblem(design, self.loss.rows(index), self.penalty * part)

    @computed_once
    def free(self) -> np.ndarray:
        """Indices of the features without a penalty."""
        return np.flatnonzero(self.penalty <= LEAST_PENALTY)

    @computed_once
    def least_value(self) -> float:
        """The sum of the least losses that linear predictors can give."""
        design = self.design
        return float(design.sum_over_rows(self.loss.loss.saturated(self.loss.y)))

    @computed_once
    def null_predictor(self) -> float:
        """The intercept of the null model, without regard to offsets."""
        if not self.design.fit_intercept:
            return 0.0
        weight = self.design.weight
        y = self.loss.y
        mean = float(y.mean() if weight is None else weight @ y / weight.sum())
        return self.loss.loss.null_predictor(mean)

    def penalty_of(self, coef: np.ndarray) -> float:
        """Return the penalty of coefficients."""
        return 0.5 * float(self.penalty @ coef**2)


class NewtonResult(NamedTuple):
    """Coefficients and how they were found.

    Attributes
    ----------
    coef : ndarray of shape (n_features,) or (n_classes, n_features)
    intercept : float, or ndarray of shape (n_classes,)
    objective : float
        F there.
    decrement : float
        ``g'H^-1 g`` of the gradient g and the Hessian H there: twice what a Newton step would win.
    gap : float or None
        A bound of F less its minimum; None where features have no penalty.
    n_iter : int
    solver : str
    rcond : float or None
    not_converged : str or None
    """

    coef: np.ndarray
    intercept: float | np.ndarray
    objective: float
    decrement: float
    gap: float | None
    n_iter: int
    solver: str
    rcond: float | None
    not_converged: str | None


def not_converged(n_iter: int, stuck: bool = False) -> str:
    """Return the warning of a solver that stopped early, or that rounding stopped."""
    advice = (
        "rounding leaves no step that lowers the objective. Raise tol, or subtract a constant from "
        "columns of X that are far from zero and give them similar sizes."
    )
    return (
        f"Newton's method stopped after {n_iter} iterations before it reached the tolerance: "
        f"{advice if stuck else 'raise max_iter or tol.'}"
    )
