"""Rows in partitions on the workers of a Dask cluster, as one Gram matrix or one per fold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from fastridge._kernels.attributes import computed_once
from fastridge._typing import Index, Matrix
from fastridge.designs.statistics import StreamedDesign
from fastridge.runtime.threads import resolve_threads
from fastridge.statistics.fold_statistics import (
    consecutive_parts,
    fold_bounds,
    fold_ids,
    rows_by_fold,
    with_rows,
)
from fastridge.statistics.gram_statistics import GramStatistics

if TYPE_CHECKING:
    import pandas as pd

_FAN_IN = 8  # statistics that one task merges


class DaskDesign(StreamedDesign):
    """Rows in partitions, whose statistics are merged in a tree on the workers.

    Parameters
    ----------
    dask : module
        Dask, which the package does not import at this level.
    partitions : sequence of (X, y, weight, fold, ...)
        Delayed values; weight and fold may be None.
    begins : list of int, optional
        The number of rows before each partition, followed by that of all rows; None if unknown.
    n_folds : int, optional
        None for no folds. Rows without a given fold go to consecutive folds if `begins` is known;
        otherwise row i of partition j goes to fold ``(i + j) % n_folds``.
    feature_names, target_names : list of str, optional
    fit_intercept : bool, default=True
    n_threads : int, optional
    """

    def __init__(
        self,
        dask: ModuleType,
        partitions: Sequence[tuple[object, ...]],
        begins: list[int] | None = None,
        n_folds: int | None = None,
        feature_names: list[str] | None = None,
        target_names: list[str] | None = None,
        fit_intercept: bool = True,
        n_threads: int | None = None,
    ) -> None:
        super().__init__(fit_intercept, resolve_threads(n_threads))
        self._dask, self._partitions, self._begins = dask, partitions, begins
        self._options = n_folds, feature_names, target_names

    @computed_once
    def folds(self) -> list[GramStatistics]:
        """The statistics of each fold; without folds, a list with those of all rows."""
        make = self._dask.delayed(_statistics, pure=True)
        merge = self._dask.delayed(_merged, pure=True)
        parts = []
        for position, partition in enumerate(self._partitions):
            begin = None
            if self._begins is not None and partition[3] is None:
                begin = self._begins[position], self._begins[-1]
            parts.append(make(*partition[:4], position, begin, *self._options))
        while len(parts) > 1:
            parts = [
                merge(parts[begin : begin + _FAN_IN]) for begin in range(0, len(parts), _FAN_IN)
            ]
        folds: list[GramStatistics] = self._dask.compute(parts[0])[0]
        if not any(stats.n_samples for stats in folds):
            raise ValueError("X has no rows: at least one is needed.")
        return folds


def values_of(part: Any) -> Any:
    """Return a partition of an array as it is, and one of a data frame as an array."""
    return part.to_numpy() if hasattr(part, "iloc") else part


def _statistics(
    X: Matrix | pd.DataFrame,
    y: np.ndarray | pd.Series | pd.DataFrame,
    weight: np.ndarray | pd.Series | None,
    fold: np.ndarray | pd.Series | None,
    position: int,
    begin: tuple[int, int] | None,
    n_folds: int | None,
    names: list[str] | None,
    target_names: list[str] | None,
) -> list[GramStatistics]:
    """Compute the statistics of a partition's rows, or those of each fold; runs on a worker."""
    X, y, weight, fold = map(values_of, (X, y, weight, fold))
    n = X.shape[0]
    for values, what in ((y, "y"), (weight, "sample_weight"), (fold, "fold")):
        if values is not None and len(values) != n:
            raise ValueError(f"a partition of {what} has {len(values)} rows, that of X has {n}.")
    if not n:
        return []
    parts: Iterable[tuple[int, Index]] = [(0, slice(0, n))]
    if n_folds is not None and fold is None and begin is not None:
        parts = consecutive_parts(begin[0], n, fold_bounds(begin[1], n_folds))
    elif n_folds is not None:
        parts = rows_by_fold(fold_ids(fold, n, position, n_folds))
    folds = with_rows(
        [],
        parts,
        X,
        np.asarray(y),
        weight,
        names=names,
        target_names=target_names,
        n_threads=1,
    )
    for stats in folds:
        stats.n_threads = None
    return folds


def _merged(parts: list[list[GramStatistics]]) -> list[GramStatistics]:
    """Return the sums fold by fold, in the order of the partitions."""
    longest = max(parts, key=len)
    merged = []
    for k in range(len(longest)):
        some = [folds[k] for folds in parts if k < len(folds) and folds[k].n_samples]
        merged.append(sum(some[1:], some[0]) if some else longest[k])
    return merged
