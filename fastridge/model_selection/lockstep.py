"""Newton runs of several folds in lockstep: one pass over X evaluates all of them."""

from collections.abc import Generator, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastridge._kernels import smooth_losses
from fastridge.designs.design import Design
from fastridge.designs.expansion import Expansion
from fastridge.losses.smooth import LossOfRows
from fastridge.solvers.newton.iterate import Found, Weights, iteration
from fastridge.solvers.newton.primal import Evaluation, Objective
from fastridge.solvers.newton.problem import SmoothProblem

_CHEAPER = 2.0  # how much less a pass costs when it is shared


class LossesOfFolds:
    """The loss of the same rows with the weights of each fold, as if folds were classes."""

    offset: np.ndarray | None = None  # added here

    def __init__(self, loss: LossOfRows, weights: Sequence[np.ndarray]) -> None:
        self._loss, self._weights = loss, weights
        self.n_classes = len(weights)
        self.fused = len(weights) <= smooth_losses.most_folds()
        self._values: dict[int, list[float]] = {}

    def expand_dense(
        self,
        X: np.ndarray,
        point: tuple[np.ndarray, np.ndarray, np.ndarray],
        weight: np.ndarray | None,
        rows: slice,
        rooms: tuple[np.ndarray, np.ndarray],
        outputs: tuple[np.ndarray, np.ndarray, np.ndarray],
    ) -> float:
        """Add derivatives for contiguous rows of X, and keep the sums of their losses."""
        values = np.zeros(self.n_classes)
        eta, totals, gradient = outputs
        self._loss.expand_folds(
            X, point, [own[rows] for own in self._weights], rows, rooms,
            (eta, values, totals, gradient),
        )  # fmt: skip
        self._values[rows.start or 0] = values.tolist()
        return 0.0

    def expand(
        self,
        eta: np.ndarray,
        weight: np.ndarray | None,
        derivative_out: np.ndarray,
        rows: slice = slice(None),
    ) -> float:
        """Set the weighted derivatives of some rows, and keep the sums of their losses."""
        if self._loss.offset is not None:
            eta += self._loss.offset[rows]
        curvature = np.empty(eta.shape[1])
        self._values[rows.start or 0] = [
            self._loss.expand(eta[k], own, derivative_out[k], curvature, rows)[0]
            for k, own in enumerate(self._weights)
        ]
        return 0.0

    def values(self) -> np.ndarray:
        """Return the sum of the losses of each fold, added in the order of the rows."""
        total = np.zeros(self.n_classes)
        for first in sorted(self._values):
            total += self._values[first]
        return total


class SharedObjective(Objective):
    """The objective of one fold, whose passes over the rows are shared."""

    def __init__(self, problem: SmoothProblem) -> None:
        super().__init__(problem)
        assert self.hessian_cost is not None
        self.hessian_cost *= _CHEAPER


class Start(NamedTuple):
    """An evaluation of the objective of a fold from which it starts, and a Hessian near it."""

    objective: SharedObjective
    evaluation: Evaluation
    hessian: Any


def iterate_together(
    design: Design,
    starts: Sequence[Start],
    *,
    tol: float,
    max_iters: Sequence[int],
) -> list[Found]:
    """Return the ends of `iterate` for folds of the rows of a design.

    The last step of a fold is not evaluated where the ones before tell enough.
    """
    found: dict[int, Found] = {}
    runs: dict[int, Generator[tuple[Weights, bool], Any, Found]] = {}
    wanted: dict[int, tuple[Weights, bool]] = {}

    def send(k: int, here: Evaluation) -> None:
        try:
            wanted[k] = runs[k].send(here)
        except StopIteration as end:
            found[k] = end.value

    for k, start in enumerate(starts):
        runs[k] = iteration(
            start.objective,
            start.evaluation.weights,
            start.hessian,
            tol=tol,
            max_iter=max_iters[k],
            trusting=True,
        )
        next(runs[k])
        send(k, start.evaluation)
    while wanted:
        shared = [k for k, (_, second) in wanted.items() if not second]
        points = [(starts[k].objective, wanted[k][0]) for k in shared]
        made = dict(zip(shared, _evaluated(design, points), strict=True))
        requests = dict(wanted)
        wanted.clear()
        for k, (weights, second) in requests.items():
            send(k, starts[k].objective.at(weights, second=True) if second else made[k])
    return [found[k] for k in range(len(starts))]


def _evaluated(design: Design, points: Sequence[tuple[Objective, Weights]]) -> list[Evaluation]:
    """Return evaluations of folds at their weights, in one pass over all rows."""
    if len(points) < 2:
        return [objective.at(weights, second=False) for objective, weights in points]
    problems = [objective.problem for objective, _ in points]
    losses = LossesOfFolds(problems[0].loss, [p.design.row_weights for p in problems])
    shifts = [p.design.pilot - design.pilot for p in problems]
    coef = np.array([weights.coef for _, weights in points])
    intercept = np.array(
        [
            weights.intercept - float(shift @ weights.coef)
            for (_, weights), shift in zip(points, shifts, strict=True)
        ]
    )
    with np.errstate(all="ignore"):
        made = design.expand_classes(losses, coef, intercept)
        values = losses.values()
        return [
            Evaluation(
                problem,
                weights,
                Expansion(
                    float(values[k]),
                    made.eta[k],
                    float(made.totals[k]),
                    made.gradient[k] - made.totals[k] * shifts[k],
                    None,
                ),
            )
            for k, (problem, (_, weights)) in enumerate(zip(problems, points, strict=True))
        ]
