"""Newton's method for several classes, each with coefficients of its own.

All classes are penalised alike, as in scikit-learn, and the coefficients of features with a penalty
sum to zero over the classes. Intercepts and features without a penalty are free to move together
in all classes, which changes no probability; they keep the sum they started with.
"""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import softmax

from fastridge._kernels.attributes import computed_once
from fastridge.designs.design import Design
from fastridge.losses.multinomial import ClassesOfRows
from fastridge.runtime.threads import run_slices, taken
from fastridge.solvers.direct.cholesky import Factor
from fastridge.solvers.direct.graded_svd import rounding
from fastridge.solvers.newton.conjugate import newton_step
from fastridge.solvers.newton.iterate import Found, Weights, goal_of, iterate
from fastridge.solvers.newton.primal import COLUMNS_AT_ONCE, SAMPLE_TOL, SAMPLED_VALUES
from fastridge.solvers.newton.problem import LEAST_PENALTY, NewtonResult, not_converged
from fastridge.solvers.newton.row_space import RowSpace
from fastridge.statistics.accumulate import SLICE_FLOPS

MOST_UNKNOWNS = 1200
"""Unknowns of a Hessian that is factored."""
_ROWS = 8  # of a sample, as a multiple of the unknowns
_STEPS = (17, 13, 11, 7, 5, 3)  # primes, because rows may have a period
_SAMPLE_RATE = 0.1  # by which a step with the Hessian of a sample multiplies the decrement
_MOST_ALIKE = 4  # Hessians of the same sample
_LEAST_STEP = 5  # of a sample that is worth a solution
_LEAST_WEIGHT = 1e-200  # of all curvatures together: less is nothing


def minimise_classes(
    design: Design,
    loss: ClassesOfRows,
    penalty: np.ndarray,
    start: Weights | None = None,
    *,
    tol: float,
    max_iter: int,
) -> NewtonResult:
    """Minimise ``sum_i v_i loss_i + 1/2 sum_kj penalty_j coef_kj^2`` from a start, or zero.

    Coefficients have the shape (n_classes, n_features), intercepts (n_classes,).
    """
    objective = ClassObjective(design, loss, penalty)
    if start is None:
        weights = Weights(np.zeros((loss.n_classes, design.shape[1])), objective.null_intercept())
    else:
        weights = weights_at_pilot(start, design.pilot)
    space = RowSpace.of(design, penalty) if penalty.min() > LEAST_PENALTY else None
    if space is not None:
        found, done = _in_row_space(space, objective, weights, tol=tol, max_iter=max_iter)
        if done:
            return result_of_classes(objective, found)
        weights = found.weights
    sampled = objective.sampled()
    if sampled is not None:
        there = weights_at_pilot(weights, sampled.design.pilot - design.pilot)
        there = iterate(sampled, there, tol=SAMPLE_TOL, max_iter=max_iter).evaluation.weights
        weights = weights_at_pilot(there, design.pilot - sampled.design.pilot)
    found = iterate(objective, weights, tol=tol, max_iter=max_iter, trusting=True)
    return result_of_classes(objective, found)


def _in_row_space(
    space: RowSpace, objective: "ClassObjective", weights: Weights, *, tol: float, max_iter: int
) -> tuple[Found, bool]:
    """Return the end of an iteration in the space of the rows, and whether it is one for X, too."""
    design, loss = objective.design, objective.loss.rows(objective.design.counted)
    rows, away = space.design, design.centre - design.pilot
    inner = ClassObjective(rows, loss, np.ones(rows.shape[1]))
    theta = (
        space.coordinates(weights.coef)
        if weights.coef.any()
        else np.zeros((loss.n_classes, rows.shape[1]))
    )
    start = Weights(theta, weights.intercept + weights.coef @ away)
    start = weights_at_pilot(start, rows.pilot)
    found = iterate(inner, start, tol=tol, max_iter=max_iter, trusting=True)
    end = weights_at_pilot(found.weights, -rows.pilot)
    coef = space.coef(end.coef)
    here = objective.at(Weights(coef, end.intercept - coef @ away), second=False)
    gap = 0.5 * float((here.gradient.coef**2 / objective.penalty).sum())
    goal = goal_of(here.objective, here.size, tol)
    known = found._replace(evaluation=here, unseen=None)
    return known, gap <= max(goal, found.decrement)


def result_of_classes(objective: "ClassObjective", found: Found) -> NewtonResult:
    """Return the result of an iteration about the pilot."""
    design, penalty = objective.design, objective.penalty
    here = found.evaluation
    gap = None
    if penalty.min() > LEAST_PENALTY:
        gap = 0.5 * found.part * float((here.gradient.coef**2 / penalty).sum())
    weights = found.weights
    coef = weights.coef.copy()
    coef[:, penalty > LEAST_PENALTY] -= coef[:, penalty > LEAST_PENALTY].mean(axis=0)
    coef, intercept = weights_at_pilot(Weights(coef, weights.intercept), -design.pilot)
    return NewtonResult(
        coef,
        intercept if design.fit_intercept else np.zeros(len(coef)),
        found.objective,
        found.decrement,
        gap,
        found.n_iter,
        "newton-cg" if objective.hessian_cost is None else "newton-cholesky",
        getattr(found.hessian, "rcond", None),
        None if found.converged else not_converged(found.n_iter, found.stuck),
    )


def weights_at_pilot(weights: Weights, pilot: np.ndarray) -> Weights:
    """Return weights for rows from which this vector is subtracted."""
    return Weights(weights.coef, weights.intercept + weights.coef @ pilot)


class _Evaluation:
    def __init__(self, objective: "ClassObjective", weights: Weights) -> None:
        design, loss, penalty = objective.design, objective.loss, objective.penalty
        self.weights = weights
        found = design.expand_classes(loss, *weights)
        self.eta = found.eta
        self.objective = self.size = found.value + 0.5 * float((penalty * weights.coef**2).sum())
        totals = found.totals * float(design.fit_intercept)
        self.gradient = Weights(found.gradient + penalty * weights.coef, totals)

    @computed_once
    def probability(self) -> np.ndarray:
        """Probabilities, of shape (n_classes, n_samples)."""
        return softmax(self.eta, axis=0)


class ClassObjective:
    """The objective, about the pilot of the design."""

    def __init__(self, design: Design, loss: ClassesOfRows, penalty: np.ndarray) -> None:
        self.design, self.loss, self.penalty = design, loss, penalty
        K, p = loss.n_classes, design.shape[1]
        self.hessian_cost: float | None = None
        self.hessian_rate = 0.0
        self.hessian_rows, self._n_hessians = slice(None), 0
        if K * (p + 1) <= MOST_UNKNOWNS:
            enough = _ROWS * K * (p + 1)
            step = next((s for s in _STEPS if design.n_counted >= s * enough), None)
            self.hessian_rows = slice(None, None, step)
            # of K (K - 1) / 2 Gram matrices
            self.hessian_cost = (K - 1) * p / COLUMNS_AT_ONCE / (step or 1)
            self.hessian_rate = 0.0 if step is None else _SAMPLE_RATE

    def null_intercept(self) -> np.ndarray:
        """Return intercepts of the null model, whose sum is zero."""
        K, weight = self.loss.n_classes, self.design.weight
        if not self.design.fit_intercept:
            return np.zeros(K)
        share = np.log(np.maximum(np.bincount(self.loss.y, weight, K), 1e-300))
        centred: np.ndarray = share - share.mean()
        return centred

    def sampled(self) -> "ClassObjective | None":
        """Return the objective of a sample of the rows; None if they are too few."""
        design, every = self.design, self.hessian_rows
        if (every.step or 1) < _LEAST_STEP or np.prod(design.shape) < SAMPLED_VALUES:
            return None
        some, loss = design.rows(every), self.loss.rows(every)
        if len(np.unique(loss.y)) < loss.n_classes:
            return None
        return ClassObjective(some, loss, self.penalty * (some.sum_weights / design.sum_weights))

    def at(self, weights: Weights, *, second: bool) -> _Evaluation:
        """Return the evaluation at these weights, from which any Hessian is made."""
        with np.errstate(all="ignore"):
            return _Evaluation(self, weights)

    def between(self, first: _Evaluation, last: _Evaluation, part: float) -> float:
        """Return the objective on the way between two evaluations."""
        eta = first.eta + part * (last.eta - first.eta)
        coef = first.weights.coef + part * (last.weights.coef - first.weights.coef)
        penalty = 0.5 * float((self.penalty * coef**2).sum())
        return self.loss.value_of(eta, self.design.weight) + penalty

    def hessian_at(self, here: _Evaluation) -> Any:
        """Return the Hessian of an evaluation: that of some rows, and of more if it takes long."""
        if self.hessian_cost is None:
            return _Multiplied(self, here)
        self._n_hessians += 1
        if self._n_hessians > _MOST_ALIKE:
            self.hessian_rows = _denser(self.hessian_rows)
        rows = self.hessian_rows
        found = _factored_of_rows(self, here, rows)
        if found.singular and rows.step is not None:  # a direction may be missing in these rows
            found = _factored_of_rows(self, here, slice(None))
        return found


def _denser(rows: slice) -> slice:
    """Return about twice as many rows."""
    step = rows.step or 1
    return slice(None, None, next((s for s in _STEPS if 2 * s <= step), None))


def _for_pairs(fill: Callable[[int, int], None], n_classes: int, n_threads: int) -> None:
    """Call `fill` for each pair of classes, on our own threads."""
    pairs = deque(combinations(range(n_classes), 2))

    def job() -> Iterator[None]:
        for k, m in taken(pairs):
            fill(k, m)
            yield

    run_slices([job() for _ in range(n_threads)])


def blocks_of(
    design: Design,
    weight: np.ndarray,
    probability: np.ndarray,
    pilot: np.ndarray,
    *,
    equal: bool = False,
) -> np.ndarray:
    """Return the Hessian of all classes about the pilot, of shape (n_classes, q, n_classes, q).

    Its blocks are ``-X'diag(v p_k p_l)X`` for two classes, and for one the sum of those of its
    pairs, with a column of ones for the intercept. `equal` says that all rows have the same
    probabilities.
    """
    K, q = len(probability), design.shape[1] + design.fit_intercept
    whole = np.zeros((K, q, K, q))
    alike = _products(design, weight, pilot, q) if equal else None

    def fill(k: int, m: int) -> None:
        pair = probability[k] * probability[m]
        if alike is not None:
            whole[k, :, m, :] = float(-pair[0]) * alike
        else:
            whole[k, :, m, :] = -_products(design, weight * pair, pilot, q)

    n_threads = 1
    if design.shape[0] * q * q <= SLICE_FLOPS:  # a thread for each pair, not all for each
        n_threads, design = design.n_threads, design.with_threads(1)
    _for_pairs(fill, K, n_threads)
    for k in range(K):
        for m in range(k):
            whole[k, :, k, :] -= whole[m, :, k, :]
            whole[m, :, m, :] -= whole[m, :, k, :]
    return whole


def _products(design: Design, weight: np.ndarray, pilot: np.ndarray, q: int) -> np.ndarray:
    p = design.shape[1]
    block = np.zeros((q, q))
    if not weight.sum() > _LEAST_WEIGHT:
        return block
    held = design.reweighted(weight).accumulate(np.zeros(len(weight)))
    away, total = held.x_mean - pilot, held.sum_weights
    block[:p, :p] = np.triu(held.upper) + np.triu(held.upper, 1).T
    block[:p, :p] += total * np.outer(away, away)
    if q > p:
        block[:p, p] = block[p, :p] = total * away
        block[p, p] = total
    return block


def _factored_of_rows(objective: "ClassObjective", here: _Evaluation, rows: slice) -> "Factored":
    """Return the Hessian estimated from some rows."""
    design = objective.design.rows(rows)
    weight = design.row_weights * (objective.design.sum_weights / design.sum_weights)
    probability = softmax(here.eta[:, rows], axis=0)
    equal = objective.loss.offset is None and not here.weights.coef.any()
    whole = blocks_of(design, weight, probability, objective.design.pilot, equal=equal)
    return Factored(whole, objective.penalty, objective.design.n_threads)


class Factored:
    """The Hessian of all classes, factored. `whole` is that of `blocks_of`, and is changed."""

    def __init__(self, whole: np.ndarray, penalty: np.ndarray, n_threads: int) -> None:
        K, q = whole.shape[:2]
        self._intercept = q > len(penalty)
        penalty = np.append(penalty, np.zeros(q - len(penalty)))
        free = np.flatnonzero(penalty <= LEAST_PENALTY)
        for j in free:  # the direction that changes no probability
            whole[:, j, :, j] += np.einsum("kk", whole[:, j, :, j]) / K**2
        upper = whole.reshape(K * q, K * q)
        factor = Factor(upper, np.tile(penalty, K), n_threads)
        self.rcond = factor.rcond
        self._solve = factor.solve
        self.singular = not factor.rcond > rounding(K * q)
        if self.singular:
            self._solve = _least_squares(upper, np.tile(penalty, K))
        self._shape = (K, q)

    def solve(self, gradient: Weights, objective: float, goal: float) -> Weights:
        """Return the inverse Hessian times a gradient."""
        K, q = self._shape
        flat = np.empty((K, q))
        flat[:, : gradient.coef.shape[1]] = gradient.coef
        if self._intercept:
            flat[:, -1] = gradient.intercept
        found = self._solve(flat.reshape(1, -1)).reshape(K, q)
        if not self._intercept:
            return Weights(found, np.zeros(K))
        return Weights(found[:, :-1], found[:, -1])


def _least_squares(upper: np.ndarray, penalty: np.ndarray) -> Any:
    """Return a solver for a matrix of which rounding leaves some directions undetermined."""
    whole = np.triu(upper) + np.triu(upper, 1).T + np.diag(penalty)
    root = np.sqrt(whole.diagonal())
    inverse = np.divide(1.0, root, out=np.zeros_like(root), where=root > 0.0)
    values, vectors = np.linalg.eigh(whole * inverse[:, None] * inverse)
    kept = values > rounding(len(values)) * values[-1]
    vectors = vectors[:, kept] * inverse[:, None]

    def solve(rows: np.ndarray) -> np.ndarray:
        solved: np.ndarray = ((rows @ vectors) / values[kept]) @ vectors.T
        return solved

    return solve


class _Multiplied:
    """The Hessian of all classes, as products with vectors about the centre of the design."""

    def __init__(self, objective: ClassObjective, here: _Evaluation) -> None:
        self._design, self._penalty = objective.design, objective.penalty
        self._probability = here.probability
        self._free = np.append(self._penalty <= LEAST_PENALTY, True)
        weight = self._design.weight
        self._weight = 1.0 if weight is None else weight
        totals = (self._weight * self._probability * (1.0 - self._probability)).sum(axis=1)
        part = totals[:, None] / self._design.sum_weights
        self._diagonal = np.hstack(
            [part * self._design.squares + self._penalty, np.maximum(totals, 1e-300)[:, None]]
        )
        self._diagonal[self._diagonal == 0.0] = 1.0

    def solve(self, gradient: Weights, objective: float, goal: float) -> Weights:
        """Return the inverse Hessian times a gradient, as far as the objective is from its end."""
        away = self._design.centre - self._design.pilot
        about = gradient.coef - np.outer(gradient.intercept, away)
        right = np.hstack([about, gradient.intercept[:, None]])
        right[:, self._free] -= right[:, self._free].mean(axis=0)
        found = newton_step(self._times, self._diagonal, right, objective, goal)
        found[:, self._free] -= found[:, self._free].mean(axis=0)  # it changes no probability
        coef = found[:, :-1]
        return Weights(coef, found[:, -1] - coef @ away)

    def _times(self, V: np.ndarray) -> np.ndarray:
        design, probability = self._design, self._probability
        moved = design.predict(V[:, :-1]).T
        if design.fit_intercept:
            moved = moved + V[:, -1:]
        mean = (probability * moved).sum(axis=0)
        derivative = self._weight * probability * (moved - mean)
        totals = derivative.sum(axis=1) * float(design.fit_intercept)
        images = design.correlate(derivative.T) + self._penalty * V[:, :-1]
        return np.hstack([images, totals[:, None]])
