"""A design, a squared loss and an L2 penalty, and the values that depend on several of them.

minimise  sum_i v_i |Y_i - X_i coef' - b|^2 + sum_kj alpha_k scale_j coef_kj^2
"""

from typing import NoReturn, Self

import numpy as np

from fastridge._kernels.attributes import computed_once
from fastridge._typing import Index
from fastridge._validation import check_small_squares, raise_not_finite
from fastridge.designs.design import Design
from fastridge.designs.statistics import StatisticsDesign
from fastridge.losses.squared import SquaredLoss
from fastridge.penalties.l2 import UNIT_PENALTY, L2Penalty
from fastridge.statistics.accumulate import CentredProducts


class Problem:
    """The objective of ridge. Immutable: methods return a new problem, never change one."""

    def __init__(
        self, design: Design, loss: SquaredLoss, penalty: L2Penalty = UNIT_PENALTY
    ) -> None:
        self.design, self.loss, self.penalty = design, loss, penalty
        if loss.statistics is not None:
            self.y_mean = loss.statistics.y_mean

    # ---- other problems ----

    def accumulated(self) -> Self:
        """Return the same problem with its statistics, from one pass over the rows if missing."""
        if self.design.statistics is not None:
            return self
        assert self.loss.y is not None
        return self.with_statistics(self.design.accumulate(self.loss.y))

    def with_statistics(self, statistics: CentredProducts | None) -> Self:
        """Return the same problem with the statistics of its rows, or without."""
        design = self.design.with_statistics(statistics)
        return type(self)(design, self.loss.with_statistics(statistics), self.penalty)

    def at(self, alpha: np.ndarray) -> Self:
        """Return the same problem with this alpha."""
        return self.penalised(self.penalty.at(alpha))

    def penalised(self, penalty: L2Penalty) -> Self:
        """Return the same problem with another penalty."""
        return type(self)(self.design, self.loss, penalty)

    def columns(self, index: np.ndarray) -> Self:
        """Return the problem of some features, by increasing indices."""
        if len(index) == self.design.shape[1]:
            return self
        design, loss = self.design.columns(index), self.loss.columns(index)
        return type(self)(design, loss, self.penalty.columns(index))

    def rows(self, index: Index) -> Self:
        """Return the problem of some rows."""
        return type(self)(self.design.rows(index), self.loss.rows(index), self.penalty)

    def reweighted(self, weight: np.ndarray | None) -> Self:
        """Return the same problem with other weights."""
        loss = self.loss.with_statistics(None)
        return type(self)(self.design.reweighted(weight), loss, self.penalty)

    # ---- targets ----

    @computed_once
    def y_mean(self) -> np.ndarray:
        """Weighted means of the targets."""
        return self.loss.mean(self.design.weight)

    @computed_once
    def y_centre(self) -> np.ndarray:
        """The vector subtracted from the targets: the means, or zeros without an intercept."""
        return self.y_mean if self.design.fit_intercept else np.zeros_like(self.y_mean)

    @property
    def centre(self) -> tuple[np.ndarray, np.ndarray]:
        """The vectors subtracted from X and from the targets."""
        if self.design.fit_intercept:
            return self.design.mean, self.y_mean
        return self.design.centre, self.y_centre

    @property
    def centre_rest(self) -> tuple[np.ndarray, np.ndarray]:
        """The rounding of `centre`, where statistics are held: far from zero it counts."""
        held, (x_centre, y_centre) = self.loss.statistics, self.centre
        if held is None or not self.design.fit_intercept:
            return np.zeros_like(x_centre), np.zeros_like(y_centre)
        rest = held.about()[1]
        return rest[: len(x_centre)], rest[len(x_centre) :]

    @computed_once
    def xy(self) -> np.ndarray:
        """X'Y about the centre, of a problem that is accumulated."""
        held = self.loss.statistics
        assert held is not None
        if self.design.fit_intercept:
            return held.xy
        return held.xy + np.outer(held.sum_weights * held.x_mean, held.y_mean)

    @computed_once
    def target_squares(self) -> np.ndarray:
        """Weighted sums of squares of the targets about the centre."""
        held = self.loss.statistics
        if held is None:
            return self.design.sum_over_rows((self.loss.Y - self.y_centre) ** 2)
        if self.design.fit_intercept:
            return held.yy
        return held.yy + held.sum_weights * held.y_mean**2

    def residual(self, coef: np.ndarray, targets: Index = slice(None)) -> np.ndarray:
        """Return Y - X coef' about the centre, for the targets that `coef` has rows for."""
        centred = self.loss.Y[:, targets] - self.y_centre[targets]
        return centred - self.design.predict(coef)

    def intercept(self, coef: np.ndarray) -> np.ndarray:
        """Return the intercepts for coefficients of shape (..., n_targets, n_features)."""
        if not self.design.fit_intercept:
            return np.zeros(coef.shape[:-1])
        intercept: np.ndarray = self.y_mean - coef @ self.design.mean
        return intercept

    # ---- penalty ----

    @computed_once
    def alphas(self) -> np.ndarray:
        """Penalty on the sum of squares, one for each target."""
        alpha, t = self.penalty.alpha, self.loss.n_targets
        if self.penalty.alpha_scale == "mean":
            alpha = self.on_sums(alpha)
        return np.broadcast_to(alpha, (t,)) if t > 1 else alpha

    def on_sums(self, alphas: np.ndarray) -> np.ndarray:
        """Return alphas of the penalty as those of the sum of squares."""
        return self.penalty.on_sums(alphas, self.design.sum_weights)

    @computed_once
    def scale(self) -> np.ndarray:
        """Penalty of each feature at alpha = 1."""
        squares = self.design.standard_squares if self.penalty.standardize else None
        return self.penalty.scale(self.design.shape[1], squares)

    def scale_at(self, alpha: float) -> np.ndarray:
        """Return the penalty of each feature at this alpha."""
        if not self.penalty.is_uniform:
            return alpha * self.scale
        scale = np.empty(self.design.shape[1])
        scale.fill(alpha)  # faster than np.full
        return scale

    @computed_once
    def inverse_scale(self) -> np.ndarray:
        """1 / `scale`, and 0 for features without a penalty."""
        scale = self.scale
        return np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0.0)

    # ---- range ----

    def raise_not_finite(self) -> NoReturn:
        """Raise an error with the reason why a pass over the rows gave NaN or infinity."""
        raise_not_finite(self.design.X, self.loss.y)

    def check_range(self) -> None:
        """Raise ValueError if X or y is not finite, or if squares leave the range of float64.

        For solvers without a Gram matrix; for the others, the sums in the Gram matrix show it.
        """
        design, loss = self.design, self.loss
        total = design.mean.sum() + self.y_mean.sum() + design.variances.sum()
        deviation = loss.Y[design.counted] - self.y_mean
        squares = (deviation * deviation).sum(axis=0)
        if design.weight is not None:
            squares = design.weight[design.counted] @ (deviation * deviation)
        if not np.isfinite(total + squares.sum()):
            self.raise_not_finite()
        design.check_small_squares(design.variances)
        check_small_squares(loss.Y, squares, "y")


def problem_of(
    statistics: CentredProducts,
    penalty: L2Penalty = UNIT_PENALTY,
    *,
    fit_intercept: bool = True,
    n_threads: int = 1,
) -> Problem:
    """Return the problem of rows that are known by their statistics alone."""
    design = StatisticsDesign(statistics, fit_intercept, n_threads)
    return Problem(design, SquaredLoss(None, statistics), penalty)
