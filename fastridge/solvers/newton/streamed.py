"""Newton's method on rows that every pass reads again.

A pass sums the loss, its gradient and, where it pays, its Hessian about a pilot. No number of a row
is kept, so that the objective on a step comes from a pass that makes it at several lengths. The
first weights, and the first Hessian where one is dear, are those of a sample in memory.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastridge._kernels.attributes import computed_once
from fastridge.designs.expansion import ClassExpansion, Expansion, RowLosses
from fastridge.designs.passes import KIND, Passes, Sums
from fastridge.losses.smooth import SmoothLoss
from fastridge.penalties.elastic_net import Bounds
from fastridge.solvers.newton import primal
from fastridge.solvers.newton.active_newton import ActiveNewton
from fastridge.solvers.newton.iterate import Found, Weights, iterate
from fastridge.solvers.newton.problem import NewtonResult, SmoothProblem
from fastridge.solvers.newton.streamed_sums import (
    GRADIENT,
    HESSIAN,
    LENGTHS,
    N_LENGTHS,
    TOTALS,
    SumsOfBatch,
    Totals,
    centred,
)
from fastridge.statistics.accumulate import CentredProducts

_SAMPLE_TOL = 1e-4
_SAMPLE_STEPS = 50
_SAME = 1e-12  # relative difference of weights that differ by rounding only
COLUMNS_AT_ONCE = 4.0 * primal.COLUMNS_AT_ONCE
"""Columns of a Gram matrix that are made in the time of reading a file."""
CHEAP = 1.0
"""Cost of a Hessian, in passes, up to which the first pass makes one."""

PenaltyOf = Callable[[Totals], np.ndarray]


class StreamedRows:
    """Rows of a loss that are read again for each point.

    Newton's iteration takes it for a `Design`.

    Parameters
    ----------
    passes : Passes
    work : SumsOfBatch
    """

    has_rows = False

    def __init__(self, passes: Passes, work: SumsOfBatch) -> None:
        self._passes, self._work = passes, work
        self.pilot, self.n_threads = work.pilot, work.n_threads
        self.shape = 0, len(work.pilot)
        self.fit_intercept = work.fit_intercept
        self._totals: Totals | None = None

    @property
    def totals(self) -> Totals:
        """Sums that do not depend on the coefficients, of the first pass."""
        if self._totals is None:
            self._sums({KIND: np.asarray(TOTALS)})
        assert self._totals is not None
        return self._totals

    @property
    def sum_weights(self) -> float:
        """Sum of the weights of all rows."""
        return self.totals.sum_weights

    def expand(
        self, loss: RowLosses | None, coef: np.ndarray, intercept: float, *, second: bool
    ) -> Expansion:
        """Sum the loss of the rows, with its derivatives, at ``(X - pilot) coef + intercept``."""
        return self.expand_at(Weights(coef, intercept), second=second)[1]

    def expand_at(self, weights: Weights, *, second: bool) -> tuple[Weights, Any]:
        """Return the expansion there, and the weights, which a checkpoint may differ in."""
        kind = HESSIAN if second else GRADIENT
        return self._expanded({KIND: np.asarray(kind), **_arrays(weights)})[:2]

    def lengths(self, base: Weights, weights: Weights) -> tuple[Weights, Any, np.ndarray]:
        """Return the expansion too, and values after parts of the step from a base: 1, 1/2, ..."""
        arrays = _arrays(weights)
        point = {
            KIND: np.asarray(LENGTHS),
            **arrays,
            "base_coef": base.coef,
            "base": np.asarray(base.intercept, dtype=np.float64),
        }
        return self._expanded(point)

    def _expanded(self, point: Sums) -> tuple[Weights, Any, np.ndarray]:
        point, sums = self._sums(point)
        value, values, gradient = float(sums["value"]), sums.get("values"), sums["gradient"]
        values = np.empty(0) if values is None else values
        if gradient.ndim > 1:
            of_classes = ClassExpansion(value, np.empty(0), sums["total"], gradient)
            weights = Weights(point["coef"], point["intercept"])
            return weights, (of_classes, sums.get("blocks")), values
        products: CentredProducts | None = None
        if int(point[KIND]) == HESSIAN:
            products = centred(sums, self.pilot)
        expansion = Expansion(value, np.empty(0), float(sums["total"]), gradient, products)
        return Weights(point["coef"], float(point["intercept"])), expansion, values

    def _sums(self, point: Sums) -> tuple[Sums, Sums]:
        point = {**point, "totals": np.asarray(self._totals is None)}
        point, sums = self._passes.total(point, self._work)
        if self._totals is None:
            self._totals = Totals(sums, self.pilot)
            if not self._totals.sum_weights > 0.0:
                raise ValueError("weights are zero for every row: at least one must be positive.")
        return point, sums


def _arrays(weights: Weights) -> Sums:
    return {"coef": weights.coef, "intercept": np.asarray(weights.intercept, dtype=np.float64)}


class StreamedProblem(SmoothProblem):
    """A loss of rows that are read again, and the penalty of each feature. Immutable.

    Parameters
    ----------
    design : StreamedRows
    loss : SmoothLoss
    penalty_of : callable
        The penalty may depend on the totals, which the first pass makes.
    """

    design: Any

    def __init__(self, design: StreamedRows, loss: SmoothLoss, penalty_of: PenaltyOf) -> None:
        self.design, self.loss_of_row, self._penalty_of = design, loss, penalty_of
        self.loss: Any = None  # each batch has its own

    @computed_once
    def penalty(self) -> np.ndarray:
        """The penalty of each feature."""
        return self._penalty_of(self.design.totals)

    @computed_once
    def least_value(self) -> float:
        """The sum of the least losses that linear predictors can give."""
        return float(self.design.totals.least_value)

    @computed_once
    def null_predictor(self) -> float:
        """The intercept of the null model, without regard to offsets."""
        if not self.design.fit_intercept:
            return 0.0
        return self.loss_of_row.null_predictor(self.design.totals.mean)


class RepeatedPasses:
    """Evaluations by passes over the rows, of which the latest may serve again."""

    rows: StreamedRows

    def __init__(self) -> None:
        self._latest: Any = None
        self._ends: tuple[Any, Any] = (None, None)
        self._values: dict[float, float] = {}

    def evaluation(self, weights: Weights, expansion: Any) -> Any:
        """Return the evaluation that sums of all rows give."""
        raise NotImplementedError

    def objective_of(self, value: float, coef: np.ndarray) -> float:
        """Return the objective where the losses have this sum."""
        raise NotImplementedError

    def at(self, weights: Weights, *, second: bool) -> Any:
        """Return the evaluation at these weights; with a Hessian if `second`."""
        latest, self._latest = self._latest, None
        if (
            latest is not None
            and not (second and latest.products is None)
            and _are_same(latest.weights, weights)
        ):
            return latest
        found, expansion = self.rows.expand_at(weights, second=second)
        with np.errstate(all="ignore"):
            return self.evaluation(found, expansion)

    def first(self, weights: Weights, *, second: bool) -> Any:
        """Return the evaluation at these weights, and keep it for the next request."""
        self._latest = here = self.at(weights, second=second)
        return here

    def between(self, first: Any, last: Any, part: float) -> float:
        """Return the objective on the way between two evaluations.

        A pass makes that of the next step lengths too, and a full evaluation at the first of them.
        """
        if self._ends != (first, last):
            self._ends, self._values = (first, last), {}
        if part not in self._values:
            step = last.weights.moved(first.weights, -1.0)
            there = first.weights.moved(step, part)
            found, expansion, values = self.rows.lengths(first.weights, there)
            with np.errstate(all="ignore"):
                self._latest = self.evaluation(found, expansion)
                for k in range(N_LENGTHS):
                    length = part * 0.5**k
                    coef = first.weights.coef + length * step.coef
                    self._values[length] = self.objective_of(float(values[k]), coef)
        return self._values[part]


class StreamedObjective(RepeatedPasses, primal.Objective):
    """The objective about the pilot."""

    problem: StreamedProblem

    def __init__(self, problem: StreamedProblem) -> None:
        super().__init__()
        self.problem, self.rows = problem, problem.design
        self.hessian_cost = len(problem.design.pilot) / COLUMNS_AT_ONCE

    def evaluation(self, weights: Weights, expansion: Expansion) -> primal.Evaluation:
        """Return the evaluation that sums of all rows give."""
        return primal.Evaluation(self.problem, weights, expansion)

    def objective_of(self, value: float, coef: np.ndarray) -> float:
        """Return the objective where the losses have this sum."""
        return value - self.problem.least_value + self.problem.penalty_of(coef)

    def result(self, found: Found) -> NewtonResult:
        """Return the result of an iteration."""
        return primal.result_of(self.problem, found)


def _are_same(one: Weights, other: Weights) -> bool:
    size = max(np.abs(one.coef).max(initial=0.0), 1e-300)
    if np.abs(one.coef - other.coef).max(initial=0.0) > _SAME * size:
        return False
    size = max(np.abs(one.intercept).max(), 1e-300)
    return bool(np.abs(one.intercept - other.intercept).max() <= _SAME * size)


class Start(NamedTuple):
    """The start of the passes, about the pilot, with the Hessian of a sample if there is one.

    `sum_weights` is the weight of its rows.
    """

    weights: Weights
    hessian: Any = None
    sum_weights: float = 1.0


def start_of_sample(
    sample: SmoothProblem, l1: np.ndarray | None = None, bounds: Bounds | None = None
) -> Start | None:
    """Return the minimum of the problem of a sample and its Hessian; None if it has none.

    Both are about the pilot of the sample. A small penalty, of a row or so in units of each column,
    keeps coefficients small that a sample knows nothing about.
    """
    design, loss = sample.design, sample.loss
    mean = float(design.sum_over_rows(loss.y)) / design.sum_weights
    with np.errstate(all="ignore"):
        null = np.full(len(loss.y), loss.loss.null_predictor(mean))
        curvature = float(np.mean(loss.loss.curvature(loss.y, null)))
        if not 0.0 < curvature < np.inf:
            return None
        penalty = sample.penalty + curvature * design.standard_squares
        problem = SmoothProblem(design, loss, penalty)
        weights = Weights(np.zeros(design.shape[1]), problem.null_predictor)
        options: dict[str, Any] = {"tol": _SAMPLE_TOL, "max_iter": _SAMPLE_STEPS}
        try:
            if l1 is None and bounds is None:
                found = iterate(primal.Objective(problem), weights, **options)
                here, hessian = found.evaluation.weights, found.hessian
            else:
                result = ActiveNewton(design, loss, bounds=bounds, **options).to(l1, penalty)
                here = Weights(result.coef, result.intercept)
                here, hessian = primal.at_pilot(here, design.pilot), None
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            return None
    if not (np.isfinite(here.coef).all() and np.isfinite(here.intercept)):
        return None
    return Start(here, hessian, design.sum_weights)


def minimise_streamed(
    objective: StreamedObjective, start: Start | None, *, tol: float, max_iter: int
) -> NewtonResult:
    """Minimise from a start, or the null model, in as few passes as the tolerance needs."""
    problem = objective.problem
    weights = hessian = None
    cost = objective.hessian_cost
    if start is not None:
        dear = cost is not None and cost > CHEAP and start.hessian is not None
        here = objective.first(start.weights, second=not dear)
        if dear:
            scale = problem.design.totals.sum_weights / start.sum_weights
            hessian = start.hessian._replace(scale=scale)
        if np.isfinite(here.objective) and np.isfinite(here.gradient.coef).all():
            weights = start.weights
    if weights is None:
        hessian = None
        weights = Weights(np.zeros(len(problem.design.pilot)), problem.null_predictor)
    found = iterate(objective, weights, hessian, tol=tol, max_iter=max_iter, trusting=True)
    return objective.result(found)
