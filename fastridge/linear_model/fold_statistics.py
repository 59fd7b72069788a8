"""Rows that arrive in batches, each to the statistics of a fold."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastridge.statistics import GramStatistics

_STREAM_FOLDS = 5


def fold_ids(fold: Any, n: int, seen: int, cv: Any) -> np.ndarray:
    """The fold of each of `n` rows; by default row i of all that were seen is in ``i % cv``."""
    if fold is None:
        return np.arange(seen, seen + n) % (_STREAM_FOLDS if cv is None else int(cv))
    ids = np.asarray(fold)
    if ids.ndim == 0:
        ids = np.full(n, ids)
    if ids.shape != (n,) or ids.dtype.kind not in "iu" or (ids < 0).any():
        raise ValueError(
            f"fold must be a whole number from 0 up, or one for each of the {n} rows, got an "
            f"array of {ids.dtype} of shape {ids.shape}."
        )
    return ids.astype(np.intp)


def with_rows(
    folds: Sequence[GramStatistics],
    ids: np.ndarray,
    X: Any,
    y: np.ndarray,
    weight: np.ndarray | None,
    *,
    names: Any,
    n_threads: int | None,
) -> list[GramStatistics]:
    """New statistics of the folds, with these rows added to each row's own."""
    new = [stats.copy() for stats in folds]
    for k in np.unique(ids):
        while len(new) <= k:
            new.append(GramStatistics(feature_names=names, n_threads=n_threads))
        rows = np.flatnonzero(ids == k)
        w = None if weight is None else weight[rows]
        if w is None or w.any():
            new[k].update(X[rows], y[rows], w)
    return new
