"""Exact folds of logistic regression and generalized linear models.

The fit of a fold starts at the minimum of all rows with the same penalty, with the gradient and the
Hessian of its own training rows there. Those of all splits come from one pass: each group of rows
is gathered once, and added up for every split that trains on it. So a fold costs one or two Newton
steps. One that cost more, as a fold without the rows that keep a coefficient finite does, starts
where its fits at the penalties before lead, with a Hessian of its own.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from math import log
from typing import Any

import numpy as np

from fastridge.designs.design import Design
from fastridge.designs.expansion import Expansion
from fastridge.losses.multinomial import ClassesOfRows
from fastridge.losses.smooth import LossOfRows
from fastridge.model_selection.lockstep import (
    SharedObjective,
    Start,
    iterate_together,
)
from fastridge.model_selection.splits import GroupedRows, Split
from fastridge.solvers.newton.iterate import Found, Weights
from fastridge.solvers.newton.path import UnitPenalty, Walk
from fastridge.solvers.newton.primal import Evaluation, at_pilot, hessian_of, result_of
from fastridge.solvers.newton.problem import NewtonResult, SmoothProblem
from fastridge.solvers.newton.solve import factors_hessian

_LEAST_CURVATURE = 1e-280  # of a row with weight, which it keeps
_FEW_STEPS = 4  # of a fold that lies near the minimum of all rows
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
        found: list[list[NewtonResult]] = [[] for _ in strengths]
        steps = [min(max_iter, _ONE_CLASS_STEPS) if one else max_iter for one in self._one_class]
        walk = _TogetherWalk(self.design, self.splits)
        for c in sorted(range(len(strengths)), key=lambda c: -strengths[c]):
            at_start = Weights(whole[c].coef, whole[c].intercept)
            terms = [penalty.at(strengths[c]) for penalty in penalties]
            problems = self._factored(terms)
            if problems is not None:
                results = walk.to(problems, at_start, strengths[c], tol=tol, max_iters=steps)
            else:
                results = [
                    Walk(part, self.loss, at_start, tol=tol, max_iter=most).to(each)
                    for part, each, most in zip(self.designs, terms, steps, strict=True)
                ]
            found[c] = [
                result._replace(not_converged=None) if one else result
                for one, result in zip(self._one_class, results, strict=True)
            ]
        return [list(of_split) for of_split in zip(*found, strict=True)]

    def _factored(self, terms: Sequence[UnitPenalty]) -> list[SmoothProblem] | None:
        """Return the problems of all splits, if their Hessians of the coefficients are factored."""
        loss = self.loss
        if not isinstance(loss, LossOfRows):
            return None
        problems = [
            SmoothProblem(part, loss, each.l2)
            for part, each in zip(self.designs, terms, strict=True)
        ]
        if all(
            factors_hessian(p, each.l1, each.bounds)
            for p, each in zip(problems, terms, strict=True)
        ):
            return problems
        return None

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


class _TogetherWalk:
    """Minima of the folds of a design in lockstep, at one penalty after the other."""

    def __init__(self, design: Design, splits: Sequence[Split]) -> None:
        self.design, self.splits = design, splits
        self._last: list[Found] = []
        self._far: set[int] = set()
        self._away: deque[tuple[float, list[Weights]]] = deque(maxlen=2)

    def to(
        self,
        problems: Sequence[SmoothProblem],
        start: Weights,
        strength: float,
        *,
        tol: float,
        max_iters: Sequence[int],
    ) -> list[NewtonResult]:
        """Return the minima at a strength, weaker than the last, from that of all rows."""
        self._far |= {k for k, found in enumerate(self._last) if found.n_iter > _FEW_STEPS}
        starts: list[Any] = [None] * len(problems)
        for k in self._far:
            starts[k] = self._start_of_far(k, problems[k], start, strength)
        if len(self._far) < len(problems):
            for k, found in self._starts(problems, start):
                starts[k] = found
        self._last = iterate_together(self.design, starts, tol=tol, max_iters=max_iters)
        pilots = (problem.design.pilot for problem in problems)
        away = [
            found.weights.moved(at_pilot(start, pilot), -1.0)
            for found, pilot in zip(self._last, pilots, strict=True)
        ]
        self._away.append((strength, away))
        return list(map(result_of, problems, self._last))

    def _starts(
        self, problems: Sequence[SmoothProblem], weights: Weights
    ) -> Iterator[tuple[int, Start]]:
        """Yield the starts of folds that are not far at the same weights, from one pass."""
        design, loss = self.design, problems[0].loss
        eta = design.predict(weights.coef[None])[:, 0]
        eta += weights.intercept + float(design.centre @ weights.coef)
        if loss.offset is not None:
            eta += loss.offset
        derivative, curvature = np.empty((2, len(eta)))
        loss.expand(eta, design.weight, derivative, curvature)
        np.maximum(curvature, _LEAST_CURVATURE * (design.row_weights > 0.0), out=curvature)
        target = np.divide(derivative, curvature, out=derivative, where=curvature > 0.0)
        rows = GroupedRows(design.reweighted(curvature), target, self.splits)
        for k, (products, problem) in enumerate(zip(rows.split_products(), problems, strict=True)):
            if k in self._far:
                continue
            part, train = problem.design, products.train
            objective = SharedObjective(problem)
            hessian = hessian_of(
                train, problem.penalty, part.pilot, part.fit_intercept, part.n_threads, 1.0
            )
            at_part = at_pilot(weights, part.pilot)
            total = train.sum_weights * float(train.y_mean[0])
            gradient = train.xy[:, 0] + total * (train.x_mean - part.pilot)
            value = loss.value_of(eta, part.row_weights)
            here = Evaluation(problem, at_part, Expansion(value, eta, total, gradient, None))
            yield k, Start(objective, here, hessian)

    def _start_of_far(
        self, k: int, problem: SmoothProblem, weights: Weights, strength: float
    ) -> Start:
        """Return the start of a fold that once took many steps: where it is expected."""
        objective, last = SharedObjective(problem), self._last[k]
        at_part = at_pilot(weights, problem.design.pilot)
        here = objective.at(at_part.moved(self._expected(k, strength), 1.0), second=True)
        if not here.objective <= last.objective:  # that of the last end, with a larger penalty
            here = objective.at(last.weights, second=True)
        return Start(objective, here, objective.hessian_at(here))

    def _expected(self, k: int, strength: float) -> Weights:
        """Return how far a fold is expected from all rows, on a line over the log of C."""
        last, away = self._away[-1][0], self._away[-1][1][k]
        if len(self._away) > 1 and strength > 0.0:
            before, further = self._away[-2][0], self._away[-2][1][k]
            away = away.moved(away.moved(further, -1.0), log(strength / last) / log(last / before))
        return away
