"""Splits of the rows as scikit-learn makes them, checked and in the least memory."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from fastridge._typing import Folds, RowsLike
from fastridge.model_selection.splits import Split, consecutive_folds, planned_split


def planned_splits(
    cv: Folds | None,
    X: RowsLike,
    y: np.ndarray,
    metadata: Mapping[str, object],
    *,
    classifier: bool = False,
) -> list[Split]:
    """Return the splits that scikit-learn makes of `cv` (None: 5 folds), in the least memory."""
    from sklearn.model_selection import KFold, check_cv

    n = len(y)
    splitter = check_cv(5 if cv is None else cv, y, classifier=classifier)
    if type(splitter) is KFold and not splitter.shuffle and splitter.n_splits <= n:
        return consecutive_folds(n, splitter.n_splits)
    splits = [
        planned_split(_row_indices(train, n), _row_indices(test, n), n)
        for train, test in splitter.split(X, y, **metadata)
    ]
    if not splits:
        raise ValueError("cv gives no splits: give a number of folds from 2 up.")
    return splits


def _row_indices(rows: ArrayLike, n: int) -> np.ndarray:
    """Return a split's rows as indices. Raises ValueError if they are outside the data."""
    numbers = np.asarray(rows)
    if numbers.dtype == bool:
        numbers = np.flatnonzero(numbers)
    if numbers.size and numbers.dtype.kind not in "iu":
        raise ValueError(f"cv gives rows as {numbers.dtype}: give whole numbers, or a mask.")
    if numbers.ndim != 1 or not len(numbers):
        raise ValueError("cv gives a split without training or without test rows: use fewer folds.")
    least, most = int(numbers.min()), int(numbers.max())
    if least < -n or most >= n:
        raise ValueError(f"cv gives row {most if most >= n else least}, but X has {n} rows.")
    # half the memory of a splitter's indices: all folds together have one index per row
    numbers = numbers.astype(np.int32 if n < 1 << 31 else np.int64)
    return numbers if least >= 0 else np.where(numbers < 0, numbers + n, numbers)
