"""Statistics of partitions, merged in a tree on the workers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from fastridge.dask.partitions import begins_of, values_of
from fastridge.statistics.fold_statistics import (
    N_FOLDS,
    consecutive_parts,
    fold_bounds,
    fold_ids,
    rows_by_fold,
    with_rows,
)
from fastridge.statistics.gram_statistics import GramStatistics

if TYPE_CHECKING:
    from dask.array import Array
    from dask.dataframe import DataFrame
    from dask.delayed import Delayed
    from sklearn.base import BaseEstimator

_FAN_IN = 8  # statistics that one task merges


def fit_by_statistics(
    estimator: BaseEstimator,
    X: Array | DataFrame,
    parts: list[tuple[Delayed, ...]],
    names: list[str] | None,
    target_names: list[str] | None,
    *,
    folds_given: bool,
) -> BaseEstimator:
    """`fit_statistics` of the estimator on what the partitions sum up to."""
    import dask

    chooses = hasattr(estimator, "cv")
    n_folds = None
    if chooses:
        n_folds = N_FOLDS if estimator.cv is None else estimator.cv
        if isinstance(n_folds, bool) or not hasattr(n_folds, "__index__") or n_folds < 2:
            raise ValueError(
                f"cv must be None or a number of folds from 2 up for Dask collections, got "
                f"{estimator.cv!r}: give the fold of each row instead."
            )
    begins = None if folds_given else begins_of(X)
    make = dask.delayed(_statistics, pure=True)
    leaves = []
    for position, part in enumerate(parts):
        begin = None if begins is None else (begins[position], begins[-1])
        leaves.append(make(*part, position, begin, n_folds, names, target_names))
    merge = dask.delayed(_merged, pure=True)
    while len(leaves) > 1:
        leaves = [
            merge(leaves[begin : begin + _FAN_IN]) for begin in range(0, len(leaves), _FAN_IN)
        ]
    (folds,) = dask.compute(leaves[0])
    if not any(stats.n_samples for stats in folds):
        raise ValueError("X has no rows: at least one is needed.")
    return estimator.fit_statistics(folds if chooses else folds[0])


def _statistics(
    X: Any,
    y: Any,
    weight: Any,
    fold: Any,
    position: int,
    begin: tuple[int, int] | None,
    n_folds: int | None,
    names: list[str] | None,
    target_names: list[str] | None,
) -> list[GramStatistics]:
    """The statistics of a partition's rows: of all of them, or one per fold. Runs on a worker."""
    X, y, weight, fold = map(values_of, (X, y, weight, fold))
    n = X.shape[0]
    for values, what in ((y, "y"), (weight, "sample_weight"), (fold, "fold")):
        if values is not None and len(values) != n:
            raise ValueError(f"a partition of {what} has {len(values)} rows, that of X has {n}.")
    if not n:
        return []
    parts: Iterable[tuple[int, slice | np.ndarray]] = [(0, slice(0, n))]
    if n_folds is not None and fold is None and begin is not None:
        parts = consecutive_parts(begin[0], n, fold_bounds(begin[1], n_folds))
    elif n_folds is not None:
        parts = rows_by_fold(fold_ids(fold, n, position, n_folds))
    folds = with_rows([], parts, X, np.asarray(y), weight, names=names, n_threads=1)
    for stats in folds:
        stats.target_names = target_names
        stats.n_threads = None
    return folds


def _merged(parts: list[list[GramStatistics]]) -> list[GramStatistics]:
    """The sums fold by fold, in the order of the partitions."""
    longest = max(parts, key=len)
    merged = []
    for k in range(len(longest)):
        some = [folds[k] for folds in parts if k < len(folds) and folds[k].n_samples]
        merged.append(sum(some[1:], some[0]) if some else longest[k])
    return merged
