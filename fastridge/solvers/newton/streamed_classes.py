"""Newton's method for several classes on rows that every pass reads again.

A pass sums the loss, its gradient and, where it pays, the Hessian of all classes. The Hessian of
many unknowns is that of a sample in memory, at the same weights: it costs no pass, and the steps
correct it.
"""

from typing import Any

import numpy as np

from fastridge._kernels.attributes import computed_once
from fastridge.designs.design import Design
from fastridge.designs.expansion import ClassExpansion
from fastridge.losses.multinomial import ClassesOfRows
from fastridge.solvers.newton.iterate import Weights, iterate
from fastridge.solvers.newton.multinomial import (
    MOST_UNKNOWNS,
    ClassObjective,
    Factored,
    result_of_classes,
)
from fastridge.solvers.newton.problem import NewtonResult
from fastridge.solvers.newton.streamed import (
    CHEAP,
    COLUMNS_AT_ONCE,
    PenaltyOf,
    RepeatedPasses,
    StreamedRows,
)

_SAMPLE_TOL = 1e-4
_SAMPLE_STEPS = 50
_SAMPLE_RATE = 0.1  # by which a step with the Hessian of a sample multiplies the decrement


class _Scaled:
    """The Hessian of all rows, from that of a sample."""

    def __init__(self, hessian: Any, share: float) -> None:
        self._hessian, self._share = hessian, share
        self.rcond = getattr(hessian, "rcond", None)

    def solve(self, gradient: Weights, objective: float, goal: float) -> Weights:
        """Return the inverse Hessian times a gradient."""
        share = self._share
        part = Weights(share * gradient.coef, share * gradient.intercept)
        found: Weights = self._hessian.solve(part, share * objective, share * goal)
        return found


class _Evaluation:
    """The objective and its gradient, about the pilot."""

    def __init__(
        self,
        objective: "StreamedClasses",
        weights: Weights,
        expansion: ClassExpansion,
        products: np.ndarray | None,
    ) -> None:
        self.weights = weights
        self.objective = self.size = objective.objective_of(expansion.value, weights.coef)
        totals = expansion.totals * float(objective.rows.fit_intercept)
        self.gradient = Weights(expansion.gradient + objective.penalty * weights.coef, totals)
        self.products = products


class StreamedClasses(RepeatedPasses):
    """The objective about the pilot.

    Parameters
    ----------
    rows : StreamedRows
    n_classes : int
    penalty_of : callable
        The penalty of each feature, from the totals.
    sample : Design
        Rows of the sample, whose pilot is that of the passes.
    loss : ClassesOfRows
        Of the sample.
    """

    def __init__(
        self,
        rows: StreamedRows,
        n_classes: int,
        penalty_of: PenaltyOf,
        sample: Design,
        loss: ClassesOfRows,
    ) -> None:
        super().__init__()
        self.rows, self.n_classes, self._penalty_of = rows, n_classes, penalty_of
        self._design, self._loss = sample, loss
        self.design: Any = rows
        p = sample.shape[1]
        self.is_summed = n_classes * (p + 1) <= MOST_UNKNOWNS
        self.hessian_rate = 0.0 if self.is_summed else _SAMPLE_RATE

    @computed_once
    def penalty(self) -> np.ndarray:
        """The penalty of each feature."""
        return self._penalty_of(self.rows.totals)

    @computed_once
    def _share(self) -> float:
        return self._design.sum_weights / self.rows.totals.sum_weights

    @computed_once
    def hessian_cost(self) -> float:
        """Cost of a Hessian, in passes."""
        K, p = self.n_classes, self._design.shape[1]
        if self.is_summed:
            return K * (K - 1) / 2 * p / COLUMNS_AT_ONCE
        return (K - 1) * p / COLUMNS_AT_ONCE * self._share

    @computed_once
    def _sample(self) -> ClassObjective:
        return self.sampled(self.penalty * self._share)

    def sampled(self, penalty: np.ndarray) -> ClassObjective:
        """Return the objective of the sample.

        A small penalty, of a row or so in units of each column, keeps coefficients small that it
        knows nothing about.
        """
        K = self.n_classes
        least = (K - 1) / K**2 * self._design.standard_squares
        objective = ClassObjective(self._design, self._loss, penalty + least)
        objective.hessian_rows = slice(None)
        return objective

    def at(self, weights: Weights, *, second: bool) -> _Evaluation:
        """Return the evaluation at these weights; with a Hessian if `second`."""
        here: _Evaluation = super().at(weights, second=second and self.is_summed)
        return here

    def evaluation(
        self, weights: Weights, expansion: tuple[ClassExpansion, np.ndarray | None]
    ) -> _Evaluation:
        """Return the evaluation that sums of all rows give."""
        return _Evaluation(self, weights, *expansion)

    def objective_of(self, value: float, coef: np.ndarray) -> float:
        """Return the objective where the losses have this sum."""
        return value + 0.5 * float((self.penalty * coef**2).sum())

    def hessian_at(self, here: _Evaluation) -> Any:
        """Return the Hessian, or that of the sample there."""
        if here.products is not None:
            return Factored(here.products.copy(), self.penalty, self.rows.n_threads)
        sample = self._sample
        return _Scaled(sample.hessian_at(sample.at(here.weights, second=True)), self._share)

    def null_weights(self) -> Weights:
        """Return the null model, whose intercepts add up to zero."""
        K = self.n_classes
        intercept = np.zeros(K)
        if self.rows.fit_intercept:
            share = np.log(np.maximum(self.rows.totals.of_classes, 1e-300))
            intercept = share - share.mean()
        return Weights(np.zeros((K, len(self.rows.pilot))), intercept)


def start_of_classes(sample: ClassObjective) -> Weights | None:
    """Return the minimum of the objective of a sample, about the pilot; None if it has none."""
    K, p = sample.loss.n_classes, sample.design.shape[1]
    if len(np.unique(sample.loss.y[sample.design.counted])) < K:
        return None
    with np.errstate(all="ignore"):
        weights = Weights(np.zeros((K, p)), sample.null_intercept())
        try:
            found = iterate(sample, weights, tol=_SAMPLE_TOL, max_iter=_SAMPLE_STEPS)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            return None
    here: Weights = found.evaluation.weights
    return here if np.isfinite(here.coef).all() and np.isfinite(here.intercept).all() else None


def minimise_streamed_classes(
    objective: StreamedClasses, start: Weights | None, *, tol: float, max_iter: int
) -> NewtonResult:
    """Minimise from a start, or the null model, in as few passes as the tolerance needs."""
    weights = hessian = None
    if start is not None:
        dear = objective.hessian_cost > CHEAP
        here = objective.first(start, second=not dear)
        if dear:
            hessian = objective.hessian_at(here)
        if np.isfinite(here.objective) and np.isfinite(here.gradient.coef).all():
            weights = start
    if weights is None:
        hessian, weights = None, objective.null_weights()
    held: Any = objective
    found = iterate(held, weights, hessian, tol=tol, max_iter=max_iter, trusting=True)
    return result_of_classes(held, found)
