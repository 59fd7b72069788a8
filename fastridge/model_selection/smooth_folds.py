"""Exact folds of logistic regression and generalized linear models.

The fit of a fold starts at the minimum of all rows with the same penalty, with the Hessian of its
own training rows there. Those of all splits come from one pass: each group of rows is gathered
once, and added up for every split that trains on it. So a fold costs one or two Newton steps.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fastridge.designs.design import Design
from fastridge.losses.multinomial import ClassesOfRows
from fastridge.losses.smooth import LossOfRows
from fastridge.model_selection.lockstep import SharedObjective, iterate_together
from fastridge.model_selection.splits import GroupedRows, Split
from fastridge.solvers.newton.iterate import Weights
from fastridge.solvers.newton.path import UnitPenalty, Walk
from fastridge.solvers.newton.primal import hessian_of, result_of
from fastridge.solvers.newton.problem import NewtonResult, SmoothProblem
from fastridge.solvers.newton.solve import factors_hessian

_LEAST_CURVATURE = 1e-280  # of a row with weight, which it keeps
_ONE_CLASS_STEPS = 30  # of a fold with one class, whose intercept has no end


class Folds:
    """The training rows of each split, by their weights.

    Parameters
    ----------
    design : Design
        Of all rows.
    loss : LossOfRows or ClassesOfRows
    splits : sequence of Split
    """

    def __init__(
        self, design: Design, loss: LossOfRows | ClassesOfRows, splits: Sequence[Split]
    ) -> None:
        self.design, self.loss, self.splits = design, loss, splits
        self.designs = [design.reweighted(self._train_weight(split)) for split in splits]
        self._one_class = [self._is_of_one_class(part) for part in self.designs]

    def minima(
        self,
        penalty_of: Callable[[Design], UnitPenalty],
        strengths: Sequence[float],
        whole: Sequence[NewtonResult],
        *,
        tol: float,
        max_iter: int,
    ) -> list[list[NewtonResult]]:
        """Return the minima of each split at each strength.

        Parameters
        ----------
        penalty_of : callable
            The penalty of the training rows of a split.
        strengths : sequence of float
        whole : sequence of NewtonResult
            The minima of all rows at these strengths.
        """
        penalties = [penalty_of(part) for part in self.designs]
        found: list[list[NewtonResult]] = [[] for _ in self.splits]
        for strength, start in zip(strengths, whole, strict=True):
            at_start = Weights(start.coef, start.intercept)
            terms = [penalty.at(strength) for penalty in penalties]
            steps = [
                min(max_iter, _ONE_CLASS_STEPS) if one else max_iter for one in self._one_class
            ]
            if self._factored(terms):
                results = self._together(terms, at_start, tol, steps)
            else:
                results = [
                    Walk(part, self.loss, at_start, tol=tol, max_iter=most).to(each)
                    for part, each, most in zip(self.designs, terms, steps, strict=True)
                ]
            for k, result in enumerate(results):
                ended = None if self._one_class[k] else result.not_converged
                found[k].append(result._replace(not_converged=ended))
        return found

    def _factored(self, terms: Sequence[UnitPenalty]) -> bool:
        """Return whether the fits of all splits factor Hessians of the coefficients."""
        loss = self.loss
        return isinstance(loss, LossOfRows) and all(
            factors_hessian(SmoothProblem(part, loss, each.l2), each.l1, each.bounds)
            for part, each in zip(self.designs, terms, strict=True)
        )

    def _together(
        self, terms: Sequence[UnitPenalty], start: Weights, tol: float, steps: Sequence[int]
    ) -> list[NewtonResult]:
        """Return the minima of all splits, in lockstep."""
        loss = self.loss
        assert isinstance(loss, LossOfRows)
        problems = [
            SmoothProblem(part, loss, each.l2)
            for part, each in zip(self.designs, terms, strict=True)
        ]
        hessians = [*self._hessians(loss, problems, start)]
        objectives = [SharedObjective(problem) for problem in problems]
        found = iterate_together(self.design, objectives, start, hessians, tol=tol, max_iters=steps)
        return list(map(result_of, problems, found))

    def _train_weight(self, split: Split) -> np.ndarray:
        n = self.design.shape[0]
        if split.train is None:
            weight = np.ones(n)
            weight[split.test] = 0.0
        else:
            weight = np.bincount(split.train, minlength=n).astype(np.float64)
        if self.design.weight is not None:
            weight *= self.design.weight
        if not weight.any():
            raise ValueError(
                "sample_weight is zero for all training rows of a split: use fewer splits, or "
                "splits that hold rows with weight."
            )
        return weight

    def _is_of_one_class(self, design: Design) -> bool:
        if isinstance(self.loss, LossOfRows) and not self.loss.loss.classifies:
            return False
        y = self.loss.y[design.counted]
        return bool((y == y[0]).all())

    def _hessians(
        self, loss: LossOfRows, problems: Sequence[SmoothProblem], weights: Weights
    ) -> Iterator[Any]:
        """Yield the Hessian of the training rows of each split at these weights."""
        design = self.design
        eta = design.predict(weights.coef[None])[:, 0]
        eta += weights.intercept + float(design.centre @ weights.coef)
        if loss.offset is not None:
            eta += loss.offset
        derivative, curvature = np.empty((2, len(eta)))
        loss.expand(eta, design.weight, derivative, curvature)
        np.maximum(curvature, _LEAST_CURVATURE * (design.row_weights > 0.0), out=curvature)
        rows = GroupedRows(design.reweighted(curvature), np.zeros(len(eta)), self.splits)
        for products, problem in zip(rows.split_products(), problems, strict=True):
            part = problem.design
            yield hessian_of(
                products.train, problem.penalty, part.pilot, part.fit_intercept, part.n_threads, 1.0
            )
