"""Stochastic gradient descent on a cluster: local models, averaged every epoch."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from fastridge._validation import check_weight
from fastridge.dask.partitions import values_of
from fastridge.linear_model.sgd_classes import (
    ClassTargets,
    factors_of_counts,
    plan_for_classes,
    refuse_one_class,
)
from fastridge.linear_model.sgd_inputs import FLOATS, codes_of, refuse_not_finite
from fastridge.runtime.sparse_indices import in_canonical_form, refuse_malformed
from fastridge.solvers.sgd.averaging import average, rounds
from fastridge.solvers.sgd.epochs import Descent
from fastridge.solvers.sgd.order import RowOrder, rows_with_weight, seed_of
from fastridge.solvers.sgd.row_views import rows_of
from fastridge.solvers.sgd.settings import QUADRATIC, Plan, mean_loss_of_nothing
from fastridge.solvers.sgd.state import Weights

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

_EMPTY = np.empty(0)


class _Summary(NamedTuple):
    """What the client must know of a partition."""

    n_rows: int
    n_features: int
    n_targets: int | None  # None where y has one dimension
    dtype: Any
    sparse: bool
    labels: np.ndarray | None
    counts: np.ndarray | None
    losses_of_nothing: list[float]


class _Task(NamedTuple):
    """What a worker must know to take steps for one of the models."""

    estimator: BaseEstimator
    plan: Plan
    model: int
    n_outputs: int
    dtype: Any
    classes: np.ndarray | None
    factors: np.ndarray | None


class _Local(NamedTuple):
    """Weights on their way through the partitions of a chain."""

    weights: Weights
    n_rows: int
    complete: bool


class _Count(NamedTuple):
    n_rows: int


def fit_descent(model: BaseEstimator, parts: list[Any], names: Any, n_models: int | None) -> Any:
    """`fit` of SGDRegressor or SGDClassifier."""
    import dask

    plan: Plan = model._plan()
    for option in ("early_stopping", "standardize", "warm_start"):
        if getattr(model, option):
            raise ValueError(f"{option} is not offered for Dask collections: set it to False.")
    look = dask.delayed(_summary)
    known = dask.compute(*[look(*part[:3], model._classifies, plan) for part in parts])
    filled = [(part, one) for part, one in zip(parts, known, strict=True) if one.n_rows]
    if not filled:
        what = "rows" if parts[0][2] is None else "rows with weight"
        raise ValueError(f"X has no {what}: at least one is needed.")
    parts, summaries = [list(some) for some in zip(*filled, strict=True)]
    first = summaries[0]
    if any(one[1:3] != first[1:3] or one.sparse != first.sparse for one in summaries):
        raise ValueError("all partitions of X and y must have the same columns and layout.")
    dtype = np.result_type(*(one.dtype for one in summaries))
    n_targets = 1 if first.n_targets is None else first.n_targets
    shape: tuple[int, ...] = (first.n_features,)
    if first.n_targets is not None:
        shape = (n_targets, first.n_features)
    classes = factors = None
    if model._classifies:
        classes, factors = _classes(model, summaries)
        plan = plan_for_classes(plan, len(classes))
        shape = (1 if len(classes) == 2 else len(classes), first.n_features)
    chains = _chains(parts, _number_of_models(n_models, len(parts)))
    state = model._begin(shape, dtype)
    weights = state.weights(plan, first.sparse)
    seeds = model._seeds(len(weights) if model._classifies else 1)
    n_outputs = len(state.intercept) if plan.multinomial else 1
    n_rows = sum(one.n_rows for one in summaries)
    descents = []
    for k, own in enumerate(weights):
        task = _Task(clone(model), plan, k, n_outputs, dtype, classes, factors)
        descent = ClusterDescent(
            task, chains, own, n_rows, first.sparse, int(seeds[k % len(seeds)])
        )
        if classes is not None and plan.loss in QUADRATIC:  # targets are 1 and -1
            descent.loss_of_nothing = mean_loss_of_nothing(plan.loss, plan.epsilon, np.ones(1))
        elif first.losses_of_nothing:
            losses = [one.n_rows * one.losses_of_nothing[k] for one in summaries]
            descent.loss_of_nothing = max(sum(losses) / n_rows, float(np.finfo(float).tiny))
        descents.append(descent)
    model.n_features_in_ = first.n_features
    model.__dict__.pop("feature_names_in_", None)
    if classes is not None:
        model.classes_ = classes
    model._fit_descents(plan, state, descents, None, 1)
    if names is not None:
        model.feature_names_in_ = np.array(names, dtype=object)
    return model


class ClusterDescent(Descent):
    """A descent whose every epoch is a graph: chains of partitions, from the same weights."""

    def __init__(
        self,
        task: _Task,
        chains: list[list[Any]],
        weights: Weights,
        n_rows: int,
        sparse: bool,
        seed: int,
    ) -> None:
        example: Any = np.zeros((1, weights.coef.shape[-1]), task.dtype)
        rows = rows_of(sp.csr_matrix(example) if sparse else example, task.plan, task.n_outputs)
        count: Any = _Count(n_rows)
        super().__init__(task.plan, rows, _EMPTY, None, weights, count)
        self._task, self._chains, self._seed = task, chains, seed

    def _epoch(self) -> Generator[None, None, bool]:
        """See `Descent`: one graph, whose tasks go where the partitions lie."""
        import dask

        if self.plan.auto:
            self.weights.restart_mean()
            fresh = not self.weights.beside.any()
            if fresh and len(self._chains) > 1:  # what the first row sets is set once
                self._begin()
        steps, begin = dask.delayed(_steps), dask.delayed(self.weights.copy())
        ends, place = [], 0
        for chain in self._chains:
            local = begin
            for k, part in enumerate(chain):
                seed = seed_of(self._seed, self.n_iter, place)
                local = steps(local, *part[:3], self._task, seed, k == len(chain) - 1)
                place += 1
            ends.append(local)
        yield
        reached = dask.compute(*ends)
        yield
        sizes = np.array([one.n_rows for one in reached], float)
        if not sizes.any():  # by class_weight
            sizes[:] = 1.0
        if len(reached) == 1:
            self.weights.restore(reached[0].weights.copy_state())
        else:
            average(self.weights, [one.weights for one in reached], sizes)
        if not all(one.complete for one in reached):
            return False
        square = self.weights.fold(self.choices)
        return isfinite(square + self.weights["intercept"])

    def _begin(self) -> None:
        """Take the steps of a first slice of rows, from which all models go on."""
        import dask

        part, task = self._chains[0][0], self._task
        local = dask.delayed(self.weights.copy())
        first = dask.delayed(_steps)(
            local, *part[:3], task, seed_of(self._seed, self.n_iter, 0), True, 1
        )
        (reached,) = dask.compute(first)
        self.weights.restore(reached.weights.copy_state())
        self.weights["loss_sum"] = self.weights["penalty_sum"] = 0.0


def _summary(X: Any, y: Any, weight: Any, classifies: bool, plan: Plan) -> _Summary:
    """Runs on a worker, as do those below."""
    X, y, weight = map(values_of, (X, y, weight))
    y = np.asarray(y)
    if y.shape[0] != X.shape[0]:
        raise ValueError(f"a partition of y has {y.shape[0]} rows, that of X has {X.shape[0]}.")
    counted: Any = slice(None)
    if weight is not None:
        counted = check_weight(weight, X, allow_zero=True) != 0.0
    labels = counts = None
    losses: list[float] = []
    if classifies:
        if y.ndim > 1:
            y = y.reshape(len(y), -1)
            if y.shape[1] > 1:
                raise ValueError(f"classes must be in one column, got {y.shape[1]} targets.")
            y = y[:, 0]
        if y.dtype.kind == "f" and not np.isfinite(y).all():
            raise ValueError("y holds NaN or infinity.")
        labels, codes = np.unique(y, return_inverse=True)
        counts = np.bincount(codes[counted], minlength=len(labels))
    else:
        y = y.astype(float)
        if not np.isfinite(y).all():
            raise ValueError("y holds NaN or infinity.")
        if plan.loss in QUADRATIC and len(y[counted]):
            targets = [y[counted]] if y.ndim == 1 else list(y[counted].T)
            losses = [mean_loss_of_nothing(plan.loss, plan.epsilon, one) for one in targets]
    dtype = X.dtype if X.dtype in FLOATS else np.dtype(np.float64)
    n_targets = None if y.ndim == 1 else y.shape[1]
    n, p = len(y[counted]), X.shape[1]
    return _Summary(n, p, n_targets, dtype, sp.issparse(X), labels, counts, losses)


def _steps(
    local: Any, X: Any, y: Any, weight: Any, task: _Task, seed: int, last: bool, most: int = -1
) -> _Local:
    """The steps of a partition's rows, in an order of their own, or of its first `most` slices."""
    if isinstance(local, Weights):
        local = _Local(local.copy(), 0, True)
    if not local.complete or not X.shape[0]:
        return local
    X, y, weight = map(values_of, (X, y, weight))
    weights, plan = local.weights.copy(), task.plan
    # The order of rows depends on their layout, and that on how they came to this worker.
    if sp.issparse(X):
        refuse_malformed(X)
        X = in_canonical_form(X.tocsr().astype(task.dtype, copy=False), zeros=False)
    else:
        X = X.astype(task.dtype, order="C", copy=False)
    weight = None if weight is None else check_weight(weight, X, allow_zero=True)
    if task.classes is None or task.factors is None:
        target = np.asarray(y, dtype=float)
        target = target if target.ndim == 1 else target[:, task.model]
    else:
        codes = codes_of(np.ravel(y), task.classes, "y", "all partitions")
        target, weight = ClassTargets(codes, task.factors, weight, plan)[task.model]
    chosen = rows_with_weight(weight)
    rows = rows_of(X, plan, task.n_outputs, chosen)
    order = RowOrder(rows.n_rows, chosen, plan.shuffle, seed, rows.block_rows, rows.slice_rows)
    choices = plan.choices_for(True, rows)
    done, complete = 0, True
    given = _EMPTY if weight is None else np.ascontiguousarray(weight)
    with np.errstate(all="ignore"):
        target = np.ascontiguousarray(target)
        for taken in rounds(
            plan, rows, target, given, weights, choices, order.epoch(), order.n_rows
        ):
            if not taken.complete:
                refuse_not_finite(X, task.estimator)
                complete = False
                break
            done += taken.n_rows
            most -= 1
            if most == 0:
                break
        if last and complete:
            weights.fold(choices)
    return _Local(weights, local.n_rows + done, complete)


def _classes(model: BaseEstimator, summaries: list[_Summary]) -> tuple[np.ndarray, np.ndarray]:
    """The labels of all partitions, and the factor of each on the weights of its rows."""
    labels = np.concatenate([one.labels for one in summaries])
    counts = np.concatenate([one.counts for one in summaries])
    classes, places = np.unique(labels, return_inverse=True)
    refuse_one_class(classes)
    totals = np.bincount(places, weights=counts)
    return classes, factors_of_counts(model.class_weight, classes, totals)


def _number_of_models(given: Any, n_parts: int) -> int:
    if given is None:
        return min(n_parts, _n_threads_of_cluster())
    if isinstance(given, bool) or not hasattr(given, "__index__") or given < 1:
        raise ValueError(f"n_models must be None or a whole number from 1 up, got {given!r}.")
    return min(int(given), n_parts)


def _n_threads_of_cluster() -> int:
    try:
        from distributed import get_client

        return max(1, sum(get_client().nthreads().values()))
    except (ImportError, ValueError):  # no cluster: Dask's own scheduler
        return 1


def _chains(parts: list[Any], n_models: int) -> list[list[Any]]:
    """Consecutive partitions, for each model some."""
    ends = np.linspace(0, len(parts), n_models + 1).round().astype(int).tolist()
    return [parts[begin:end] for begin, end in itertools.pairwise(ends)]
