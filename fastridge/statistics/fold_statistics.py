"""Statistics of folds whose rows arrive in batches."""

from collections.abc import Iterable, Iterator, Sequence
from copy import copy

import numpy as np
from numpy.typing import ArrayLike

from fastridge._typing import Index, Matrix
from fastridge.statistics.gram_statistics import GramStatistics

N_FOLDS = 5
"""Default number of folds for rows that arrive in batches."""

MOST_FOLDS = 10_000


def fold_ids(fold: ArrayLike | None, n: int, seen: int, cv: int | None) -> np.ndarray:
    """Return the fold of each of `n` rows; by default row i of all seen is in fold ``i % cv``."""
    if fold is None:
        return np.arange(seen, seen + n) % (N_FOLDS if cv is None else int(cv))
    ids = np.asarray(fold)
    if ids.ndim == 0:
        ids = np.full(n, ids)
    if ids.shape != (n,) or ids.dtype.kind not in "iu" or (ids < 0).any():
        raise ValueError(
            f"fold must be a whole number from 0 up, or one for each of the {n} rows, got an "
            f"array of {ids.dtype} of shape {ids.shape}."
        )
    return ids.astype(np.intp)


def fold_bounds(total: int, n_folds: int) -> np.ndarray:
    """Return the row indices at which KFold begins each fold, and the number of rows."""
    size, larger = divmod(total, n_folds)
    if size == 0:
        raise ValueError(f"cv={n_folds} folds need as many rows, and there are {total}.")
    folds = np.arange(n_folds + 1)
    return folds * size + np.minimum(folds, larger)


def consecutive_parts(begin: int, n: int, bounds: np.ndarray) -> Iterator[tuple[int, slice]]:
    """Yield each fold among `n` rows from row `begin` on, and its rows relative to `begin`."""
    first = int(np.searchsorted(bounds, begin, side="right")) - 1
    for fold in range(first, len(bounds) - 1):
        low, high = max(int(bounds[fold]), begin), min(int(bounds[fold + 1]), begin + n)
        if low >= high:
            return
        yield fold, slice(low - begin, high - begin)


def rows_by_fold(ids: np.ndarray) -> Iterator[tuple[int, Index]]:
    """Yield each fold that has rows, and its rows, as a slice if they are consecutive."""
    ordered = bool((ids[:-1] <= ids[1:]).all())
    most = (ids[-1] if ordered else ids.max()) if len(ids) else 0
    if most >= MOST_FOLDS:
        raise ValueError(f"fold must be below {MOST_FOLDS}, got {most}: number the folds.")
    counts = np.bincount(ids)
    if ordered:
        ends = np.cumsum(counts)
        for fold in np.flatnonzero(counts).tolist():
            yield fold, slice(int(ends[fold] - counts[fold]), int(ends[fold]))
        return
    for fold in np.flatnonzero(counts).tolist():
        rows = np.flatnonzero(ids == fold)
        begin, end = int(rows[0]), int(rows[-1]) + 1
        yield fold, slice(begin, end) if end - begin == len(rows) else rows


def with_rows(
    folds: Sequence[GramStatistics],
    parts: Iterable[tuple[int, Index]],
    X: Matrix,
    y: np.ndarray,
    weight: np.ndarray | None,
    *,
    names: Sequence[str] | None,
    target_names: Sequence[str] | None = None,
    n_threads: int | None,
) -> list[GramStatistics]:
    """Return the statistics with rows added; those given stay. `parts` has (fold, rows) pairs."""
    new = list(folds)
    for k, rows in parts:
        while len(new) <= k:
            new.append(GramStatistics(feature_names=names, target_names=target_names))
        w = None if weight is None else weight[rows]
        if w is None or w.any():
            new[k] = copy(new[k])  # an update makes new sums
            new[k].n_threads = n_threads
            new[k].update(X[rows], y[rows], w)
    return new
