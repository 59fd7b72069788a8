"""SGD on a cluster: workers whose weights are averaged after every epoch."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Generator
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from fastridge._typing import Index, Matrix
from fastridge._validation import check_weight
from fastridge.designs.distributed import values_of
from fastridge.linear_model.sgd_classes import LabelCounts, count_labels
from fastridge.linear_model.sgd_inputs import FLOATS, refuse_not_finite
from fastridge.linear_model.sgd_streamed import Targets, class_targets, fit_runs
from fastridge.runtime.sparse_indices import in_canonical_form, refuse_malformed
from fastridge.solvers.sgd.averaging import average
from fastridge.solvers.sgd.epochs import SolverRun
from fastridge.solvers.sgd.order import RowCount, rows_with_weight, seed_of
from fastridge.solvers.sgd.row_views import rows_of
from fastridge.solvers.sgd.scanned_epochs import SolverBatch
from fastridge.solvers.sgd.settings import Plan
from fastridge.solvers.sgd.state import Weights

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator

    from fastridge.dask.partitions import Partition

_EMPTY = np.empty(0)


class _Summary(NamedTuple):
    """A partition as the client must know it."""

    n_rows: int
    n_features: int
    n_targets: int | None  # None where y has one dimension
    dtype: np.dtype
    sparse: bool
    labels: LabelCounts | None
    null_losses: list[float]


class _Task(NamedTuple):
    """A worker's task: steps for one of the models."""

    estimator: BaseEstimator
    targets: Targets
    model: int
    n_outputs: int
    dtype: np.dtype


class _Local(NamedTuple):
    """The weights of an SGD worker on its way through the partitions of its shard."""

    weights: Weights
    n_rows: int
    complete: bool


def fit_sgd(
    model: BaseEstimator,
    partitions: list[Partition],
    names: list[str] | None,
    n_models: int | None,
) -> BaseEstimator:
    """Carry out `fit` of SGDRegressor or SGDClassifier."""
    import dask

    plan: Plan = model._plan()
    for option in ("early_stopping", "standardize", "warm_start"):
        if getattr(model, option):
            raise ValueError(f"{option} is not supported for Dask collections: set it to False.")
    summary = dask.delayed(_summary)
    known = dask.compute(
        *[summary(*partition[:3], model._classifies, plan) for partition in partitions]
    )
    filled = [
        (partition, one) for partition, one in zip(partitions, known, strict=True) if one.n_rows
    ]
    if not filled:
        what = "rows" if partitions[0][2] is None else "rows with weight"
        raise ValueError(f"X has no {what}: at least one is needed.")
    partitions, summaries = [list(some) for some in zip(*filled, strict=True)]
    first = summaries[0]
    if any(one[1:3] != first[1:3] or one.sparse != first.sparse for one in summaries):
        raise ValueError("all partitions of X and y must have the same columns and layout.")
    dtype = np.result_type(*(one.dtype for one in summaries))
    targets = Targets(plan, first.n_targets)
    if model._classifies:
        targets = class_targets(model, plan, [one.labels for one in summaries])
    plan = targets.plan
    shards = _shards(partitions, _number_of_models(n_models, len(partitions)))
    state = model._begin(targets.shape(first.n_features), dtype)
    weights = state.weights(plan, first.sparse)
    seeds = model._seeds(len(weights) if model._classifies else 1)
    n_outputs = len(state.intercept) if plan.multinomial else 1
    n_rows = sum(one.n_rows for one in summaries)
    runs = []
    for k, own in enumerate(weights):
        task = _Task(clone(model), targets, k, n_outputs, dtype)
        run = ClusterRun(task, shards, own, n_rows, first.sparse, int(seeds[k % len(seeds)]))
        if (
            targets.classes is not None and plan.row_loss.grows_quadratically
        ):  # targets are 1 and -1
            run.null_loss = plan.row_loss.null_loss(np.ones(1))
        elif first.null_losses:
            losses = [one.n_rows * one.null_losses[k] for one in summaries]
            run.null_loss = max(sum(losses) / n_rows, float(np.finfo(float).tiny))
        runs.append(run)
    return fit_runs(model, targets, state, runs, first.n_features, names)


class ClusterRun(SolverRun):
    """A solver run whose every epoch is a graph: a shard of partitions per SGD worker."""

    def __init__(
        self,
        task: _Task,
        shards: list[list[Partition]],
        weights: Weights,
        n_rows: int,
        sparse: bool,
        seed: int,
    ) -> None:
        example = np.zeros((1, weights.coef.shape[-1]), task.dtype)
        rows = rows_of(
            sp.csr_matrix(example) if sparse else example, task.targets.plan, task.n_outputs
        )
        super().__init__(task.targets.plan, rows, _EMPTY, None, weights, RowCount(n_rows))
        self._task, self._shards, self._seed = task, shards, seed

    def _epoch(self) -> Generator[None, None, bool]:
        """See `SolverRun`: one graph, whose tasks go where the partitions lie."""
        import dask

        if self.plan.auto:
            self.weights.restart_average()
            fresh = not self.weights.begun
            if fresh and len(self._shards) > 1:  # what the first row sets is set once
                self._begin()
        steps, begin = dask.delayed(_steps), dask.delayed(self.weights.copy())
        ends, n_tasks = [], 0
        for shard in self._shards:
            local = begin
            for k, partition in enumerate(shard):
                seed = seed_of(self._seed, self.n_iter, n_tasks)
                local = steps(local, *partition[:3], self._task, seed, k == len(shard) - 1)
                n_tasks += 1
            ends.append(local)
        yield
        reached = dask.compute(*ends)
        yield
        sizes = np.array([one.n_rows for one in reached], float)
        if not sizes.any():  # by class_weight
            sizes[:] = 1.0
        if len(reached) == 1:
            self.weights.restore(reached[0].weights.snapshot())
        else:
            average(self.weights, [one.weights for one in reached], sizes)
        if not all(one.complete for one in reached):
            return False
        square = self.weights.fold(self.settings)
        return isfinite(square + self.weights.intercept_sum)

    def _begin(self) -> None:
        """Take the steps of a first slice of rows, from which all workers continue."""
        import dask

        partition, task = self._shards[0][0], self._task
        local = dask.delayed(self.weights.copy())
        first = dask.delayed(_steps)(
            local, *partition[:3], task, seed_of(self._seed, self.n_iter, 0), True, 1
        )
        (reached,) = dask.compute(first)
        self.weights.restore(reached.weights.snapshot())
        self.weights.state.loss_sum = self.weights.state.penalty_sum = 0.0


def _summary(
    X: Matrix | pd.DataFrame,
    y: np.ndarray | pd.Series | pd.DataFrame,
    weight: np.ndarray | pd.Series | None,
    classifies: bool,
    plan: Plan,
) -> _Summary:
    """Summarise a partition; runs on a cluster worker, as do the functions below."""
    X, y, weight = map(values_of, (X, y, weight))
    y = np.asarray(y)
    if y.shape[0] != X.shape[0]:
        raise ValueError(f"a partition of y has {y.shape[0]} rows, that of X has {X.shape[0]}.")
    counted: Index = slice(None)
    if weight is not None:
        weight = check_weight(weight, X, allow_zero=True)
        counted = np.asarray(weight) != 0.0
    labels = None
    losses: list[float] = []
    if classifies:
        if y.ndim > 1:
            y = y.reshape(len(y), -1)
            if y.shape[1] > 1:
                raise ValueError(f"classes must be in one column, got {y.shape[1]} targets.")
            y = y[:, 0]
        if y.dtype.kind == "f" and not np.isfinite(y).all():
            raise ValueError("y holds NaN or infinity.")
        labels = count_labels(y, weight)
    else:
        y = y.astype(float)
        if not np.isfinite(y).all():
            raise ValueError("y holds NaN or infinity.")
        if plan.row_loss.grows_quadratically and len(y[counted]):
            targets = [y[counted]] if y.ndim == 1 else list(y[counted].T)
            losses = [plan.row_loss.null_loss(one) for one in targets]
    dtype = X.dtype if X.dtype in FLOATS else np.dtype(np.float64)
    n_targets = None if y.ndim == 1 else y.shape[1]
    n, p = len(y[counted]), X.shape[1]
    return _Summary(n, p, n_targets, dtype, sp.issparse(X), labels, losses)


def _steps(
    local: Weights | _Local,
    X: Matrix | pd.DataFrame,
    y: np.ndarray | pd.Series | pd.DataFrame,
    weight: np.ndarray | pd.Series | None,
    task: _Task,
    seed: int,
    last: bool,
    most: int = -1,
) -> _Local:
    """Take the steps of a partition's rows in random order, or of its first `most` slices."""
    if isinstance(local, Weights):
        local = _Local(local.copy(), 0, True)
    if not local.complete or not X.shape[0]:
        return local
    X, y, weight = map(values_of, (X, y, weight))
    weights, plan = local.weights.copy(), task.targets.plan
    # The order of rows depends on their layout, and that on how they came to this worker.
    if sp.issparse(X):
        refuse_malformed(X)
        X = in_canonical_form(X.tocsr().astype(task.dtype, copy=False), zeros=False)
    else:
        X = X.astype(task.dtype, order="C", copy=False)
    weight = None if weight is None else check_weight(weight, X, allow_zero=True)
    target, given = task.targets.of_run(task.model, np.asarray(y), weight)
    rows = rows_of(X, plan, task.n_outputs, rows_with_weight(given))
    batch = SolverBatch(
        rows, target, given, functools.partial(refuse_not_finite, X, task.estimator)
    )
    settings = plan.settings(rows.sparse)
    done, complete = 0, True
    with np.errstate(all="ignore"):
        for taken in batch.steps(plan, weights, settings, seed):
            if not taken.complete:
                batch.check_rows()
                complete = False
                break
            done += taken.n_rows
            most -= 1
            if most == 0:
                break
        if last and complete:
            weights.fold(settings)
    return _Local(weights, local.n_rows + done, complete)


def _number_of_models(given: int | None, n_partitions: int) -> int:
    if given is None:
        return min(n_partitions, _n_threads_of_cluster())
    if isinstance(given, bool) or not hasattr(given, "__index__") or given < 1:
        raise ValueError(f"n_models must be None or a whole number from 1 up, got {given!r}.")
    return min(int(given), n_partitions)


def _n_threads_of_cluster() -> int:
    try:
        from distributed import get_client

        return max(1, sum(get_client().nthreads().values()))
    except (ImportError, ValueError):  # no cluster: Dask's own scheduler
        return 1


def _shards(partitions: list[Partition], n_models: int) -> list[list[Partition]]:
    """Return consecutive partitions for each SGD worker."""
    ends = np.linspace(0, len(partitions), n_models + 1).round().astype(int).tolist()
    return [partitions[begin:end] for begin, end in itertools.pairwise(ends)]
